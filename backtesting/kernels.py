"""Everything compiled, compiled: for images, which then start without a compiler's minute."""

from typing import Final

from backtesting import engine
from market import matching
from strategies import decide, registry
from strategies.guards import StrategyFailedError
from strategies.histories import generated_candles, generated_universe
from strategies.indicators import averages, crossings, forecast, peaks
from strategies.views import MarketView, UniverseView

#: Enough bars to reach what a strategy compiles; what they say does not matter.
_BARS: Final = 300


def compile_all() -> tuple[str, ...]:
    """Compile engine, indicators and what each strategy compiles of its own; return what failed.

    The compiled code stays where ``market.kernel.compiling`` keeps it. A strategy of an installed
    package that breaks on a generated market is named and left out.
    """
    for each in (averages, crossings, forecast, peaks, matching, decide, engine):
        each.preload()
    failed = []
    for definition in registry.all_definitions():
        params = definition.default_params()
        view: MarketView | UniverseView
        if definition.requirements(params).needs_universe:
            view = generated_universe(_BARS)
        else:
            view = MarketView(
                generated_candles(_BARS, timeframe=definition.timeframe), definition.timeframe
            )
        try:
            definition.signals(view, params)
            definition.overlays(view, params)
        except StrategyFailedError as error:
            failed.append(error.message)
    return tuple(failed)
