"""Months as people count them."""

from calendar import monthrange
from datetime import datetime


def add_months(instant: datetime, months: int) -> datetime:
    """Return the same day and time *months* later, or the last day of a month that is too short.

    Counted in the zone of *instant*. 31 January and one month is 28 or 29 February. Raises
    ValueError for fewer than one month or past the year 9999.
    """
    if months < 1:
        raise ValueError(f"A period has at least one month, not {months}.")
    years, month_index = divmod(instant.month - 1 + months, 12)
    year, month = instant.year + years, month_index + 1
    day = min(instant.day, monthrange(year, month)[1])
    return instant.replace(year=year, month=month, day=day)


def extended(*, ends_at: datetime | None, now: datetime, months: int) -> tuple[datetime, datetime]:
    """Return ``[from, to)`` of *months* more: from the later of *now* and the present end."""
    from_at = now if ends_at is None else max(now, ends_at)
    return from_at, add_months(from_at, months)
