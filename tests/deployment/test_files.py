"""The deployment files hold together, and hand each secret only to those that need it."""

import json
import re
import tomllib

import pytest
from django.conf import settings

from config.env import KNOWN_NAMES, read_environment
from tests.deployment.files import (
    COMPOSE_FILES,
    FOREIGN_NAMES,
    ROOT,
    example_names,
    load,
    our_services,
    run,
    services,
    variables,
)

PRODUCTION = "compose.production.yaml"
DEVELOPMENT = "compose.yaml"
PRIVATE_KEY = "API_ENCRYPTION_KEY"
OPEN_CREDENTIALS = {"worker-control", "worker-orders", "worker-ingest"}


class TestCheckers:
    @pytest.mark.parametrize("name", COMPOSE_FILES)
    def test_compose_files_follow_the_specification(self, name):
        result = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", name)

        assert result.returncode == 0, result.stdout + result.stderr

    def test_the_dockerfile_follows_good_practice(self):
        result = run("hadolint", "docker/Dockerfile")

        assert result.returncode == 0, result.stdout + result.stderr

    def test_yaml_files_are_tidy(self):
        rules = "{extends: default, rules: {line-length: disable, document-start: disable, braces: disable}}"
        result = run(
            *("yamllint", "--strict", "--config-data", rules, *COMPOSE_FILES),
            *("docker/prometheus", "docker/alertmanager", "tests/deployment"),
        )

        assert result.returncode == 0, result.stdout + result.stderr

    def test_shell_scripts_are_sound(self):
        scripts = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docker/**/*.sh"))]
        result = run("shellcheck", "docker/entrypoint", *scripts)

        assert len(scripts) == 3
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", COMPOSE_FILES)
class TestEveryComposeFile:
    def test_each_queue_has_a_worker_of_its_own(self, name):
        queues = {
            definition["command"][1]
            for definition in our_services(name).values()
            if definition.get("command", ["web"])[0] == "worker"
        }

        assert queues == set(settings.QUEUES)

    def test_every_process_of_the_platform_is_there(self, name):
        commands = {d.get("command", ["web"])[0] for d in our_services(name).values()}

        assert {"web", "worker", "beat", "migrate"} <= commands

    def test_only_the_workers_that_open_credentials_have_the_private_key(self, name):
        holders = {
            service
            for service, definition in services(name).items()
            if PRIVATE_KEY in variables(definition)
            or PRIVATE_KEY.lower() in definition.get("secrets", [])
        }

        assert holders == OPEN_CREDENTIALS

    def test_every_variable_is_one_that_somebody_reads(self, name):
        given = set().union(*(variables(d) for d in our_services(name).values()))

        assert given - KNOWN_NAMES - FOREIGN_NAMES == set()

    def test_nothing_of_ours_starts_before_the_database_is_up_to_date(self, name):
        for service, definition in our_services(name).items():
            if service in {"migrate", "simulator"}:
                continue
            assert definition["depends_on"]["migrate"]["condition"] == (
                "service_completed_successfully"
            ), service

    def test_images_of_others_name_their_version(self, name):
        for service, definition in services(name).items():
            if service not in our_services(name):
                assert re.search(r":v?\d", definition["image"]), definition["image"]

    def test_no_secret_is_written_into_the_file(self, name):
        text = (ROOT / name).read_text(encoding="utf-8")

        for secret in ("SECRET_KEY", "JWT_SECRET_KEY", "INSTALLATION_SALT", PRIVATE_KEY):
            assert not re.search(rf"\b{secret}: (?!\$\{{)\S", text), secret

    def test_the_files_and_folders_that_it_mounts_are_there(self, name):
        for definition in services(name).values():
            for volume in definition.get("volumes", []):
                source = volume.partition(":")[0]
                assert not source.startswith(".") or (ROOT / source).exists(), source


class TestProduction:
    def test_only_the_proxy_is_reachable_from_outside(self):
        published = {name for name, d in services(PRODUCTION).items() if "ports" in d}

        assert published == {"proxy"}
        assert not any("network_mode" in d for d in services(PRODUCTION).values())

    def test_the_servers_have_no_way_out(self):
        networks = load(PRODUCTION)["networks"]

        assert networks["inside"]["internal"] is True
        for name in ("db", "redis", "beat", "prometheus", "postgres-exporter", "redis-exporter"):
            assert services(PRODUCTION)[name]["networks"] == ["inside"]

    def test_each_secret_is_a_file_that_is_declared_and_used(self):
        declared = load(PRODUCTION)["secrets"]
        used = {s for d in services(PRODUCTION).values() for s in d.get("secrets", [])}

        assert set(declared) == used
        for name, definition in declared.items():
            assert definition == {"file": f"./secrets/{name}"}

    def test_a_service_reads_exactly_the_secrets_that_it_is_given(self):
        for name, definition in our_services(PRODUCTION).items():
            read = {
                value.removeprefix("/run/secrets/")
                for variable, value in definition["environment"].items()
                if variable.endswith("_FILE")
            }
            assert read == set(definition["secrets"]), name

    def test_our_containers_can_write_nowhere_and_gain_no_rights(self):
        for name, definition in our_services(PRODUCTION).items():
            assert definition["read_only"] is True, name
            assert definition["cap_drop"] == ["ALL"], name
            assert definition["security_opt"] == ["no-new-privileges:true"], name

    def test_prometheus_asks_every_process_and_exporter(self):
        config = load("docker/prometheus/prometheus.yml")
        asked = {
            target.partition(":")[0]
            for job in config["scrape_configs"]
            for targets in (*job.get("static_configs", []), *job.get("dns_sd_configs", []))
            for target in (*targets.get("targets", []), *targets.get("names", []))
        } - {"localhost"}
        workers = {name for name in services(PRODUCTION) if name.startswith("worker-")}

        assert asked == {"web", *workers, "postgres-exporter", "redis-exporter"}
        [job] = [job for job in config["scrape_configs"] if job["job_name"] == "workers"]
        assert job["dns_sd_configs"][0]["port"] == int(
            services(PRODUCTION)["worker-orders"]["environment"]["WORKER_METRICS_PORT"]
        )

    def test_the_environment_of_each_service_is_accepted(self, tmp_path):
        made = run("python", "docker/make_secrets.py", str(tmp_path), PYTHONPATH=".:platform")
        assert made.returncode == 0, made.stderr
        for name in ("email_url", "alert_webhook_url"):
            (tmp_path / name).write_text("smtp://mail:25")

        for name, definition in our_services(PRODUCTION).items():
            if name == "flower":
                continue
            source = {
                variable: _filled_in(str(value), secrets=str(tmp_path))
                for variable, value in definition["environment"].items()
            }
            if "WORKER_METRICS_PORT" in source:
                # The entrypoint makes this folder.
                source["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path)
            environment, problems = read_environment(source)

            assert problems == (), name
            assert bool(environment.api_encryption_key) is (name in OPEN_CREDENTIALS)


class TestDevelopment:
    def test_what_is_published_is_so_for_this_machine_only(self):
        for definition in services(DEVELOPMENT).values():
            assert all(port.startswith("127.0.0.1:") for port in definition.get("ports", []))

    def test_the_source_is_mounted_and_reloaded(self):
        for name, definition in our_services(DEVELOPMENT).items():
            assert "./:/app:ro" in definition["volumes"], name
            if name.startswith("worker-") or name == "beat":
                assert "docker/reload.py" in definition["entrypoint"], name
        assert services(DEVELOPMENT)["web"]["environment"]["GUNICORN_CMD_ARGS"] == "--reload"

    def test_mails_land_in_the_catcher(self):
        for name, definition in our_services(DEVELOPMENT).items():
            if name != "simulator":
                assert definition["environment"]["EMAIL_URL"] == "smtp://mail:1025", name
        assert "mail" in services(DEVELOPMENT)


class TestEnvironmentExample:
    def test_it_names_exactly_what_the_platform_knows(self):
        names = example_names()

        assert len(names) == len(set(names))
        assert set(names) == KNOWN_NAMES

    def test_with_fresh_secrets_and_servers_it_is_accepted(self):
        made = run("python", "docker/make_secrets.py", PYTHONPATH=".:platform")
        lines = [*(ROOT / ".env.example").read_text().splitlines(), *made.stdout.splitlines()]
        pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
        source = {name: value for name, _, value in pairs}
        source |= {"DATABASE_URL": "postgres://u@h/d", "REDIS_URL": "redis://h"}

        assert read_environment(source)[1] == ()

    def test_it_holds_no_secret(self):
        _, problems = read_environment({})
        required = {p.partition(":")[0] for p in problems if p.endswith("is required")}
        text = (ROOT / ".env.example").read_text()

        for name in required:
            assert f"#{name}=" in text


class TestPlatformAsAService:
    def test_the_procfile_starts_every_process(self):
        text = (ROOT / "Procfile").read_text()
        commands = dict(line.split(": ", 1) for line in text.splitlines())

        assert commands["release"] == "docker/entrypoint migrate"
        assert commands["web"] == "docker/entrypoint web"
        for queue in settings.QUEUES:
            assert commands[queue] == f"docker/entrypoint worker {queue}"

    def test_app_json_matches_the_procfile_and_the_environment(self):
        app = json.loads((ROOT / "app.json").read_text())
        processes = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), flags=re.MULTILINE)

        assert set(app["formation"]) == set(processes) - {"release"}
        assert set(app["env"]) <= KNOWN_NAMES | {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}


class TestImage:
    def test_only_what_a_release_runs_gets_in(self):
        lines = (ROOT / ".dockerignore").read_text().splitlines()
        allowed = {line[1:] for line in lines if line.startswith("!")}
        packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]

        assert "*" in lines
        assert {path.split("/")[0] for path in allowed} & {
            ".git",
            ".env",
            ".local",
            "tests",
        } == set()
        assert set(packages["root_packages"]) - {"config", "web", "foundation", "market"} <= allowed
        assert all((ROOT / path).exists() for path in allowed)

    def test_it_runs_as_nobody_special_and_can_be_asked(self):
        text = (ROOT / "docker" / "Dockerfile").read_text()

        assert re.search(r"^USER 10001:10001$", text, flags=re.MULTILINE)
        assert re.search(r"^HEALTHCHECK .*docker/health", text, flags=re.MULTILINE)
        assert "--require-hashes" in text
        assert text.count("\nFROM ") == 2


def _filled_in(value: str, *, secrets: str) -> str:
    """Return a value as Docker Compose would fill it in for ``DOMAIN=trading.example.com``."""
    value = re.sub(r"\$\{DOMAIN[^}]*\}", "trading.example.com", value)
    value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
    return value.replace("/run/secrets", secrets)
