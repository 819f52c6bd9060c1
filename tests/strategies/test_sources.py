"""Which source a strategy's fingerprint covers."""

import sys
from importlib import import_module, invalidate_caches

import pytest

from strategies import sources
from strategies.definitions import ema_crossover


@pytest.fixture
def module_of(tmp_path, monkeypatch):
    """Return a function that makes a module of its source."""

    monkeypatch.syspath_prepend(tmp_path)

    def make(source, name="written_for_a_test"):
        (tmp_path / f"{name}.py").write_text(source)
        invalidate_caches()
        monkeypatch.delitem(sys.modules, name, raising=False)
        return import_module(name)

    return make


@pytest.mark.parametrize(
    ("source", "used"),
    [
        (
            "from strategies.indicators.crossings import cross_up\n",
            {"crossings", "crossings_kernel"},
        ),
        ("from strategies.indicators import crossings\n", {"crossings", "crossings_kernel"}),
        ("import strategies.indicators.crossings as lines\n", {"crossings", "crossings_kernel"}),
        (
            "def late():\n    from strategies.indicators import crossings\n",
            {"crossings", "crossings_kernel"},
        ),
        ("import math\n", set()),
    ],
)
def test_a_strategy_is_made_from_the_indicators_that_it_imports(module_of, source, used):
    names = sources.indicators_of(module_of(source))

    assert {name.rpartition(".")[2] for name in names} == used


def test_and_from_those_that_they_import(module_of):
    names = sources.indicators_of(module_of("from strategies.indicators.oscillators import macd\n"))

    assert {"strategies.indicators.oscillators", "strategies.indicators.averages"} <= set(names)


def test_one_that_takes_the_whole_package_is_made_from_all_of_it(module_of):
    names = sources.indicators_of(module_of("from strategies import indicators\n"))

    assert {"strategies.indicators.averages", "strategies.indicators.crossings"} < set(names)


def test_it_changes_with_its_own_source_and_with_its_release(module_of):
    one = module_of("A = 1\n", "one")
    other = module_of("A = 2\n", "other")

    assert sources.fingerprint(one) != sources.fingerprint(other)
    assert sources.fingerprint(one) != sources.fingerprint(one, release="package 1.0")
    assert sources.fingerprint(one, release="package 1.0") != sources.fingerprint(
        one, release="package 1.1"
    )


def test_every_strategy_has_one():
    assert len(sources.fingerprint(ema_crossover)) == 64
