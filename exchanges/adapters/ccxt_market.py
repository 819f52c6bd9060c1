"""Public data of real venues over HTTP, by way of ccxt; the client of an account builds on it."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

from exchanges.adapters import ccxt, governor, judging, reading
from exchanges.adapters.connections import Transport
from exchanges.adapters.guard import TransactionGuard
from exchanges.adapters.judging import Failure
from exchanges.adapters.packs import pack_of
from exchanges.adapters.protocol import (
    FundingReport,
    InstrumentReport,
    MarkReport,
    TickerReport,
    VenueStatus,
)
from exchanges.adapters.reading import UnreadableError
from exchanges.adapters.wire import CallRecord, Wire, recording
from market.candles import CandleRow
from market.errors import UnsupportedByVenueError, VenueUnavailableError
from market.timeframes import Timeframe, from_milliseconds

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Rules that were read so lately are not read again because an order does not fit them, in seconds.
_RULES_HOLD_S: Final = 10.0


class CcxtMarketData:
    """The public data of one venue.

    Every call refuses to run inside a database transaction. Nothing of ccxt leaves: questions raise VenueError without
    a cause.
    """

    def __init__(
        self,
        *,
        ccxt_id: str,
        api_url: str = "",
        is_sandbox: bool = False,
        timeout_s: float = 8.0,
        transport: Transport | None = None,
    ) -> None:
        """Speak to the address *api_url*, or to the venue's own: that of its practice market if *is_sandbox*.

        Without *transport* it has connections of its own, and is held back by the library's limiter only.
        """
        self._pack = pack_of(ccxt_id)
        sandbox = self._pack.sandbox if is_sandbox else None
        if is_sandbox and sandbox is None:
            raise UnsupportedByVenueError
        own = self._pack.address if sandbox is None else sandbox.address
        self._address = api_url.rstrip("/") or own
        self._timeout_s = timeout_s
        self._guard = TransactionGuard()
        self._loading = asyncio.Lock()
        self._is_ready = False
        self._exchange = ccxt.make_exchange(self._pack, self._address, timeout_s=timeout_s)
        if sandbox is not None:
            self._exchange.headers = dict(sandbox.headers)
        self._wire = self._connect(transport)
        self._exchange.session, self._exchange.own_session = self._wire, False
        self._secrets: tuple[str, ...] = ()

    async def server_time(self) -> datetime:
        """Return the venue's clock."""
        return await self._ask(
            self._exchange.fetch_time,
            lambda at_ms: from_milliseconds(int(at_ms)),
            needs_markets=False,
        )

    async def status(self) -> VenueStatus:
        """Return whether the venue answers; a venue that says that it is closed is not up."""
        try:
            await self.server_time()
        except VenueUnavailableError as error:
            return VenueStatus(is_up=False, message=error.message)
        return VenueStatus(is_up=True)

    async def instruments(self) -> Sequence[InstrumentReport]:
        """Return the rules of every market of the pack's kind, as the venue publishes them now."""
        self._forget_venue()
        return await self._ask(
            self._known_markets, lambda markets: reading.read_instruments(markets, self._pack.kind)
        )

    async def last_price(self, symbol: str) -> Decimal:
        """Return the price of the last trade."""
        return await self._ask(
            lambda: self._exchange.fetch_ticker(symbol),
            lambda ticker: reading.amount_of(ticker["last"]),
        )

    async def tickers(self, symbols: Sequence[str] | None = None) -> Sequence[TickerReport]:
        """Return the prices of these symbols, or of all that trade."""
        wanted = None if symbols is None else list(symbols)
        return await self._ask(
            lambda: self._exchange.fetch_tickers(wanted),
            reading.read_tickers,
        )

    async def marks(self, symbols: Sequence[str] | None = None) -> Sequence[MarkReport]:
        """Return the mark prices of these swaps, or of all."""
        self._require_swaps()
        wanted = None if symbols is None else list(symbols)
        return await self._ask(
            lambda: self._exchange.fetch_funding_rates(wanted),
            reading.read_marks,
        )

    async def funding_since(
        self, symbol: str, *, since_ms: int, limit: int
    ) -> Sequence[FundingReport]:
        """Return up to *limit* settled fundings of a swap from *since_ms* on, oldest first."""
        self._require_swaps()
        return await self._ask(
            lambda: self._exchange.fetch_funding_rate_history(symbol, since_ms, limit),
            lambda rows: [reading.read_funding(row) for row in rows],
        )

    async def candles(
        self, symbol: str, timeframe: Timeframe, *, since_ms: int, limit: int
    ) -> Sequence[CandleRow]:
        """Return up to *limit* bars from *since_ms* on, oldest first; the newest may be unfinished."""
        return await self._ask(
            lambda: self._exchange.fetch_ohlcv(symbol, timeframe.value, since_ms, limit),
            lambda rows: [reading.read_candle(row) for row in rows],
        )

    async def close(self) -> None:
        """End the connections; the client cannot be used afterwards. What is shared stays as it is."""
        await self._wire.close()
        if self._is_shared:
            return
        self._exchange.session = None
        await self._exchange.close()

    def _connect(self, transport: Transport | None) -> Wire:
        self._is_shared = transport is not None and transport.connections is not None
        addresses = ccxt.addresses_of(self._exchange)
        if transport is None:
            return Wire(pack=self._pack, addresses=addresses)
        gate = governor.gate_of(
            self._pack,
            address=self._address,
            call_pause_ms=float(self._exchange.rateLimit),
            caller=transport.caller,
        )
        ccxt.govern(self._exchange, self._pack, gate)
        sessions = None if transport.connections is None else transport.connections.open
        return Wire(pack=self._pack, addresses=addresses, gate=gate, sessions=sessions)

    def _require_swaps(self) -> None:
        if not self._pack.has_swaps:
            raise UnsupportedByVenueError

    # --- one call -------------------------------------------------------------------------------

    async def _ask(
        self,
        operation: Callable[[], Awaitable[Any]],
        read: Callable[[Any], T],
        *,
        needs_markets: bool = True,
        settled: Collection[str] = (),
    ) -> T:
        """Ask one question; what the venue answered must be good, and have the form that its pack knows.

        A no with a code among *settled* is an answer as well; *read* then gets None.
        """
        self._guard.refuse("A question to a venue")
        with recording() as record:
            try:
                async with governor.within(self._timeout_s):
                    if needs_markets:
                        await self._get_ready()
                    answer = await operation()
                require_success(record)
                return read(answer)
            except Exception as error:  # noqa: BLE001  whatever ccxt raises, others see a VenueError
                failure = self._describe(error, record)
        if failure.venue_code in settled:
            return read(None)
        if record.has_noise:
            # One of several answers was no word of the venue, so that they say together that nothing is there.
            failure = replace(failure, venue_code="")
        raise judging.error_of(failure, pack=self._pack)

    def _describe(self, error: Exception, record: CallRecord) -> Failure:
        failure = Failure.of(
            error,
            pack=self._pack,
            started=record.started,
            status=record.status,
            document=record.document(),
        )
        failure = replace(failure, venue_message=self._scrub(failure.venue_message))
        if failure.venue_code in self._pack.codes.clock:
            # The offset is measured with the markets, so reading them again measures it anew.
            self._forget_venue()
        if judging.code_of(failure, pack=self._pack) in judging.OFF_GRID:
            # Its rules are not those that we know; whose are older is seen when they are read again.
            self._forget_venue(older_than_s=_RULES_HOLD_S)
        logger.info(
            "venue.call_failed",
            extra={
                "venue": self._pack.ccxt_id,
                "exception": type(error).__name__,
                "raised_in": _place_of(error),
                "http_status": record.status,
                "venue_code": failure.venue_code,
            },
        )
        return failure

    def _scrub(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "«secret»")
        return text

    # --- markets and clock ----------------------------------------------------------------------

    async def _known_markets(self) -> Sequence[Mapping[str, Any]]:
        return list(self._exchange.markets.values())

    async def _get_ready(self) -> None:
        async with self._loading:
            if not self._is_ready:
                await ccxt.teach(self._exchange, self._pack, self._address)
                if self._exchange.apiKey:
                    await self._pack.dialect.get_ready(self._exchange)
                self._is_ready = True

    def _forget_venue(self, *, older_than_s: float = 0.0) -> None:
        ccxt.forget(self._pack, self._address, older_than_s=older_than_s)
        self._is_ready = False


def require_success(record: CallRecord) -> None:
    """Raise UnreadableError unless every answer was good or the venue's own no, and the last one good.

    ccxt takes an empty page or a stray redirect for an empty list. A question without a request was answered from memory.
    """
    if record.status and (record.has_noise or not record.is_answer):
        raise UnreadableError("unexpected answer")


def _place_of(error: Exception) -> str:
    """Return where *error* was raised: its text may carry a signature, so a log gets only this."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
