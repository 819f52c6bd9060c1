"""When keys are tested again, and when a venue's refusals count."""

from datetime import datetime, timedelta
from hashlib import blake2s
from typing import Final

#: A venue may refuse a good key once, when its clock or its servers are out of step; not so often in a row.
REFUSALS_IN_A_ROW: Final = 3

#: The code of an account whose venue does not tell what its key may do, until its owner does.
DECLARATION_NEEDED: Final = "declaration_needed"

#: After a refusal of a key that worked it is tested again this soon, and this late if the venue gave no answer.
AFTER_REFUSAL: Final = timedelta(minutes=2)
AFTER_SILENCE: Final = timedelta(minutes=15)

_DAY: Final = timedelta(days=1)
#: So near after a test its daily turn is left out.
_SHORTEST: Final = timedelta(hours=12)


def next_daily_test(*, now: datetime, key: str) -> datetime:
    """Return the next turn of the account with that *key*: each has its second of the day, all spread over it.

    It is 12 to 36 hours after *now*.
    """
    offset_s = int.from_bytes(blake2s(key.encode(), digest_size=8).digest()) % int(
        _DAY.total_seconds()
    )
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    turn = midnight + timedelta(seconds=offset_s)
    while turn < now + _SHORTEST:
        turn += _DAY
    return turn
