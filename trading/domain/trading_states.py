"""What may be traded where: ACTIVE, REDUCING or HALTED in several places at once, the strictest wins."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: The key of everything there is.
PLATFORM: Final = "platform"


class TradingState(StrEnum):
    """How much trading is allowed: everything, only what gets out of positions, or nothing new at all."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


_STRICTNESS: Final = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}


def strictest(states: Iterable[TradingState]) -> TradingState:
    """Return the strictest of *states*; ACTIVE if there are none."""
    return max(states, key=_STRICTNESS.__getitem__, default=TradingState.ACTIVE)


def allows(state: TradingState, *, reduce_only: bool) -> bool:
    """Tell whether an order may be sent; a cancellation always may."""
    if state is TradingState.HALTED:
        return False
    return reduce_only or state is TradingState.ACTIVE


def key_of_venue(venue_id: int) -> str:
    """Return the key of a venue."""
    return f"venue:{venue_id}"


def key_of_person(person_id: int) -> str:
    """Return the key of everything of a person."""
    return f"person:{person_id}"


def key_of_account(account_id: int) -> str:
    """Return the key of an exchange account."""
    return f"account:{account_id}"


def key_of_instrument(instrument_id: int, *, account_id: int | None = None) -> str:
    """Return the key of an instrument everywhere, or in one account."""
    if account_id is None:
        return f"instrument:{instrument_id}"
    return f"account:{account_id}/instrument:{instrument_id}"


def key_of_deployment(deployment_id: int) -> str:
    """Return the key of a deployment."""
    return f"deployment:{deployment_id}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an order would be traded, by everything that may be restricted."""

    deployment_id: int
    account_id: int
    owner_id: int
    venue_id: int
    instrument_id: int
    is_paper: bool

    def target_keys(self) -> tuple[str, ...]:
        """Return the keys under which a restriction would hold here."""
        return (
            PLATFORM,
            key_of_venue(self.venue_id),
            key_of_person(self.owner_id),
            key_of_account(self.account_id),
            key_of_instrument(self.instrument_id),
            key_of_instrument(self.instrument_id, account_id=self.account_id),
            key_of_deployment(self.deployment_id),
        )
