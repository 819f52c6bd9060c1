"""Everything compiled can be compiled ahead, also what strategies bring along."""

from dataclasses import replace

from backtesting import kernels
from strategies import registry
from strategies.guards import StrategyFailedError


def test_everything_that_is_installed_can_be_compiled():
    assert kernels.compile_all() == ()


def test_a_strategy_that_breaks_is_named_and_stops_nothing(monkeypatch):
    def breaks(view, params):
        raise StrategyFailedError("“Broken” broke in its signals.")

    honest = registry.get_definition("ema-crossover")
    broken = replace(honest, slug="broken", signals=breaks)
    monkeypatch.setattr(registry, "all_definitions", lambda: (broken, honest))

    assert kernels.compile_all() == ("“Broken” broke in its signals.",)
