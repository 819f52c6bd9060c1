"""What a browser carries between following a link and signing up: the code and the time, signed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.core import signing

_SALT: Final = "referrals.hint"


@dataclass(frozen=True, slots=True)
class Hint:
    """Whose link was followed, and when for the first time."""

    code: str
    followed_at: datetime


def make_hint(*, code: str, now: datetime) -> str:
    """Return the text of a hint; nobody else can make one, or move its time."""
    return signing.dumps([code, int(now.timestamp())], salt=_SALT)


def read_hint(text: str) -> Hint | None:
    """Return the hint that *text* is, or None if it is none of ours."""
    try:
        code, followed_at_s = signing.loads(text, salt=_SALT)
        return Hint(code, datetime.fromtimestamp(followed_at_s, UTC))
    except (signing.BadSignature, ValueError, TypeError):
        return None


def is_fresh(hint: Hint, *, window_days: int, now: datetime) -> bool:
    """Tell whether a sign-up at *now* still counts for the link."""
    return now - hint.followed_at <= timedelta(days=window_days)
