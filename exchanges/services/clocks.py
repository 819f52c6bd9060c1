"""How far the clocks of the venues are ahead of ours."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from exchanges.adapters import factory, loops
from exchanges.adapters.protocol import MarketData
from exchanges.models import FeedHold, Venue
from foundation.transactions import transactional
from market.errors import VenueError

logger = logging.getLogger(__name__)

#: A slower answer says too little about when it was given.
_SLOWEST_ANSWER: Final = timedelta(seconds=2)

Clock = Callable[[], datetime]


def measure_clocks(
    *, clock: Clock, market_of: Callable[[Venue], MarketData] = factory.market_data
) -> int:
    """Ask every venue whose candles somebody needs for its time; return how many answered usefully."""
    held = FeedHold.objects.values("feed__instrument__venue")
    venues = list(Venue.objects.filter(is_active=True, pk__in=held).exclude(ccxt_id=""))
    offsets = loops.run(_ask_all([(venue, market_of(venue)) for venue in venues], clock))
    for venue, offset in zip(venues, offsets, strict=True):
        if offset is not None:
            _record_offset(venue_id=venue.pk, offset=offset, now=clock())
    return sum(offset is not None for offset in offsets)


async def _ask_all(
    venues: Sequence[tuple[Venue, MarketData]], clock: Clock
) -> list[timedelta | None]:
    async def ask(venue: Venue, market: MarketData) -> timedelta | None:
        try:
            asked_at = clock()
            venue_at = await market.server_time()
            answered_at = clock()
        except VenueError as error:
            logger.warning("venue.clock_unknown", extra={"venue": venue.code, "reason": error.code})
            return None
        finally:
            await market.close()
        if answered_at - asked_at > _SLOWEST_ANSWER:
            return None
        return venue_at - (asked_at + (answered_at - asked_at) / 2)

    return list(await asyncio.gather(*(ask(venue, market) for venue, market in venues)))


@transactional
def _record_offset(*, venue_id: int, offset: timedelta, now: datetime) -> None:
    Venue.objects.filter(pk=venue_id).update(
        clock_offset_ms=offset // timedelta(milliseconds=1), clock_measured_at=now
    )
