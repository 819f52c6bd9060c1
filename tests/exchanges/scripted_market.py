"""Public data of a venue that does what a test tells it to."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from exchanges.adapters.protocol import (
    FundingReport,
    InstrumentReport,
    MarkReport,
    TickerReport,
    VenueStatus,
)
from foundation.transactions import refuse_inside_transaction
from market.candles import CandleRow, Candles
from market.errors import VenueError, VenueRejectedError
from market.timeframes import Timeframe


class ScriptedMarket:
    """Serves the bars that it was given, up to its clock; the newest is unfinished, as on a real venue.

    ``page_limit`` is the most it answers at once, ``failures`` are raised first, one a question, and ``hidden`` are
    open times that it does not tell of yet. ``shows_unfinished`` False leaves out the bar of now, as venues do where
    nothing has traded yet. ``questions`` remembers (symbol, since_ms, limit).
    """

    def __init__(self, *, now: datetime, page_limit: int = 1_000) -> None:
        self.now = now
        self.page_limit = page_limit
        self.failures: list[VenueError] = []
        self.hidden: set[int] = set()
        self.shows_unfinished = True
        self.impossible: list[CandleRow] = []
        self.after_question: Callable[[], None] = lambda: None
        self.delay_s = 0.0
        self.ahead = timedelta(0)
        self.reports: list[InstrumentReport] = []
        self.ticker_reports: list[TickerReport] = []
        self.mark_reports: list[MarkReport] = []
        self.funding_reports: list[FundingReport] = []
        self.questions: list[tuple[str, int, int]] = []
        self.closed = 0
        self._bars: dict[tuple[str, Timeframe], dict[int, CandleRow]] = {}

    def give(self, symbol: str, timeframe: Timeframe, candles: Candles) -> None:
        """Have these bars, instead of former ones at the same times."""
        bars = self._bars.setdefault((symbol, timeframe), {})
        bars.update({row[0]: row for row in candles.rows()})

    def clock(self) -> datetime:
        """Return the time that the test has set; ``clock`` of the services."""
        return self.now

    async def server_time(self) -> datetime:
        refuse_inside_transaction("Asking for the time")
        self._fail()
        return self.now + self.ahead

    async def status(self) -> VenueStatus:
        refuse_inside_transaction("Asking for the status")
        self._fail()
        return VenueStatus(is_up=True)

    async def tickers(self, symbols: Sequence[str] | None = None) -> Sequence[TickerReport]:
        refuse_inside_transaction("Asking for tickers")
        self._fail()
        return [r for r in self.ticker_reports if symbols is None or r.symbol in symbols]

    async def marks(self, symbols: Sequence[str] | None = None) -> Sequence[MarkReport]:
        refuse_inside_transaction("Asking for marks")
        self._fail()
        return [r for r in self.mark_reports if symbols is None or r.symbol in symbols]

    async def funding_since(
        self, symbol: str, *, since_ms: int, limit: int
    ) -> Sequence[FundingReport]:
        refuse_inside_transaction("Asking for funding")
        self._fail()
        since = datetime.fromtimestamp(since_ms / 1_000, UTC)
        found = [r for r in self.funding_reports if r.symbol == symbol and r.funded_at >= since]
        return sorted(found, key=lambda report: report.funded_at)[:limit]

    async def instruments(self) -> Sequence[InstrumentReport]:
        refuse_inside_transaction("Asking for instruments")
        self._fail()
        return self.reports

    async def last_price(self, symbol: str) -> Decimal:
        raise VenueRejectedError(f"{symbol} has no price here.")

    async def candles(
        self, symbol: str, timeframe: Timeframe, *, since_ms: int, limit: int
    ) -> Sequence[CandleRow]:
        refuse_inside_transaction("Asking for candles")
        await asyncio.sleep(self.delay_s)
        self.questions.append((symbol, since_ms, limit))
        self._fail()
        if (symbol, timeframe) not in self._bars:
            raise VenueRejectedError(f"{symbol} does not trade here.")
        until_ms = int(self.now.timestamp() * 1_000)
        bars = self._bars[symbol, timeframe]
        told = [at for at in sorted(bars) if since_ms <= at <= until_ms and at not in self.hidden]
        if not self.shows_unfinished:
            told = [at for at in told if timeframe.close_of(at) <= until_ms]
        answer = [bars[at] for at in told[: min(limit, self.page_limit)]]
        self.after_question()
        return [*answer, *(row for row in self.impossible if row[0] >= since_ms)]

    async def close(self) -> None:
        self.closed += 1

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
