"""Ticks, lots, slippage and fees; the compiled twins of the methods of ``market.costs.Costs``."""

import math

from market.costs import STEP_SLACK
from market.kernel.compiling import compiled


@compiled
def ticks_up(price, costs):  # type: ignore[no-untyped-def]
    """Return the fewest ticks that are not below *price*."""
    count = price / costs.tick_size
    return math.ceil(count - abs(count) * STEP_SLACK)


@compiled
def ticks_down(price, costs):  # type: ignore[no-untyped-def]
    """Return the most ticks that are not above *price*."""
    count = price / costs.tick_size
    return math.floor(count + abs(count) * STEP_SLACK)


@compiled
def lots_down(quantity, costs):  # type: ignore[no-untyped-def]
    """Return how many whole lots fit into *quantity* base units."""
    count = quantity / costs.lot_step
    return math.floor(count + abs(count) * STEP_SLACK)


@compiled
def slipped(price, side, costs):  # type: ignore[no-untyped-def]
    """Return *price* after slippage and half of the spread, worse for *side*."""
    return price * (1 + side * costs.adverse_rate)


@compiled
def taken_ticks(reference, side, costs):  # type: ignore[no-untyped-def]
    """Return what taking liquidity near *reference* costs a buyer or brings a seller, in ticks."""
    price = slipped(reference, side, costs)
    if side > 0:
        return ticks_up(price, costs)
    # Nothing is sold for nothing, however coarse the tick.
    return max(ticks_down(price, costs), 1)


@compiled
def made_ticks(reference, side, limit_ticks, costs):  # type: ignore[no-untyped-def]
    """Return the price of a limit order that fills near *reference*, in ticks: never past its limit."""
    if side > 0:
        return min(ticks_up(reference, costs), limit_ticks)
    return max(ticks_down(reference, costs), limit_ticks, 1)


@compiled
def falls_to(low, ticks):  # type: ignore[no-untyped-def]
    """Tell whether a price of *low* ticks is at or under the level of *ticks*."""
    return low <= ticks + abs(ticks) * STEP_SLACK


@compiled
def rises_to(high, ticks):  # type: ignore[no-untyped-def]
    """Tell whether a price of *high* ticks is at or over the level of *ticks*."""
    return high >= ticks - abs(ticks) * STEP_SLACK
