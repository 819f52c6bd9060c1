"""What an order may become, and orders and fills as the simulation kernel knows them."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from market.enums import Leg, Liquidity, OrderStatus, OrderType, Side
from market.errors import ConflictError

_REPORTED: Final = frozenset(
    {
        OrderStatus.ACCEPTED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
    }
)
_MOVED: Final = _REPORTED - {OrderStatus.ACCEPTED}

#: Every lawful step of an order, from the moment it is on its way to a venue.
TRANSITIONS: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = {
    OrderStatus.SUBMITTING: _REPORTED
    | {OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.UNKNOWN},
    OrderStatus.UNKNOWN: _REPORTED
    | {OrderStatus.REJECTED, OrderStatus.ABANDONED, OrderStatus.MANUAL_REVIEW},
    OrderStatus.ACCEPTED: _MOVED | {OrderStatus.PENDING_CANCEL, OrderStatus.MANUAL_REVIEW},
    OrderStatus.PARTIALLY_FILLED: _MOVED | {OrderStatus.PENDING_CANCEL, OrderStatus.MANUAL_REVIEW},
    # A venue may refuse to cancel; if the order is then found open it is accepted again.
    OrderStatus.PENDING_CANCEL: _MOVED | {OrderStatus.ACCEPTED, OrderStatus.MANUAL_REVIEW},
    # A fill may be reported after the cancellation that it raced.
    OrderStatus.CANCELED: frozenset({OrderStatus.FILLED, OrderStatus.MANUAL_REVIEW}),
    OrderStatus.EXPIRED: frozenset({OrderStatus.FILLED, OrderStatus.MANUAL_REVIEW}),
    OrderStatus.FILLED: frozenset({OrderStatus.MANUAL_REVIEW}),
    OrderStatus.REJECTED: frozenset({OrderStatus.MANUAL_REVIEW}),
    OrderStatus.DENIED: frozenset(),
    # Proven absent, and found later after all.
    OrderStatus.ABANDONED: _REPORTED | {OrderStatus.MANUAL_REVIEW},
    OrderStatus.MANUAL_REVIEW: frozenset(
        {
            OrderStatus.FILLED,
            OrderStatus.CANCELED,
            OrderStatus.ABANDONED,
            OrderStatus.REJECTED,
        }
    ),
}

#: No open exposure from this order; late reports may still arrive.
TERMINAL: Final = frozenset(
    {
        OrderStatus.DENIED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.ABANDONED,
    }
)

#: May still fill, as far as we know.
WORKING: Final = frozenset(
    {
        OrderStatus.SUBMITTING,
        OrderStatus.UNKNOWN,
        OrderStatus.ACCEPTED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.PENDING_CANCEL,
    }
)


class IllegalTransitionError(ConflictError):
    """An order cannot go from where it stands to where it was told to go."""

    code = "illegal_transition"

    def __init__(self, *, current: OrderStatus, to: OrderStatus) -> None:
        super().__init__(f"An order that is {current} cannot become {to}.")
        self.current, self.to = current, to


def advance(current: OrderStatus, to: OrderStatus) -> OrderStatus:
    """Return *to* if an order may go there from *current*; raise IllegalTransitionError if not."""
    if to not in TRANSITIONS.get(current, frozenset()):
        raise IllegalTransitionError(current=current, to=to)
    return to


class KernelOrder(NamedTuple):
    """One order of one position, in whole lots and ticks.

    ``price_ticks`` is the limit of a LIMIT order and the trigger of a stop, 0 for MARKET;
    ``limit_ticks`` is the limit of a STOP_LOSS_LIMIT. ``stop_percent`` and ``target_percent`` (2.0
    means 2 %) describe what protects the position once the order fills, anchored on the fill
    price; 0 means none. ``expires_after_bars`` is the number of bars that the order may still rest,
    0 for no end. ``budget`` is the most quote currency that a buy may spend, fee included, 0 for no
    limit. ``reason`` says why the order exists.
    """

    leg: Leg
    side: Side
    kind: OrderType
    lots: int
    price_ticks: int = 0
    limit_ticks: int = 0
    reduce_only: bool = False
    stop_percent: float = 0.0
    target_percent: float = 0.0
    expires_after_bars: int = 0
    budget: float = 0.0
    reason: str = ""


class KernelFill(NamedTuple):
    """One execution, its ``fee`` and ``slippage`` in quote; slippage against us is positive.

    ``open_time_ms`` is the open time of the bar in which it happened, ``at_open`` whether at its
    first price; ``step`` numbers targets (from 0) and orders of a ladder (from 1).
    """

    leg: Leg
    side: Side
    kind: OrderType
    lots: int
    price_ticks: int
    fee: float
    slippage: float
    liquidity: Liquidity
    open_time_ms: int
    at_open: bool
    reason: str
    step: int = 0
