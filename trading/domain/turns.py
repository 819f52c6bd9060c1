"""Who goes first when many accounts enter at the close of one bar.

Whoever is first buys a little cheaper than whoever is last, so nobody may always be first. At each
bar every account has a place between 0 and 1: one that is drawn for it each day, moved on from bar
to bar by the golden ratio. Over any few bars an account's places then lie about evenly between 0 and
1 (Kronecker's sequence of that ratio has the least discrepancy of all), and nobody can know tomorrow's.
"""

import hashlib
from datetime import datetime
from typing import Final

_GOLDEN: Final = 0.6180339887498949
_STEPS: Final = 2**53


def turn_of(*, account: str, bar_close_at: datetime, timeframe_s: int, salt: str) -> float:
    """Return the place of *account* in the queue at a bar, in ``[0, 1)``: the lower, the sooner.

    The same arguments give the same place. *salt* is what others do not know of this installation.
    """
    day = f"{bar_close_at:%Y-%m-%d}"
    digest = hashlib.sha256(f"turn|{salt}|{day}|{account}".encode()).digest()
    drawn = int.from_bytes(digest[:8], "big") % _STEPS / _STEPS
    bars = int(bar_close_at.timestamp()) // timeframe_s
    return (drawn + bars * _GOLDEN) % 1.0
