"""History that a person asks for: stored as a request, fetched by workers a few seconds at a time."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, cast

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest, Least, Now

from exchanges.adapters import factory
from exchanges.adapters.protocol import MarketData
from exchanges.models import UNFINISHED, FetchStatus, HistoryFetch, Instrument, Venue
from exchanges.selectors import instruments
from exchanges.selectors.accounts import Owner
from exchanges.services import backfill
from exchanges.services.backfill import Backfill
from exchanges.services.feeds import VenueOfflineError
from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue, enqueue_on_commit
from foundation.transactions import transactional
from market.errors import InvalidInputError, PlatformError, UnprocessableError
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds

logger = logging.getLogger(__name__)

#: More than a year of one-minute bars; more is fetched by an operator's command.
MOST_BARS: Final = 600_000
#: How many fetches of one person may be under way.
MOST_UNFINISHED: Final = 5
#: A worker goes on with other things after this long, so that new bars are never kept waiting.
_SLICE_S: Final = 5.0
_MOST_ATTEMPTS: Final = 3
_SWEPT_AT_ONCE: Final = 50

Clock = Callable[[], datetime]
MarketOf = Callable[[Venue], MarketData]


class TooMuchHistoryError(UnprocessableError):
    """More bars than one request may ask for."""

    code = "too_much_history"

    def __init__(self, bars: int, timeframe: Timeframe) -> None:
        super().__init__(
            f"That is {bars:,} bars of {timeframe}, at most {MOST_BARS:,} are fetched at once. Choose a "
            "later start or a longer timeframe."
        )


class TooManyFetchesError(UnprocessableError):
    """The person has too many fetches under way."""

    code = "too_many_fetches"

    def __init__(self) -> None:
        super().__init__(f"{MOST_UNFINISHED} of your fetches are under way. Let one finish.")


class WindowInvertedError(InvalidInputError):
    """The window ends before it begins, or begins in the future."""

    code = "range_inverted"

    def __init__(self) -> None:
        super().__init__("The start must lie before the end, and in the past.")


@transactional
def request_fetch(
    *,
    owner: Owner,
    instrument_id: int,
    timeframe: Timeframe,
    from_at: datetime,
    to_at: datetime,
    by: Actor,
    now: datetime,
) -> HistoryFetch:
    """Have the candles ``[from_at, to_at)`` of a series fetched; one that is under way is widened.

    Raises VenueOfflineError, WindowInvertedError, TooMuchHistoryError or TooManyFetchesError.
    """
    instrument = Instrument.objects.select_related("venue").get(pk=instrument_id)
    if not instruments.can_be_asked(instrument):
        raise VenueOfflineError(instrument.venue)
    to_at = min(to_at, now)
    if from_at >= to_at:
        raise WindowInvertedError
    window_ms = to_milliseconds(to_at) - to_milliseconds(from_at)
    bars = window_ms // timeframe.milliseconds
    if bars > MOST_BARS:
        raise TooMuchHistoryError(bars, timeframe)
    key = {"instrument_id": instrument_id, "timeframe": timeframe.value}
    try:
        with transaction.atomic():
            fetch = HistoryFetch.objects.create(
                **key,
                requested_by_id=cast(int, owner.pk),
                from_at=from_at,
                to_at=to_at,
                requested_at=now,
                lease_until=now + _message_time(),
            )
    except IntegrityError:
        under_way = HistoryFetch.objects.filter(**key, status__in=UNFINISHED)
        under_way.update(from_at=Least("from_at", from_at), to_at=Greatest("to_at", to_at))
        return under_way.get()
    mine = HistoryFetch.objects.filter(requested_by_id=owner.pk, status__in=UNFINISHED)
    if mine.count() > MOST_UNFINISHED:
        raise TooManyFetchesError
    audit.record(actor=by, verb="history.requested", target=fetch, owner_id=owner.pk)
    enqueue_on_commit("exchanges.fetch_history", fetch_id=fetch.pk)
    return fetch


def run_fetch(*, fetch_id: int, clock: Clock, market_of: MarketOf = factory.market_data) -> None:
    """Fetch for some seconds, and send for another worker if that was not all.

    Does nothing for a fetch that is over or that another worker has. What was stored stays whatever
    happens, and the next worker asks only for what is missing.
    """
    fetch = _claim(fetch_id=fetch_id, now=clock())
    if fetch is None:
        return
    until_s = time.monotonic() + _SLICE_S
    added_before = fetch.added
    try:
        done = backfill.fetch_missing(
            instrument=fetch.instrument,
            timeframe=Timeframe(fetch.timeframe),
            from_ms=to_milliseconds(fetch.from_at),
            to_ms=to_milliseconds(fetch.to_at),
            clock=clock,
            market_of=market_of,
            on_progress=lambda done: _note_progress(fetch, done, added_before),
            should_stop=lambda: time.monotonic() > until_s,
        )
    except PlatformError as error:
        _put_off_or_fail(fetch, error, now=clock())
        return
    if not _finish(fetch, done, now=clock()):
        enqueue("exchanges.fetch_history", fetch_id=fetch_id)


@transactional
def sweep_fetches(*, now: datetime) -> int:
    """Send again for fetches whose message or worker was lost; return how many there were."""
    overdue = list(
        HistoryFetch.objects.select_for_update(skip_locked=True)
        .filter(status__in=UNFINISHED, lease_until__lt=now)
        .order_by("pk")[:_SWEPT_AT_ONCE]
    )
    for fetch in overdue:
        HistoryFetch.objects.filter(pk=fetch.pk).update(
            status=FetchStatus.QUEUED, lease_until=now + _message_time()
        )
        enqueue_on_commit("exchanges.fetch_history", fetch_id=fetch.pk)
    return len(overdue)


@transactional
def _claim(*, fetch_id: int, now: datetime) -> HistoryFetch | None:
    claimed = HistoryFetch.objects.filter(pk=fetch_id, status=FetchStatus.QUEUED).update(
        status=FetchStatus.RUNNING, epoch=F("epoch") + 1, lease_until=now + _message_time()
    )
    if not claimed:
        return None
    return HistoryFetch.objects.select_related("instrument__venue").get(pk=fetch_id)


def _mine(fetch: HistoryFetch) -> QuerySet[HistoryFetch]:
    """Return the fetch as long as nobody else has claimed it."""
    return HistoryFetch.objects.filter(pk=fetch.pk, epoch=fetch.epoch, status=FetchStatus.RUNNING)


@transactional
def _note_progress(fetch: HistoryFetch, done: Backfill, added_before: int) -> None:
    _mine(fetch).update(
        reached_at=from_milliseconds(done.reached_ms),
        added=added_before + done.added,
        attempts=0,
        lease_until=Now() + _message_time(),
    )


@transactional
def _finish(fetch: HistoryFetch, done: Backfill, *, now: datetime) -> bool:
    """End the fetch if all was asked for that anybody wants by now; tell whether it is over for this worker."""
    mine = _mine(fetch)
    if done.is_over:
        ended = mine.filter(from_at=fetch.from_at, to_at=fetch.to_at).update(
            status=FetchStatus.DONE,
            reached_at=from_milliseconds(done.reached_ms),
            finished_at=now,
            lease_until=None,
        )
        if ended:
            return True
    return not mine.update(status=FetchStatus.QUEUED, lease_until=now + _message_time())


@transactional
def _put_off_or_fail(fetch: HistoryFetch, error: PlatformError, *, now: datetime) -> None:
    logger.info("history.failed", extra={"fetch_id": fetch.pk, "code": error.code})
    mine = _mine(fetch)
    told = {"error_code": error.code, "error_message": error.message[:300]}
    attempts = mine.values_list("attempts", flat=True).first()
    if attempts is not None and attempts + 1 >= _MOST_ATTEMPTS:
        mine.update(status=FetchStatus.FAILED, finished_at=now, lease_until=None, **told)
        return
    # The sweeper sends for the next worker when this lease is over.
    mine.update(
        status=FetchStatus.QUEUED,
        attempts=F("attempts") + 1,
        lease_until=now + _message_time(),
        **told,
    )


def _message_time() -> timedelta:
    return timedelta(seconds=settings.HORIZONS.lease_s)
