"""History of one series from its venue into the store: only what is missing, page by page, as often as one likes."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np
from django.conf import settings

from exchanges.adapters import factory, loops
from exchanges.adapters.governor import CallPriority, calling_as
from exchanges.adapters.protocol import MarketData
from exchanges.domain import checks, feeding, merging
from exchanges.domain.gaps import find_gaps
from exchanges.models import Instrument, Venue
from exchanges.selectors import held
from exchanges.services import candles as candle_store
from exchanges.services import quarantine, repair
from exchanges.services.fetching import RefusedBar
from exchanges.services.ingest import finality_ms
from foundation.transactions import transactional
from market.candles import CandleRow, Candles
from market.errors import VenueError, VenueRejectedError, VenueTimeoutError
from market.timeframes import Timeframe, to_milliseconds

logger = logging.getLogger(__name__)

#: Pages between two writes; what a stopped process has not written yet is asked for again.
PAGES_AT_ONCE: Final = 5
#: A question that fails is put again so often, after growing pauses.
_MOST_TRIES: Final = 5
#: How often a question waits in vain for its turn, and the code of that.
_MOST_WAITS: Final = 100
_NO_TURN: Final = "rate_limited"
#: What the first pass leaves open is asked for once more: two denials confirm a hole.
_PASSES: Final = 2

Clock = Callable[[], datetime]
MarketOf = Callable[[Venue], MarketData]


@dataclass(frozen=True, slots=True)
class Backfill:
    """How far a fetch has come: everything that opens before ``reached_ms`` has been asked for in this pass.

    ``is_over`` tells that nothing is left to ask; ``confirmed`` counts holes that the venue itself has.
    """

    reached_ms: int
    added: int = 0
    refused: int = 0
    confirmed: int = 0
    questions: int = 0
    is_over: bool = False


def fetch_missing(
    *,
    instrument: Instrument,
    timeframe: Timeframe,
    from_ms: int,
    to_ms: int,
    clock: Clock,
    market_of: MarketOf = factory.market_data,
    on_progress: Callable[[Backfill], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Backfill:
    """Fetch the final bars that open in ``[from_ms, to_ms)`` and are not stored; return what came of it.

    Bars that are there are not asked for, so a fetch that was stopped goes on where it was. *instrument*
    comes with its venue. Raises VenueError if the venue fails repeatedly; what was stored stays.
    """
    offset_ms = instrument.venue.clock_offset_ms
    newest_ms = feeding.newest_closed(
        timeframe, to_milliseconds(clock()) + offset_ms, finality_ms=finality_ms(timeframe)
    )
    window = (timeframe.open_of(from_ms), min(to_ms, timeframe.close_of(newest_ms)))
    done = Backfill(window[0])
    for _ in range(_PASSES):
        spans = held.missing_spans(
            instrument_id=instrument.pk, timeframe=timeframe, from_ms=window[0], to_ms=window[1]
        )
        for span in spans:
            at_ms = span[0]
            while at_ms < span[1]:
                if should_stop is not None and should_stop():
                    return done
                pages = _ask_pages(instrument, timeframe, (at_ms, span[1]), market_of)
                done = _store(instrument, timeframe, pages, done, now=clock())
                at_ms = pages.next_ms
                if on_progress is not None:
                    on_progress(done)
    return replace(done, reached_ms=window[1], is_over=True)


@dataclass(frozen=True, slots=True)
class _Pages:
    """What a venue answered: bars of the span, holes that it passed over, and where to go on."""

    rows: Sequence[CandleRow]
    passed_over: Sequence[tuple[int, int]]
    next_ms: int
    questions: int


def _ask_pages(
    instrument: Instrument, timeframe: Timeframe, span: tuple[int, int], market_of: MarketOf
) -> _Pages:
    with calling_as(CallPriority.BACKFILL):
        return loops.run(_ask(market_of(instrument.venue), instrument.symbol, timeframe, span))


async def _ask(
    market: MarketData, symbol: str, timeframe: Timeframe, span: tuple[int, int]
) -> _Pages:
    at_ms, end_ms = span
    found: list[CandleRow] = []
    passed_over: list[tuple[int, int]] = []
    questions = 0
    try:
        while at_ms < end_ms and questions < PAGES_AT_ONCE:
            bars = (end_ms - at_ms) // timeframe.milliseconds + 1
            page = await _ask_patiently(
                market, symbol, timeframe, at_ms, limit=min(bars, feeding.PAGE_BARS)
            )
            questions += 1
            later = [row for row in page if row[0] >= at_ms]
            later.sort()
            if not later:
                return _Pages(found, passed_over, end_ms, questions)
            times = np.array([row[0] for row in later], dtype=np.int64)
            if times[0] > at_ms:
                passed_over.append((at_ms, min(int(times[0]), end_ms)))
            passed_over += [(gap.from_ms, gap.to_ms) for gap in find_gaps(times, timeframe)]
            found += [row for row in later if row[0] < end_ms]
            at_ms = timeframe.close_of(int(times[-1]))
    finally:
        await market.close()
    return _Pages(found, passed_over, min(at_ms, end_ms), questions)


async def _ask_patiently(
    market: MarketData, symbol: str, timeframe: Timeframe, since_ms: int, *, limit: int
) -> Sequence[CandleRow]:
    failures = waits = 0
    while True:
        try:
            async with asyncio.timeout(settings.HORIZONS.venue_timeout_s):
                return await market.candles(symbol, timeframe, since_ms=since_ms, limit=limit)
        except (VenueError, TimeoutError) as error:
            # Everything that trades goes first, so waiting for a turn is no failure.
            is_waiting = getattr(error, "code", "") == _NO_TURN
            waits, failures = waits + is_waiting, failures + (not is_waiting)
            # A question that the venue refuses is refused again.
            is_final = isinstance(error, VenueRejectedError)
            if is_final or failures >= _MOST_TRIES or waits >= _MOST_WAITS:
                raise _as_venue_error(error) from None
            pause_s = feeding.retry_delay_s(failures or 1, jitter=random.random())  # noqa: S311  spreads calls
            logger.info("history.tried_again", extra={"symbol": symbol, "pause_s": pause_s})
        await asyncio.sleep(pause_s)


def _as_venue_error(error: Exception) -> VenueError:
    if isinstance(error, VenueError):
        return error
    return VenueTimeoutError("The exchange did not answer in time.")


@transactional
def _store(
    instrument: Instrument, timeframe: Timeframe, pages: _Pages, before: Backfill, *, now: datetime
) -> Backfill:
    rows = {row[0]: row for row in pages.rows}
    candles = Candles.from_rows([rows[at] for at in sorted(rows)])
    possible = checks.sound(candles) & checks.on_grid(candles.open_time, timeframe)
    bad = merging.take(candles, ~possible)
    problems, _ = checks.row_problems(bad, timeframe, now_ms=to_milliseconds(now))
    bad_rows = bad.rows()
    quarantine.keep(
        instrument_id=instrument.pk,
        timeframe=timeframe,
        refused=[RefusedBar(bad_rows[each.index], each.code) for each in problems],
        now=now,
    )
    good = merging.take(candles, possible)
    added = 0
    if len(good):
        stored = candle_store.merge_into_chunks(
            instrument_id=instrument.pk, timeframe=timeframe, candles=good
        )
        added = stored.added
    confirmed = sum(
        repair.note_denied(
            instrument_id=instrument.pk,
            timeframe=timeframe,
            from_ms=from_ms,
            to_ms=to_ms,
            now=now,
        )
        for from_ms, to_ms in pages.passed_over
    )
    return Backfill(
        reached_ms=pages.next_ms,
        added=before.added + added,
        refused=before.refused + len(bad_rows),
        confirmed=before.confirmed + confirmed,
        questions=before.questions + pages.questions,
    )
