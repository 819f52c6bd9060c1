"""The clients that a worker process keeps from task to task: making one, and opening its key, is the dear part."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings

from exchanges.adapters import loops

if TYPE_CHECKING:
    from exchanges.adapters.ccxt_client import CcxtVenueClient

#: A client, and with it an opened key, is kept for at most this long; whoever looks comes by every few seconds, so no
#: key outlives five minutes.
LONGEST_S: Final = 280.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose client it is: an account with one version of its credential, at one address."""

    account: UUID
    version: int
    address: str


@dataclass(frozen=True, slots=True)
class _Kept:
    client: "CcxtVenueClient"
    holder: Holder
    generation: int
    opened_s: float


class ClientPool:
    """At most ``settings.VENUE_CLIENTS`` clients, the longest unused one goes first.

    A client is given out again only for the very account, credential version and address that it was made for, and only in
    the loop in which it lives.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[UUID, _Kept] = OrderedDict()
        # What has expired is dropped by a thread of its own as well: a process that has nothing to do holds no keys.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, holder: Holder, make: "Callable[[], CcxtVenueClient]") -> "CcxtVenueClient":
        """Return the client of *holder*, made by *make* if there is none."""
        oldest_s = self._clock() - LONGEST_S
        with self._lock:
            found = self._kept.get(holder.account)
            if found is not None and found.opened_s <= oldest_s:
                del self._kept[holder.account]
                found = None
        if found is None or (found.holder, found.generation) != (holder, loops.generation()):
            found = _Kept(make(), holder, loops.generation(), self._clock())
        with self._lock:
            self._kept[holder.account] = found
            self._kept.move_to_end(holder.account)
            while len(self._kept) > settings.VENUE_CLIENTS:
                self._kept.popitem(last=False)
        return found.client

    def forget(self, account: UUID) -> None:
        """Drop the client of an account, and with it its key."""
        with self._lock:
            self._kept.pop(account, None)

    def forget_expired(self) -> None:
        """Drop what has been kept for too long."""
        oldest_s = self._clock() - LONGEST_S
        with self._lock:
            for account in [each for each, kept in self._kept.items() if kept.opened_s <= oldest_s]:
                del self._kept[account]
