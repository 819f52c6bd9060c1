"""Asking a venue for the bars of many feeds at once; nothing here touches the database."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from exchanges.adapters.protocol import MarketData
from exchanges.domain import checks, feeding, merging
from exchanges.domain.feeding import FeedState
from exchanges.domain.gaps import find_gaps
from market.candles import CandleRow, Candles
from market.errors import PlatformError
from market.timeframes import to_milliseconds

logger = logging.getLogger(__name__)

#: Questions to one venue that are under way at the same time.
_CONCURRENCY: Final = 8
#: After this part of a time-out no new question is begun, so that all is over before the lease ends.
_ASKING_IN_TIMEOUTS: Final = 0.75
_GAPS_ASKED_AGAIN: Final = 3


@dataclass(frozen=True, slots=True)
class FeedTask:
    """One feed to be fetched, as its row said when the task began."""

    feed_id: int
    epoch: int
    instrument_id: int
    symbol: str
    state: FeedState


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back for one feed: closed and possible bars, oldest first, or what went wrong.

    ``was_reached`` is False if there was no time left even to begin.
    """

    task: FeedTask
    candles: Candles
    asked_from_ms: int | None
    newest_ms: int
    problem: str = ""
    was_reached: bool = True


@dataclass(frozen=True, slots=True)
class VenueClock:
    """Our clock, and how far the venue's is ahead of it."""

    now: Callable[[], datetime]
    offset_ms: int
    finality_ms: int

    def venue_now_ms(self) -> int:
        """Return the time at the venue."""
        return to_milliseconds(self.now()) + self.offset_ms


async def fetch_feeds(
    market: MarketData, *, tasks: Sequence[FeedTask], clock: VenueClock, timeout_s: float
) -> list[Fetched]:
    """Return one answer per task, in their order, within about two times *timeout_s*.

    The failure of one does not concern the others; what there is no time for is left for the next task.
    """
    gate = asyncio.Semaphore(_CONCURRENCY)
    ask_until_s = asyncio.get_running_loop().time() + _ASKING_IN_TIMEOUTS * timeout_s
    newest = {
        task.state.timeframe: feeding.newest_closed(
            task.state.timeframe, clock.venue_now_ms(), finality_ms=clock.finality_ms
        )
        for task in tasks
    }

    async def fetch(task: FeedTask) -> Fetched:
        newest_ms = newest[task.state.timeframe]
        try:
            async with gate, asyncio.timeout(timeout_s):
                return await _FeedFetch(market, task, newest_ms, ask_until_s).run()
        except PlatformError as error:
            problem = f"{error.code}: {error.message}"
        except TimeoutError:
            problem = "venue_timeout: the exchange did not answer in time"
        except Exception as error:
            # The outermost frame of one feed: its bug must not keep the others from their bars.
            logger.exception("feed.failed", extra={"feed_id": task.feed_id})
            problem = f"internal_error: {type(error).__name__}"
        return Fetched(task, Candles.empty(), None, newest_ms, problem)

    return list(await asyncio.gather(*(fetch(task) for task in tasks)))


class _FeedFetch:
    """The questions of one feed, within its budget of pages."""

    def __init__(
        self, market: MarketData, task: FeedTask, newest_ms: int, ask_until_s: float
    ) -> None:
        self._market = market
        self._task = task
        self._timeframe = task.state.timeframe
        self._newest_ms = newest_ms
        self._ask_until_s = ask_until_s
        self._budget = feeding.PAGES_PER_TASK
        self._bars: dict[int, CandleRow] = {}

    async def run(self) -> Fetched:
        if not self._may_ask():
            return Fetched(self._task, Candles.empty(), None, self._newest_ms, was_reached=False)
        plan = feeding.plan_forward(self._task.state, self._newest_ms)
        await self._ask(plan.since_ms, self._newest_ms)
        await self._ask_gaps_again()
        asked_from_ms = await self._go_back(plan.asked_from_ms)
        return Fetched(self._task, self._candles(), asked_from_ms, self._newest_ms)

    async def _go_back(self, asked_from_ms: int) -> int:
        """Ask for history before *asked_from_ms* while the budget lasts; return how far back that came."""
        while self._may_ask():
            window = feeding.plan_backward(self._task.state, asked_from_ms)
            if window is None:
                break
            from_ms, to_ms = window
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
            self._budget -= 1
            bars = (last_ms - from_ms) // self._timeframe.milliseconds + 2
            rows = await self._market.candles(
                self._task.symbol,
                self._timeframe,
                since_ms=from_ms,
                limit=min(feeding.PAGE_BARS, bars),
            )
            first = rows[0][0] if rows and first is None else first
            self._bars.update({row[0]: row for row in rows if from_ms <= row[0] <= last_ms})
            if not rows or rows[-1][0] < from_ms:
                break
            from_ms = self._timeframe.close_of(rows[-1][0])
        return first, True

    async def _ask_gaps_again(self) -> None:
        """Ask once more for holes: the venue may only have been late with them."""
        gaps = find_gaps(self._candles().open_time, self._timeframe)
        for gap in gaps[-_GAPS_ASKED_AGAIN:]:
            await self._ask(gap.from_ms, self._timeframe.open_of(gap.to_ms - 1))

    def _may_ask(self) -> bool:
        return self._budget > 0 and asyncio.get_running_loop().time() < self._ask_until_s

    def _candles(self) -> Candles:
        """Return the collected bars without the impossible ones, which count as missing."""
        candles = Candles.from_rows([self._bars[at] for at in sorted(self._bars)])
        possible = checks.sound(candles) & checks.on_grid(candles.open_time, self._timeframe)
        if possible.all():
            return candles
        refused = merging.take(candles, ~possible)
        extra: Mapping[str, object] = {
            "feed_id": self._task.feed_id,
            "bars": len(refused),
            "first_open_ms": int(refused.open_time[0]),
        }
        logger.warning("candles.refused", extra=extra)
        return merging.take(candles, possible)
