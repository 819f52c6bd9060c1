"""How an order of the exchange meets the price path: ``market.matching`` on very short bars.

The price is constant within a sample, so the path is walked pair by pair: one bar from each sample
to the next. The first pair that does something decides. When a fill happens, and at which price,
is thus a function of the order and the path, and not of how often anybody looks.
"""

from typing import NamedTuple

import numpy as np

from exchanges.simulator.instruments import Instrument
from exchanges.simulator.orders import FEE_BPS, Kind, Order
from exchanges.simulator.prices import SAMPLE_MS, Ints
from market.costs import Costs
from market.enums import Leg, OrderType, Side
from market.matching import Bar, meet
from market.orders import KernelFill, KernelOrder

_KINDS = {
    Kind.LIMIT: OrderType.LIMIT,
    Kind.LIMIT_MAKER: OrderType.LIMIT,
    Kind.MARKET: OrderType.MARKET,
    Kind.STOP_LOSS: OrderType.STOP_LOSS,
    Kind.STOP_LOSS_LIMIT: OrderType.STOP_LOSS_LIMIT,
}


class Outcome(NamedTuple):
    """What a stretch of the path did to an order.

    ``order`` is what still works (a triggered stop-limit has become a limit) or, with a ``fill``,
    what filled; ``fill_sample`` and ``trigger_sample`` say when, None if it did not happen.
    """

    order: KernelOrder
    fill: KernelFill | None
    fill_sample: int | None
    trigger_sample: int | None


def costs_of(instrument: Instrument, *, slippage_bps: float) -> Costs:
    """Return what trading *instrument* costs here."""
    return Costs(
        maker_fee_bps=FEE_BPS,
        taker_fee_bps=FEE_BPS,
        slippage_bps=slippage_bps,
        spread_bps=0.0,
        tick_size=float(instrument.tick),
        lot_step=float(instrument.lot),
        minimum_notional=float(instrument.min_notional),
    )


def kernel_order(order: Order, instrument: Instrument) -> KernelOrder:
    """Return *order* in whole lots and ticks."""
    # Not by the rules for new orders, which may have become stricter since this one was taken.
    limit = int(order.price / instrument.tick) if order.kind.has_limit else 0
    stop = int(order.stop_price / instrument.tick) if order.kind.is_stop else 0
    return KernelOrder(
        leg=Leg.ENTRY,
        side=order.side,
        kind=_KINDS[order.kind],
        lots=int((order.quantity - order.executed) / instrument.lot),
        price_ticks=stop or limit,
        limit_ticks=limit if order.kind is Kind.STOP_LOSS_LIMIT else 0,
    )


def meet_price(order: KernelOrder, *, sample: int, ticks: int, costs: Costs) -> KernelFill | None:
    """Return the fill of *order* at one price, or None."""
    bar = Bar.at_price(sample * SAMPLE_MS, costs.price_of(ticks))
    return meet(order, bar, costs).fill


def meet_path(order: KernelOrder, *, start: int, ticks: Ints, costs: Costs) -> Outcome:
    """Walk *order* along the prices *ticks* of the samples from *start* on.

    The price of the first sample was met before; what follows is not.
    """
    triggered: int | None = None
    place = 0
    while True:
        step = _first_reached(order, ticks[place:])
        if step is None:
            return Outcome(order, None, None, triggered)
        place += step
        sample = start + place
        met = meet(order, _pair(ticks, place, sample, costs), costs)
        if met.fill is not None:
            return Outcome(order, met.fill, sample, triggered or sample)
        if met.order is not None and met.order != order:
            order = met.order
            triggered = sample


def highest_cost(order: KernelOrder, costs: Costs) -> int:
    """Return the most ticks that a resting buy can be charged a lot."""
    if order.kind is OrderType.STOP_LOSS:
        return costs.ticks_up(costs.slipped(costs.price_of(order.price_ticks), Side.BUY))
    return order.limit_ticks or order.price_ticks


def _first_reached(order: KernelOrder, ticks: Ints) -> int | None:
    """Return the first place after 0 at which the price of *order* is touched, or None."""
    waits_for_fall = (order.side is Side.BUY) == (order.kind is OrderType.LIMIT)
    later = ticks[1:]
    touched = later <= order.price_ticks if waits_for_fall else later >= order.price_ticks
    first = int(np.argmax(touched)) if len(touched) else 0
    return first + 1 if len(touched) and touched[first] else None


def _pair(ticks: Ints, place: int, sample: int, costs: Costs) -> Bar:
    before, after = costs.price_of(int(ticks[place - 1])), costs.price_of(int(ticks[place]))
    return Bar(sample * SAMPLE_MS, before, max(before, after), min(before, after), after)
