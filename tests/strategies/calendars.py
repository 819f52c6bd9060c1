"""Quiet markets on a calendar, in which only what a test names happens."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from backtesting.engine import SimulationResult, simulate
from market.candles import Candles
from market.costs import Costs
from market.enums import InstrumentKind
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies.registry import Definition, validate_params
from strategies.views import MarketView

#: Open, high, low and close of a bar.
Prices = tuple[float, float, float, float]
NO_COSTS = Costs(
    maker_fee_bps=0,
    taker_fee_bps=0,
    slippage_bps=0,
    spread_bps=0,
    tick_size=0.01,
    lot_step=0.00001,
    minimum_notional=5,
)


def at(text: str, zone: str = "UTC") -> int:
    """Return ``2024-06-03 09:30`` on the clocks of *zone* as ms UTC."""
    wall = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone))
    return to_milliseconds(wall)


def clock(instant_ms: int, zone: str = "UTC") -> str:
    """Return *instant_ms* as clocks of *zone* show it, ``2024-06-03 09:30``."""
    return f"{from_milliseconds(instant_ms).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def market(
    begin: str,
    end: str,
    timeframe: Timeframe,
    happens: Mapping[str, Prices] | None = None,
    *,
    zone: str = "UTC",
    price: float = 100.0,
    without: tuple[str, ...] = (),
) -> MarketView:
    """Return the bars that open from *begin* up to *end*, all at *price* but for what *happens*.

    Times are on the clocks of *zone*, those of what happens the opens of bars; bars that open at a
    time of *without* are missing.
    """
    missing = {at(when, zone) for when in without}
    told = {at(when, zone): prices for when, prices in (happens or {}).items()}
    told = {each: prices for each, prices in told.items() if each not in missing}
    opens = range(at(begin, zone), at(end, zone), timeframe.milliseconds)
    rows = [
        (each, *told.pop(each, (price, price, price, price)), 1.0)
        for each in opens
        if each not in missing
    ]
    assert not told, "What happens has to lie on bars of the market."
    return MarketView(Candles.from_rows(rows), timeframe)


def times(view: MarketView, said: np.ndarray | None, zone: str = "UTC") -> list[str]:
    """Return when the bars open at which something is *said*, on the clocks of *zone*."""
    assert said is not None
    return [clock(each, zone) for each in view.candles.open_time[said].tolist()]


def trade(
    definition: Definition,
    view: MarketView,
    kind: InstrumentKind = InstrumentKind.LINEAR_SWAP,
    *,
    trade_from: str = "",
    costs: Costs = NO_COSTS,
    **parameters: object,
) -> SimulationResult:
    """Return what trading *view* with 10,000 comes to, without costs, from *trade_from* (UTC) on."""
    params = validate_params(definition, parameters)
    first = int(view.candles.open_time[0])
    return simulate(
        view.candles,
        definition.signals(view, params),
        definition.rules(params).for_market(kind, view.timeframe),
        costs,
        capital=10_000.0,
        trade_from_ms=at(trade_from) if trade_from else first,
    )
