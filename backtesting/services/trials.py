"""Runs and checks without a person and without a row: computed here and now."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from backtesting.domain.checks import CheckReport, check_strategy
from backtesting.domain.portfolio import AnyBacktest
from backtesting.domain.specification import Charges, Specification, Terms
from backtesting.domain.windows import Window
from backtesting.services import checks, execution
from backtesting.services.specifications import DEFAULT_CAPITAL, DEFAULT_SLIPPAGE_BPS
from market.candles import Candles
from market.enums import InstrumentKind
from strategies import telling
from strategies.registry import Definition
from strategies.shapes import StrategyParams
from strategies.views import UniverseView

#: Bars of a generated market behind the two warm-ups that the checks cannot speak about.
_GENERATED_BARS: Final = 1_500
#: A market that was never there: anything may be traded on it, both ways and in small steps.
_GENERATED_TERMS: Final = Terms(
    instrument_id=0,
    venue="generated",
    symbol="COIN/USDT",
    kind=InstrumentKind.LINEAR_SWAP,
    tick_size=Decimal("0.01"),
    lot_step=Decimal("0.00001"),
    minimum_quantity=Decimal("0.00001"),
    minimum_notional=Decimal(5),
)
_GENERATED_CHARGES: Final = Charges(Decimal(10), Decimal(10), DEFAULT_SLIPPAGE_BPS)


def try_out(
    specification: Specification, *, progress: Callable[[float], None] | None = None
) -> AnyBacktest:
    """Compute *specification* on the stored candles; nothing is written.

    Raises NoCandlesError or WindowTooShortError if gaps leave too few bars.
    """
    return execution.compute(specification, progress=progress)


def check_on_stored(
    *,
    strategy_slug: str,
    market: str,
    timeframe: str,
    from_at: datetime,
    to_at: datetime,
    parameters: Mapping[str, str],
    now: datetime,
) -> CheckReport:
    """Return what every check comes to on stored candles; nothing is written.

    Arguments and errors as for ``checks.specify``.
    """
    specification = checks.specify(
        strategy_slug=strategy_slug,
        market=market,
        timeframe=timeframe,
        from_at=from_at,
        to_at=to_at,
        parameters=parameters,
        parameters_are_text=True,
        now=now,
    )
    return checks.compute(specification)


def check_on_generated(
    *, definition: Definition, params: StrategyParams, timeframe: str | None, seed: int
) -> CheckReport:
    """Return what every check comes to on a generated market; the same *seed* is the same market.

    It is one on which the strategy says something, if there is one among some that are tried.

    Without a *timeframe* it is an hour, or the longest below on which the strategy can run. Raises
    InvalidInputError for an unknown timeframe, or one that the strategy cannot run on.
    """
    frame = checks.timeframe_for(definition, params=params, text=timeframe)
    warm_up = definition.requirements(params).bars(frame)
    bars = 2 * warm_up + _GENERATED_BARS
    told = telling.telling_history(definition, params, frame, bars=bars, seed=seed).view()
    market: Candles | UniverseView
    universe: tuple[Terms, ...] = ()
    if isinstance(told, UniverseView):
        market = told
        universe = tuple(replace(_GENERATED_TERMS, symbol=symbol) for symbol in told.symbols)
    else:
        market = told.candles
    end_ms = int(market.open_time[-1]) + frame.milliseconds
    specification = Specification(
        definition=definition,
        params=params,
        terms=universe[0] if universe else _GENERATED_TERMS,
        window=Window.with_warm_up(
            frame, int(market.open_time[warm_up]), end_ms, warm_up_bars=warm_up
        ),
        capital=DEFAULT_CAPITAL,
        charges=_GENERATED_CHARGES,
        data_version="",
        universe=universe,
    )
    return check_strategy(specification, market)
