"""What an order may become and by whose word, and orders and fills as the kernel knows them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from market.enums import Leg, Liquidity, OrderActor, OrderStatus, OrderType, Proof, Side
from market.errors import ConflictError

#: Known to stand at the venue, and may fill there.
RESTING: Final = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)
_WORKING_AT_VENUE: Final = (*RESTING, OrderStatus.PENDING_CANCEL)
_ENDED: Final = (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED)
_REPORTED: Final = (*RESTING, *_ENDED)

#: Who may take a step, and on what kind of evidence.
Permits = dict[OrderActor, Proof]

_BY_ANSWER: Final[Permits] = {
    OrderActor.SUBMITTER: Proof.VENUE_RECORD,
    OrderActor.RECONCILER: Proof.VENUE_RECORD,
}
_BY_RECORD: Final[Permits] = {OrderActor.RECONCILER: Proof.VENUE_RECORD}
_BY_UPDATE: Final[Permits] = _BY_RECORD | {OrderActor.VENUE: Proof.VENUE_RECORD}
_BY_COMMAND: Final[Permits] = {
    OrderActor.STRATEGY: Proof.COMMAND,
    OrderActor.USER: Proof.COMMAND,
    OrderActor.OPERATOR: Proof.COMMAND,
    OrderActor.KILL_SWITCH: Proof.COMMAND,
}
_BY_CONTRADICTION: Final[Permits] = {OrderActor.RECONCILER: Proof.CONTRADICTION}
_BY_NOTE: Final[Permits] = {OrderActor.OPERATOR: Proof.NOTE}


def _steps() -> dict[tuple[OrderStatus | None, OrderStatus], Permits]:
    """Return the whole table: (from, to) to who may take the step; None is where an order begins."""
    status = OrderStatus
    steps: dict[tuple[OrderStatus | None, OrderStatus], Permits] = {
        # The reconciler makes an order only of one that it has found at the venue, its row lost.
        (None, status.SUBMITTING): {OrderActor.SUBMITTER: Proof.CLAIM} | _BY_RECORD,
        (status.SUBMITTING, status.DENIED): {OrderActor.SUBMITTER: Proof.NOT_SENT},
        # Whoever only asks later cannot tell a refusal from an order that never arrived.
        (status.SUBMITTING, status.REJECTED): {OrderActor.SUBMITTER: Proof.REFUSAL},
        (status.SUBMITTING, status.UNKNOWN): {
            OrderActor.SUBMITTER: Proof.NO_PROOF,
            OrderActor.RECONCILER: Proof.LEFT_BEHIND,
        },
        (status.UNKNOWN, status.REJECTED): _BY_RECORD,
        (status.UNKNOWN, status.ABANDONED): {OrderActor.RECONCILER: Proof.ABSENCE} | _BY_NOTE,
        # A venue may refuse to cancel; if the order is then found open it is accepted again.
        (status.PENDING_CANCEL, status.ACCEPTED): _BY_RECORD,
        # A fill may be reported after the cancellation that it raced.
        (status.CANCELED, status.FILLED): _BY_RECORD,
        (status.EXPIRED, status.FILLED): _BY_RECORD,
    }
    steps |= {(status.SUBMITTING, to): _BY_ANSWER for to in _REPORTED}
    steps |= {(status.UNKNOWN, to): _BY_RECORD for to in _REPORTED}
    # Proven absent, and found later after all.
    steps |= {(status.ABANDONED, to): _BY_RECORD for to in _REPORTED}
    steps |= {(source, status.PENDING_CANCEL): _BY_COMMAND for source in RESTING}
    steps |= {
        (source, to): _BY_UPDATE
        for source in _WORKING_AT_VENUE
        for to in (status.PARTIALLY_FILLED, *_ENDED)
        if source is not to
    }
    contradictable = (
        *_WORKING_AT_VENUE,
        *_ENDED,
        status.UNKNOWN,
        status.REJECTED,
        status.ABANDONED,
    )
    steps |= {(source, status.MANUAL_REVIEW): _BY_CONTRADICTION for source in contradictable}
    closes = (status.FILLED, status.CANCELED, status.ABANDONED, status.REJECTED)
    return steps | {(status.MANUAL_REVIEW, to): _BY_NOTE for to in closes}


#: Every lawful step of an order with its actors and the evidence that each of them needs. The
#: database holds the same table: whoever changes it makes a migration.
STEPS: Final[Mapping[tuple[OrderStatus | None, OrderStatus], Permits]] = MappingProxyType(_steps())

#: Where an order may go from each status, whoever takes it there.
TRANSITIONS: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = MappingProxyType(
    {source: frozenset(to for begin, to in STEPS if begin is source) for source in OrderStatus}
)

#: What the evidence of a kind has to name at least.
EVIDENCE_FIELDS: Final[Mapping[Proof, frozenset[str]]] = MappingProxyType(
    {
        Proof.CLAIM: frozenset({"epoch"}),
        Proof.NOT_SENT: frozenset({"outcome"}),
        Proof.NO_PROOF: frozenset({"outcome"}),
        Proof.REFUSAL: frozenset({"outcome"}),
        Proof.LEFT_BEHIND: frozenset({"submitted_at"}),
        Proof.VENUE_RECORD: frozenset({"venue_order_id"}),
        Proof.ABSENCE: frozenset({"lookups", "asked", "balance"}),
        Proof.COMMAND: frozenset({"why"}),
        Proof.CONTRADICTION: frozenset({"contradiction"}),
        Proof.NOTE: frozenset({"note", "by"}),
    }
)

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

    def __init__(self, *, current: OrderStatus | None, to: OrderStatus) -> None:
        begins = "does not exist yet" if current is None else f"is {current}"
        super().__init__(f"An order that {begins} cannot become {to}.")
        self.current, self.to = current, to


class ForbiddenActorError(ConflictError):
    """The step is lawful, but not for the one who wants to take it."""

    code = "forbidden_actor"

    def __init__(self, *, current: OrderStatus | None, to: OrderStatus, actor: OrderActor) -> None:
        super().__init__(f"It is not for {actor} to make an order {to} that is {current}.")
        self.current, self.to, self.actor = current, to, actor


class MissingEvidenceError(ConflictError):
    """The step needs evidence of another kind, or more of it."""

    code = "missing_evidence"

    def __init__(self, *, to: OrderStatus, needed: Proof, missing: frozenset[str]) -> None:
        names = ", ".join(sorted(missing)) or "that kind"
        super().__init__(f"To make an order {to} takes evidence {needed}; {names} is missing.")
        self.to, self.needed, self.missing = to, needed, missing


def is_permitted(current: OrderStatus | None, to: OrderStatus, *, actor: OrderActor) -> bool:
    """Tell whether *actor* may take an order from *current* to *to*, given evidence."""
    return actor in STEPS.get((current, to), {})


def advance(
    current: OrderStatus | None,
    to: OrderStatus,
    *,
    actor: OrderActor,
    proof: Proof,
    evidence: Mapping[str, Any],
) -> OrderStatus:
    """Return *to* if *actor* may take an order there from *current* on this evidence.

    Raises IllegalTransitionError, ForbiddenActorError or MissingEvidenceError.
    """
    permits = STEPS.get((current, to))
    if permits is None:
        raise IllegalTransitionError(current=current, to=to)
    if actor not in permits:
        raise ForbiddenActorError(current=current, to=to, actor=actor)
    needed = permits[actor]
    missing = frozenset(
        name for name in EVIDENCE_FIELDS[needed] if evidence.get(name) in (None, "")
    )
    if proof is not needed or missing:
        raise MissingEvidenceError(to=to, needed=needed, missing=missing)
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
