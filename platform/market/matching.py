"""Bars, and how one order of an exchange meets them.

The rules are those of ``market.kernel.matching``, which positions meet their bars by; this is its
face for an order that stands alone, as on the simulator exchange.
"""

from typing import NamedTuple

import numpy as np

from market.costs import STEP_SLACK, Costs, costs_record
from market.enums import Leg, Liquidity, OrderType, Side
from market.kernel.records import (
    AT_LIMIT,
    AT_MARKET,
    AT_STOP,
    BAR,
    RULES,
    STATE,
    TRAY,
)
from market.orders import KernelFill, KernelOrder

_KINDS = {
    OrderType.MARKET: AT_MARKET,
    OrderType.LIMIT: AT_LIMIT,
    OrderType.STOP_LOSS: AT_STOP,
    OrderType.STOP_LOSS_LIMIT: AT_STOP,
}
_NO_RULES = np.zeros(1, dtype=RULES)


class Bar(NamedTuple):
    """One closed bar; ``open_time`` in milliseconds UTC, prices in quote, ``volume`` in base.

    ``funding_rate`` is what funding at its open costs a long position, as a fraction of notional.
    """

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    funding_rate: float = 0.0

    @classmethod
    def at_price(cls, open_time: int, price: float) -> "Bar":
        """Return a bar with this one price, for matching against a quote."""
        return cls(open_time, price, price, price, price)


class Met(NamedTuple):
    """What a bar did to an order: it filled, or it rests on, maybe as a triggered limit."""

    fill: KernelFill | None
    order: KernelOrder | None


def meet(order: KernelOrder, bar: Bar, costs: Costs) -> Met:
    """Return what *bar* does to *order*, which existed before it; an order fills whole or not."""
    from market.kernel.matching import match  # noqa: PLC0415 - the compiler, for who computes

    state = np.zeros(1, dtype=STATE)
    state["entry_side"] = 1 if order.side is Side.BUY else -1
    state["entry_kind"] = _KINDS[order.kind]
    state["entry_lots"] = order.lots
    state["entry_ticks"] = order.price_ticks
    tray = np.zeros(1, dtype=TRAY)
    bars = np.array(
        [(bar.open_time, bar.open, bar.high, bar.low, bar.close, 0.0)],
        dtype=BAR,
    )
    match(state[0], bars[0], _NO_RULES[0], costs_record(costs)[0], 0.0, False, tray[0])
    if not tray[0]["count"]:
        return Met(None, order)
    filled = tray[0]["fills"][0]
    fill = KernelFill(
        leg=Leg.ENTRY,
        side=order.side,
        kind=order.kind,
        lots=int(filled["lots"]),
        price_ticks=int(filled["price_ticks"]),
        fee=float(filled["fee"]),
        slippage=float(filled["slippage"]),
        liquidity=Liquidity.MAKER if filled["is_maker"] else Liquidity.TAKER,
        open_time_ms=bar.open_time,
        at_open=bool(filled["at_open"]),
        reason=order.reason,
    )
    if order.kind is OrderType.STOP_LOSS_LIMIT:
        return _within_limit(order, fill, bar, costs)
    return Met(fill, None)


def preload() -> None:
    """Load the compiled functions, so that the first order takes no longer than the others."""
    from market.kernel.compiling import one_compiler  # noqa: PLC0415 - as above

    costs = Costs(0, 0, 0, 0, tick_size=1, lot_step=1, minimum_notional=0)
    order = KernelOrder(Leg.ENTRY, Side.BUY, OrderType.MARKET, 1)
    with one_compiler():
        meet(order, Bar.at_price(0, 1.0), costs)
        protective_ticks(
            entry_side=Side.BUY, average_price=1, stop_percent=1, target_percent=1, costs=costs
        )


def protective_ticks(
    *,
    entry_side: Side,
    average_price: float,
    stop_percent: float,
    target_percent: float,
    costs: Costs,
) -> tuple[int, int]:
    """Return the levels of stop and target of an entry at *average_price*, 0 for none.

    Levels are rounded away from the entry: a loss is never booked smaller and a profit never
    reached sooner than asked.
    """
    from market.kernel.levels import stop_level, target_level  # noqa: PLC0415 - as above

    sign = 1 if entry_side is Side.BUY else -1
    record = costs_record(costs)[0]
    return (
        int(stop_level(average_price, sign, stop_percent / 100, record)),
        int(target_level(average_price, sign, target_percent / 100, record)),
    )


def _within_limit(order: KernelOrder, fill: KernelFill, bar: Bar, costs: Costs) -> Met:
    """Keep a triggered stop-limit within its limit: it fills there at worst, or rests as a limit."""
    reference = bar.open if fill.at_open else costs.price_of(order.price_ticks)
    sign = 1 if order.side is Side.BUY else -1
    beyond = sign * (reference / costs.tick_size - order.limit_ticks)
    if beyond > order.limit_ticks * STEP_SLACK:
        resting = order._replace(kind=OrderType.LIMIT, price_ticks=order.limit_ticks, limit_ticks=0)
        return Met(None, resting)
    ticks = sign * min(sign * fill.price_ticks, sign * order.limit_ticks)
    price = costs.price_of(ticks)
    clipped = fill._replace(
        price_ticks=ticks,
        fee=costs.notional(fill.lots, price) * costs.taker_rate,
        slippage=costs.notional(fill.lots, sign * (price - reference)),
    )
    return Met(clipped, None)
