"""Values that several commands take."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime


def instant(text: str) -> datetime:
    """Return the instant that a person wrote as a day or as ISO 8601, in UTC where no zone is named."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"'{text[:40]}' is no day or instant; write 2024-03-22 or 2024-03-22T16:00Z"
        ) from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
