"""Whether an order that rests at a venue is one of ours whose row was lost.

The id of an order is a hash that nobody can read back; but the decisions that a deployment could
have made about a market around an instant are few, so all their ids can be computed and compared. An
equal id is proof: it contains the salt of this installation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from market.enums import Leg
from trading.domain import keys

_ATTEMPTS: Final = 3
_STEPS: Final = 6
#: Exits in a row of a position whose stop cannot be placed.
_EXITS: Final = 3
_STOPS: Final = 20
_OPENING: Final = (Leg.ENTRY, Leg.LADDER)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a deployment may have decided: the key of the decision, and the leg of its order."""

    key: str
    leg: Leg


def find(
    client_order_id: str, *, salt: str, deployment: UUID, candidates: Iterator[Candidate]
) -> tuple[Candidate, int] | None:
    """Return the decision and the attempt that *client_order_id* was made from, None if it was none."""
    for candidate in candidates:
        for attempt in range(_ATTEMPTS):
            made = keys.client_order_id(
                salt=salt, deployment=deployment, decision=candidate.key, attempt=attempt
            )
            if made == client_order_id:
                return candidate, attempt
    return None


def candidates(
    *,
    known: Sequence[Candidate],
    revision_ids: Sequence[int],
    instrument_id: int,
    bar_closes_ms: Sequence[int],
) -> Iterator[Candidate]:
    """Return what may have been decided: *known* keys, those of the bars, and stops of what they opened."""
    opened = [candidate.key for candidate in known if candidate.leg in _OPENING]
    yield from known
    for revision_id in revision_ids:
        for close_ms in bar_closes_ms:
            for leg in Leg:
                for step in range(_STEPS if leg in {Leg.LADDER, Leg.TARGET} else 1):
                    key = keys.decision_key(
                        revision_id=revision_id,
                        instrument_id=instrument_id,
                        bar_close_ms=close_ms,
                        leg=leg,
                        step=step,
                    )
                    yield Candidate(key, leg)
                    if leg in _OPENING:
                        opened.append(key)
    for key in opened:
        for number in range(_STOPS + 1):
            stop = keys.protective_key(key, number=number)
            yield Candidate(stop, Leg.STOP)
            for exit_number in range(_EXITS):
                yield Candidate(keys.emergency_key(stop, number=exit_number), Leg.EXIT)
