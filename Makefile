# `make run` and `make test` are all that a fresh clone needs: Python 3.11 or newer, git and make.

PYTHON   ?= python3
PORT     ?= 8000
WORKERS  ?= 4
SEEDS    ?= 40
SEED     ?=
CHAOS_SECONDS ?= 300
ARGS     ?=
VENV     := .venv
PEERS    := .venv-bench
PY       := $(VENV)/bin/python
UV       := uv==0.13.9
INSTALL  := sh requirements/install.sh $(PYTHON) $(VENV) $(UV)

export PYTHONPATH := $(CURDIR):$(CURDIR)/platform

# For tools that read the settings and never connect: fresh secrets, nobody at the addresses.
OFFLINE := env $$($(PY) -m foundation.processes.local_secrets) \
	DATABASE_URL=postgres://nobody@127.0.0.1:9/none REDIS_URL=redis://127.0.0.1:9/0
PRODUCTION := $(OFFLINE) APP_ENV=production DJANGO_SETTINGS_MODULE=config.settings.production \
	SITE_URL=https://trading.example.com ALLOWED_HOSTS=trading.example.com

.DEFAULT_GOAL := help
.PHONY: help run test check webhook-storm crash crash-canaries sim sim-canaries chaos bench bench-live bench-peers references format openapi lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed-embedded ## Start the whole platform here (PORT=8000, ARGS=--no-demo)
	@exec $(PY) manage.py up --follow-parent --port $(PORT) $(ARGS)

test: $(VENV)/.installed-test ## Run the test suite (WORKERS=4, ARGS="tests/market")
	$(PY) -m tests.compile_kernels
	$(PY) -m pytest -n $(WORKERS) --dist loadscope --ignore tests/benchmarks $(ARGS)

check: $(VENV)/.installed-dev ## Lint, types, imports, migrations, settings for production
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/shellcheck .ci/run requirements/install.sh requirements/lock.sh
	$(OFFLINE) DJANGO_SETTINGS_MODULE=config.settings.test APP_ENV=test $(PY) -m mypy
	$(PY) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	$(PY) -m djlint templates --lint --quiet
	$(OFFLINE) $(PY) manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(PY) manage.py check --deploy --fail-level WARNING

webhook-storm: $(VENV)/.installed-test ## Settle payments from 1,000 shuffled, repeated and forged notices while workers die
	STORM_DELIVERIES=1000 $(PY) -m pytest tests/flows/test_webhook_storm.py -n 0 -s $(ARGS)

crash: $(VENV)/.installed-test ## Kill processes at every step of an order's life (SEEDS=40, ARGS="--point NAME --seed N")
	$(PY) -m tests.compile_kernels
	$(PY) -m tests.crash --seeds $(SEEDS) $(ARGS)

crash-canaries: $(VENV)/.installed-test ## Break the platform on purpose: the kill matrix has to notice all of it
	$(PY) -m tests.compile_kernels
	$(PY) -m tests.crash --canary all $(ARGS)

chaos: $(VENV)/.installed-embedded $(VENV)/.installed-test ## Kill everything at random while strategies trade, and compare the books (CHAOS_SECONDS=300 SEED=0)
	$(PY) -m tests.compile_kernels
	$(PY) -m tests.chaos --seconds $(CHAOS_SECONDS) --seed $(or $(SEED),0) $(ARGS)

sim: $(VENV)/.installed-test ## Simulate days of trading by one clock (SEEDS=1000; SEED=17 repeats one with its trace)
	$(PY) -m tests.compile_kernels
	$(PY) -m tests.simulation --seeds $(SEEDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

sim-canaries: $(VENV)/.installed-test ## Break the platform on purpose: the simulation has to notice all of it
	$(PY) -m tests.compile_kernels
	$(PY) -m tests.simulation --canary all $(ARGS)

bench: $(VENV)/.installed-test ## Measure what has a budget
	$(PY) -m pytest tests/benchmarks -n 0 -p no:randomly -s --ignore tests/benchmarks/live $(ARGS)

bench-live: $(VENV)/.installed-test ## Measure live trading at scale (LIVE_DEPLOYMENTS=5000,50000 LIVE_ACCOUNTS=1000)
	$(PY) -m pytest tests/benchmarks/live -n 0 -p no:randomly -s $(ARGS)

bench-peers: $(PEERS)/.installed ## Install the other engines that `make bench` compares with

references: $(PEERS)/.installed ## Ask other engines again for the trades that tests compare ours with
	$(PEERS)/bin/python -I tests/references/make_engine_references.py

format: $(VENV)/.installed-dev ## Rewrite the code in the house's format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

openapi: $(VENV)/.installed-embedded ## Write the description of the API again
	$(OFFLINE) $(PY) manage.py spectacular --validate --fail-on-warn --file docs/api/openapi.yaml

lock: $(VENV)/.installed-embedded ## Compile requirements/*.in to files with versions and hashes
	sh requirements/lock.sh $(VENV)

clean: ## Remove what tools have left (never the data in .local)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	rm -rf reports staticfiles .kernels
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -not -path './$(PEERS)/*' -prune -exec rm -rf {} +

# A stamp per set of requirements: a second run installs nothing.
$(VENV)/.installed-%: requirements/%.txt requirements/install.sh
	$(INSTALL) requirements/$*.txt
	@touch $@

# Another engine has the name of a package of ours, and its own wishes for numpy and pandas.
$(PEERS)/.installed: requirements/bench.txt requirements/install.sh
	sh requirements/install.sh $(PYTHON) $(PEERS) $(UV) requirements/bench.txt
	@touch $@
