"""Asking a venue for the bars of many feeds at once; nothing here touches the database."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from exchanges.adapters.governor import CallPriority, calling_as
from exchanges.adapters.protocol import MarketData
from exchanges.domain import checks, feeding, merging
from exchanges.domain.feeding import FeedState
from exchanges.domain.gaps import find_gaps
from market.candles import CandleRow, Candles
from market.errors import PlatformError
from market.timeframes import to_milliseconds

logger = logging.getLogger(__name__)

#: Questions to one venue that are under way at the same time.
_CONCURRENCY: Final = 16
#: After this part of a time-out no new question is begun, so that all is over before the lease ends.
_ASKING_IN_TIMEOUTS: Final = 0.75
_GAPS_ASKED_AGAIN: Final = 3
#: Of a doubtful newest bar: itself, and the one that would show that it is over.
_DOUBTFUL_BARS: Final = 2


@dataclass(frozen=True, slots=True)
class FeedTask:
    """One feed to be fetched, as its row said when the task began."""

    feed_id: int
    epoch: int
    instrument_id: int
    symbol: str
    state: FeedState


@dataclass(frozen=True, slots=True)
class RefusedBar:
    """A bar that cannot be, and the code of what is wrong with it."""

    row: CandleRow
    code: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back for one feed: final and possible bars, oldest first, or what went wrong.

    ``was_reached`` is False if there was no time left even to begin.
    """

    task: FeedTask
    candles: Candles
    asked_from_ms: int | None
    newest_ms: int
    problem: str = ""
    was_reached: bool = True
    refused: tuple[RefusedBar, ...] = ()


@dataclass(frozen=True, slots=True)
class VenueClock:
    """Our clock, how far the venue's is ahead of it, and how long a bar may change after its close."""

    now: Callable[[], datetime]
    offset_ms: int
    finality_ms: int

    def venue_now_ms(self) -> int:
        """Return the time at the venue."""
        return to_milliseconds(self.now()) + self.offset_ms


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a question may take, and how far apart a doubtful bar is read twice; seconds."""

    timeout_s: float
    reread_s: float


async def fetch_feeds(
    market: MarketData, *, tasks: Sequence[FeedTask], clock: VenueClock, patience: Patience
) -> list[Fetched]:
    """Return one answer per task, in their order, within about two time-outs.

    The failure of one does not concern the others; what there is no time for is left for the next task.
    """
    asking = _Asking(market, clock, patience)

    async def fetch(task: FeedTask) -> Fetched:
        feed = _FeedFetch(asking, task)
        try:
            return await feed.run()
        except PlatformError as error:
            problem = f"{error.code}: {error.message}"
        except TimeoutError:
            problem = "venue_timeout: the exchange did not answer in time"
        except Exception as error:
            # The outermost frame of one feed: its bug must not keep the others from their bars.
            logger.exception("feed.failed", extra={"feed_id": task.feed_id})
            problem = f"internal_error: {type(error).__name__}"
        return Fetched(task, Candles.empty(), None, feed.newest_ms, problem)

    return list(await asyncio.gather(*(fetch(task) for task in tasks)))


class _Asking:
    """The questions of one task to one venue: so many at once, and none after its time."""

    def __init__(self, market: MarketData, clock: VenueClock, patience: Patience) -> None:
        self._market = market
        self._gate = asyncio.Semaphore(_CONCURRENCY)
        self._timeout_s = patience.timeout_s
        self._until_s = asyncio.get_running_loop().time() + _ASKING_IN_TIMEOUTS * self._timeout_s
        self.clock = clock
        self.reread_s = patience.reread_s

    def is_time_left(self) -> bool:
        return asyncio.get_running_loop().time() < self._until_s

    async def bars(
        self, task: FeedTask, *, since_ms: int, limit: int
    ) -> Sequence[CandleRow] | None:
        """Return the venue's answer, or None if its turn came too late to ask."""
        async with self._gate:
            if not self.is_time_left():
                return None
            async with asyncio.timeout(self._timeout_s):
                return await self._market.candles(
                    task.symbol, task.state.timeframe, since_ms=since_ms, limit=limit
                )


class _FeedFetch:
    """The questions of one feed, within its budget of pages."""

    def __init__(self, asking: _Asking, task: FeedTask) -> None:
        self._asking = asking
        self._task = task
        self._timeframe = task.state.timeframe
        self._venue_now_ms = asking.clock.venue_now_ms()
        self._budget = feeding.PAGES_PER_TASK
        self._bars: dict[int, CandleRow] = {}
        self._strange: dict[int, CandleRow] = {}
        self._told_ms: int | None = None
        self.newest_ms = feeding.newest_closed(
            self._timeframe, self._venue_now_ms, finality_ms=asking.clock.finality_ms
        )

    async def run(self) -> Fetched:
        plan = feeding.plan_forward(self._task.state, self.newest_ms)
        await self._ask(plan.since_ms, self.newest_ms)
        if self._budget == feeding.PAGES_PER_TASK and plan.since_ms <= self.newest_ms:
            return Fetched(self._task, Candles.empty(), None, self.newest_ms, was_reached=False)
        await self._make_sure_of_newest()
        await self._ask_gaps_again()
        asked_from_ms = await self._go_back(plan.asked_from_ms)
        candles, refused = self._judged()
        return Fetched(self._task, candles, asked_from_ms, self.newest_ms, refused=refused)

    async def _go_back(self, asked_from_ms: int) -> int:
        """Ask for history before *asked_from_ms* while the budget lasts; return how far back that came."""
        while self._may_ask():
            window = feeding.plan_backward(self._task.state, asked_from_ms)
            if window is None:
                break
            from_ms, to_ms = window
            with calling_as(CallPriority.BACKFILL):
                first, is_whole = await self._ask(from_ms, self._timeframe.open_of(to_ms - 1))
            if not is_whole:
                break
            # A venue answers with the first bars it has: if those lie later, there is no earlier history.
            begins_later = first is not None and first >= to_ms
            asked_from_ms = self._task.state.wanted_from_ms if begins_later else from_ms
        return asked_from_ms

    async def _ask(self, from_ms: int, last_ms: int) -> tuple[int | None, bool]:
        """Collect the bars that open in ``[from_ms, last_ms]``.

        Return the open time of the first bar of the answer, and whether the whole span was asked for.
        """
        first: int | None = None
        while from_ms <= last_ms:
            if not self._may_ask():
                return first, False
            bars = (last_ms - from_ms) // self._timeframe.milliseconds + 2
            rows = await self._asking.bars(
                self._task, since_ms=from_ms, limit=min(feeding.PAGE_BARS, bars)
            )
            if rows is None:
                return first, False
            self._budget -= 1
            first = rows[0][0] if rows and first is None else first
            told_ms = self._collect(rows, from_ms, last_ms)
            if told_ms is None or told_ms < from_ms:
                break
            from_ms = self._timeframe.close_of(told_ms)
        return first, True

    def _collect(self, rows: Sequence[CandleRow], from_ms: int, last_ms: int) -> int | None:
        """Keep what was asked for and what cannot be yet; return up to where the answer went."""
        self._bars.update({row[0]: row for row in rows if from_ms <= row[0] <= last_ms})
        future_ms = self._venue_now_ms + self._timeframe.milliseconds
        self._strange.update({row[0]: row for row in rows if row[0] > future_ms})
        told_ms = max((row[0] for row in rows if row[0] <= future_ms), default=None)
        if told_ms is not None:
            self._told_ms = max(told_ms, self._told_ms or told_ms)
        return told_ms

    async def _make_sure_of_newest(self) -> None:
        """Keep a newest bar that no newer one follows only if it stays the same for a moment."""
        newest = max(self._bars, default=None)
        known = self._task.state.last_open_ms
        if newest is None or (known is not None and newest <= known):
            return
        if self._told_ms is not None and self._told_ms > newest:
            return
        before = self._bars.pop(newest)
        await asyncio.sleep(self._asking.reread_s)
        rows = await self._asking.bars(self._task, since_ms=newest, limit=_DOUBTFUL_BARS)
        again = {row[0]: row for row in rows or ()}
        if again.get(newest) == before or (newest in again and max(again) > newest):
            self._bars[newest] = again[newest]

    async def _ask_gaps_again(self) -> None:
        """Ask once more for holes: the venue may only have been late with them."""
        candles, _ = self._judged()
        gaps = find_gaps(candles.open_time, self._timeframe)
        for gap in gaps[-_GAPS_ASKED_AGAIN:]:
            await self._ask(gap.from_ms, self._timeframe.open_of(gap.to_ms - 1))

    def _may_ask(self) -> bool:
        return self._budget > 0 and self._asking.is_time_left()

    def _judged(self) -> tuple[Candles, tuple[RefusedBar, ...]]:
        """Return the collected bars without the impossible ones, and those: they count as missing."""
        candles = Candles.from_rows([self._bars[at] for at in sorted(self._bars)])
        possible = checks.sound(candles) & checks.on_grid(candles.open_time, self._timeframe)
        refused = [RefusedBar(row, "in_future") for row in self._strange.values()]
        if not possible.all():
            bad = merging.take(candles, ~possible)
            problems, _ = checks.row_problems(bad, self._timeframe, now_ms=self._venue_now_ms)
            rows = bad.rows()
            refused += [RefusedBar(rows[problem.index], problem.code) for problem in problems]
            candles = merging.take(candles, possible)
        return candles, tuple(refused)
