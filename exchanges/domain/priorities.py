"""Which calls to a venue go first when there is not room for all of them."""

from enum import IntEnum


class CallPriority(IntEnum):
    """What a call is for; the lower the number, the sooner it goes out."""

    CANCEL = 0
    #: Learning the truth about orders, executions and balances.
    RECONCILE = 1
    #: Orders that only make a position smaller, stops among them.
    EXIT = 2
    ENTRY = 3
    #: Candles, prices and everything else that is wanted now.
    DATA = 4
    #: Candles of long ago.
    BACKFILL = 5
