"""How a subscription stands at an instant, whether or not a sweep has carried out its end."""

from datetime import datetime
from enum import StrEnum


class Standing(StrEnum):
    """The states that a person is told: those of the row, told apart by its end."""

    ACTIVE = "ACTIVE"
    ENDING = "ENDING"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    DEACTIVATED = "DEACTIVATED"

    @property
    def entitles(self) -> bool:
        """Whether the person has the right now."""
        return self in {Standing.ACTIVE, Standing.ENDING}


def standing_of(status: str, ends_at: datetime | None, *, now: datetime) -> Standing:
    """Return how a subscription of that *status* and end stands at *now*.

    A canceled one is ENDING while it has time left. Raises ValueError for an unknown status.
    """
    stored = Standing(status)
    if stored in {Standing.DEACTIVATED, Standing.EXPIRED}:
        return stored
    is_over = ends_at is not None and ends_at <= now
    if stored is Standing.CANCELED:
        return Standing.CANCELED if is_over else Standing.ENDING
    return Standing.EXPIRED if is_over else Standing.ACTIVE
