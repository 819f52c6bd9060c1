"""How a client reaches its venue: through which gate, and over whose connections."""

from dataclasses import dataclass
from typing import Final

import aiohttp
from django.conf import settings

from exchanges.adapters import loops
from exchanges.adapters.governor import Caller
from exchanges.adapters.wire import open_session

#: An idle connection is not used again after this long: a venue may be about to close it.
_IDLE_S: Final = 10.0


class SharedConnections:
    """The HTTP session of the loop that this process keeps: many connections, no cookies, nothing of any account."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._generation = 0

    def open(self) -> aiohttp.ClientSession | None:
        """Return the session, or None in any other loop."""
        if not loops.is_running_in_kept():
            return None
        if self._session is None or self._generation != loops.generation():
            self._session = open_session(at_once=settings.VENUE_CONNECTIONS, idle_s=_IDLE_S)
            self._generation = loops.generation()
            loops.when_closed(self._session.close)
        return self._session


_shared: Final = SharedConnections()


@dataclass(frozen=True, slots=True)
class Transport:
    """In whose name a client calls; with *connections* it leaves them open when it is closed, for they are others' too."""

    caller: Caller
    connections: SharedConnections | None = None


def transport_for(caller: Caller, *, is_kept: bool) -> Transport:
    """Return how a client of *caller* calls; *is_kept* if the client outlives its task."""
    return Transport(caller, _shared if is_kept else None)
