"""A venue that lives in this process and misbehaves on request; tests of trading run against it.

It keeps the same contract as the real clients. All clients of one venue share its book, as all workers share an
exchange, and a worker that dies takes nothing of it along.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from exchanges.adapters.filters import find_objection
from exchanges.adapters.guard import TransactionGuard
from exchanges.adapters.memory_book import Book, MemoryOrder
from exchanges.adapters.memory_faults import NO_FAULT, CancelFault, SubmitFault, unanswered
from exchanges.adapters.protocol import (
    BalanceReport,
    FillReport,
    FundingPaymentReport,
    FundingReport,
    InstrumentReport,
    KeyPermissions,
    MarkReport,
    OrderReport,
    OrderRequest,
    Outcome,
    OutcomeKind,
    PositionReport,
    TickerReport,
    VenueStatus,
)
from market.candles import CandleRow
from market.enums import MarginMode
from market.errors import VenueError
from market.timeframes import Timeframe, from_milliseconds

_BITCOIN: Final = InstrumentReport(
    symbol="BTC/USDT",
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.01"),
    lot_step=Decimal("0.00001"),
    minimum_quantity=Decimal("0.00001"),
    minimum_notional=Decimal(5),
    is_active=True,
)


class InMemoryVenue:
    """The exchange itself: lists BTC/USDT at 40,000 with 100,000 USDT for each account, unless told otherwise."""

    def __init__(
        self,
        *,
        instruments: Sequence[InstrumentReport] = (_BITCOIN,),
        price: Decimal = Decimal(40_000),
        deposits: dict[str, Decimal] | None = None,
    ) -> None:
        self.book = Book(clock=self._now)
        for instrument in instruments:
            self.book.instruments[instrument.symbol] = instrument
            self.book.prices[instrument.symbol] = price
        self.permissions = KeyPermissions(can_read=True, can_trade=True, can_withdraw=False)
        self.status = VenueStatus(is_up=True)
        #: What the venue takes for the time.
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        #: Why leverage and margin mode cannot be set; empty while they can.
        self.refused_settings = ""
        #: Every execution is reported twice while this is set.
        self.reports_fills_twice = False
        self.candle_rows: dict[tuple[str, Timeframe], list[CandleRow]] = {}
        self._deposits = {"USDT": Decimal(100_000)} if deposits is None else deposits
        self._accounts: set[str] = set()
        self._submit_faults: deque[SubmitFault] = deque()
        self._cancel_faults: deque[CancelFault] = deque()
        self._read_faults: deque[VenueError] = deque()

    def _now(self) -> datetime:
        return self.clock()

    @property
    def orders(self) -> list[MemoryOrder]:
        """Every order that the venue ever took, oldest first."""
        return self.book.orders

    def client(self, account: str = "account") -> "InMemoryVenueClient":
        """Return a client of one account, which gets its deposits when first seen."""
        if account not in self._accounts:
            self._accounts.add(account)
            for currency, amount in self._deposits.items():
                self.book.deposit(account, currency, amount)
        return InMemoryVenueClient(self, account)

    def next_submit(
        self,
        *,
        times_out: bool = False,
        but_is_accepted: bool = False,
        is_not_sent: bool = False,
        rejects_with: str = "",
        hidden_for: int = 0,
        fills_late: bool = False,
        parts: int = 1,
    ) -> None:
        """Program the next submit that has no program yet.

        ``times_out``: no answer; the order is lost on the way unless it ``but_is_accepted``. ``is_not_sent``: the
        connection is refused. ``rejects_with``: the venue's no, or why it was not sent. ``hidden_for``: so many
        look-ups do not find it. ``fills_late``: it fills at ``settle`` only. ``parts``: in so many executions.
        """
        self._submit_faults.append(
            SubmitFault(
                times_out=times_out,
                but_is_accepted=but_is_accepted,
                is_not_sent=is_not_sent,
                rejects_with=rejects_with,
                hidden_for=hidden_for,
                fills_late=fills_late,
                parts=parts,
            )
        )

    def next_cancel(
        self, *, times_out: bool = False, but_is_canceled: bool = False, rejects_with: str = ""
    ) -> None:
        """Program the next cancellation that has no program yet."""
        self._cancel_faults.append(CancelFault(times_out, but_is_canceled, rejects_with))

    def next_question(self, *, raises: VenueError) -> None:
        """Let the next question fail with this error."""
        self._read_faults.append(raises)

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the price; stops that are touched and limits that are reached fill at it."""
        self.book.move_price(symbol, price)

    def fill(
        self, client_order_id: str, *, quantity: Decimal, price: Decimal | None = None
    ) -> FillReport:
        """Fill a part of a working order, whatever the price is."""
        order = self.find(client_order_id)
        if order is None:
            raise LookupError(client_order_id)
        at = price or self.book.prices[order.request.symbol]
        return self.book.fill(order, quantity=quantity, price=at)

    def settle(self) -> None:
        """Fill what should have filled already."""
        for order in self.book.orders:
            if order.is_working:
                self.book.match(order)

    def find(self, client_order_id: str) -> MemoryOrder | None:
        """Return the newest order of that client id, hidden or not."""
        mine = [o for o in self.book.orders if o.request.client_order_id == client_order_id]
        return mine[-1] if mine else None

    def take_submit_fault(self) -> SubmitFault:
        """Return the program of a submit, using it up."""
        return self._submit_faults.popleft() if self._submit_faults else NO_FAULT

    def take_cancel_fault(self) -> CancelFault:
        """Return the program of a cancellation, using it up."""
        if self._cancel_faults:
            return self._cancel_faults.popleft()
        return CancelFault(times_out=False, but_is_canceled=False, rejects_with="")

    def raise_read_fault(self) -> None:
        """Raise the programmed error of a question, using it up."""
        if self._read_faults:
            raise self._read_faults.popleft()


class InMemoryVenueClient:
    """One account's connection to an :class:`InMemoryVenue`."""

    def __init__(self, venue: InMemoryVenue, account: str) -> None:
        self._venue = venue
        self._account = account
        self._guard = TransactionGuard()

    async def server_time(self) -> datetime:
        """Return the venue's clock."""
        self._before_question()
        return self._venue.clock()

    async def status(self) -> VenueStatus:
        """Return the status that the test has set."""
        self._before_question()
        return self._venue.status

    async def instruments(self) -> Sequence[InstrumentReport]:
        """Return what is listed."""
        self._before_question()
        return list(self._venue.book.instruments.values())

    async def last_price(self, symbol: str) -> Decimal:
        """Return the price that was set last."""
        self._before_question()
        if symbol not in self._venue.book.prices:
            raise VenueError("The exchange does not list this market.")
        return self._venue.book.prices[symbol]

    async def tickers(self, symbols: Sequence[str] | None = None) -> Sequence[TickerReport]:
        """Return the prices that were set last; there is no spread, and nobody counts what trades."""
        self._before_question()
        at, prices = self._venue.clock(), self._venue.book.prices
        return [
            TickerReport(symbol, price, price, price, None, at)
            for symbol, price in prices.items()
            if symbols is None or symbol in symbols
        ]

    async def marks(self, symbols: Sequence[str] | None = None) -> Sequence[MarkReport]:
        """Return the marks that the test has set."""
        self._before_question()
        marks = self._venue.book.swaps.marks.values()
        return [mark for mark in marks if symbols is None or mark.symbol in symbols]

    async def funding_since(
        self, symbol: str, *, since_ms: int, limit: int
    ) -> Sequence[FundingReport]:
        """Return the fundings that the test has set, oldest first."""
        self._before_question()
        since = from_milliseconds(since_ms)
        fundings = self._venue.book.swaps.fundings
        found = [each for each in fundings if each.symbol == symbol and each.funded_at >= since]
        return sorted(found, key=lambda each: each.funded_at)[:limit]

    async def candles(
        self, symbol: str, timeframe: Timeframe, *, since_ms: int, limit: int
    ) -> Sequence[CandleRow]:
        """Return the bars that the test has put into ``candle_rows``."""
        self._before_question()
        rows = self._venue.candle_rows.get((symbol, timeframe), [])
        return [row for row in rows if row[0] >= since_ms][:limit]

    async def submit(self, request: OrderRequest, *, timeout_s: float) -> Outcome:
        """Take the order, or do what was programmed."""
        self._guard.refuse("Sending an order")
        book, fault = self._venue.book, self._venue.take_submit_fault()
        refusal = self._refusal(request, fault)
        if refusal is not None:
            return refusal
        if fault.times_out and not fault.but_is_accepted:
            return unanswered()
        known = self._venue.find(request.client_order_id)
        if known is not None and known.is_working:
            return Outcome(OutcomeKind.DONE, known.report(), code="duplicate_order_id")
        order = book.place(self._account, request)
        order.hidden_for = fault.hidden_for
        before = len(book.fills)
        if not fault.fills_late:
            book.match(order, parts=fault.parts)
        if fault.times_out:
            return unanswered()
        fills = tuple(fill for _, fill in book.fills[before:])
        return Outcome(OutcomeKind.DONE, order.report(), fills)

    async def cancel(
        self, *, symbol: str, client_order_id: str, venue_order_id: str, timeout_s: float
    ) -> Outcome:
        """Cancel the order, or do what was programmed."""
        self._guard.refuse("Canceling an order")
        fault = self._venue.take_cancel_fault()
        if fault.rejects_with:
            return Outcome(OutcomeKind.REJECTED, code=fault.rejects_with)
        if fault.times_out and not fault.but_is_canceled:
            return unanswered()
        order = self._mine(symbol, client_order_id, venue_order_id)
        if order is None or not order.is_working:
            return Outcome(OutcomeKind.REJECTED, code="order_not_open")
        self._venue.book.cancel(order)
        return unanswered() if fault.times_out else Outcome(OutcomeKind.DONE, order.report())

    async def find_order(
        self, *, symbol: str, client_order_id: str, is_stop: bool = False
    ) -> OrderReport | None:
        """Return the order unless it is hidden."""
        self._before_question()
        order = self._mine(symbol, client_order_id, "")
        if order is None or self._is_hidden(order):
            return None
        return order.report()

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return what still works and is not hidden."""
        self._before_question()
        mine = [o for o in self._venue.orders if self._owns(o, symbol) and o.is_working]
        return [order.report() for order in mine if not self._is_hidden(order)]

    async def fills_since(self, symbol: str, *, since: datetime) -> Sequence[FillReport]:
        """Return the account's executions, oldest first; each twice if that was asked for."""
        self._before_question()
        mine = [
            fill
            for account, fill in self._venue.book.fills
            if account == self._account and fill.symbol == symbol and fill.venue_at >= since
        ]
        times = 2 if self._venue.reports_fills_twice else 1
        return [fill for fill in mine for _ in range(times)]

    async def balances(self) -> Sequence[BalanceReport]:
        """Return what the account holds."""
        self._before_question()
        return self._venue.book.balances(self._account)

    async def key_permissions(self) -> KeyPermissions:
        """Return the permissions that the venue was given."""
        self._before_question()
        return self._venue.permissions

    async def positions(self) -> Sequence[PositionReport]:
        """Return what the account's executions of swaps have come to."""
        self._before_question()
        book = self._venue.book
        return book.swaps.positions(self._account, prices=book.prices, now=self._venue.clock())

    async def funding_payments_since(self, since: datetime) -> Sequence[FundingPaymentReport]:
        """Return the payments that the test has set for the account, oldest first."""
        self._before_question()
        payments = self._venue.book.swaps.payments[self._account]
        return [each for each in payments if each.paid_at >= since]

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Lock that much less for later orders."""
        self._before_setting()
        self._venue.book.swaps.leverages[self._account, symbol] = leverage

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Remember the mode."""
        self._before_setting()
        self._venue.book.swaps.margin_modes[self._account, symbol] = mode

    async def arm_dead_man(self, *, timeout_s: int) -> None:
        """Remember it in ``dead_men``; a test lets it strike by canceling."""
        self._before_question()
        self._venue.book.swaps.dead_men[self._account] = timeout_s

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    def _before_setting(self) -> None:
        self._before_question()
        if self._venue.refused_settings:
            raise VenueError(self._venue.refused_settings)

    def _before_question(self) -> None:
        self._guard.refuse("A question to a venue")
        self._venue.raise_read_fault()

    def _refusal(self, request: OrderRequest, fault: SubmitFault) -> Outcome | None:
        book = self._venue.book
        if fault.is_not_sent:
            code = fault.rejects_with or "venue_unavailable"
            return Outcome(OutcomeKind.NOT_SENT, code=code)
        price = book.prices.get(request.symbol, Decimal(0))
        objection = find_objection(request, book.instruments.get(request.symbol), price=price)
        if objection is not None:
            return objection.outcome()
        code = fault.rejects_with
        if not code and book.would_trigger_at_once(request):
            code = "would_trigger_at_once"
        if not code and book.would_open_although_reducing(self._account, request):
            code = "reduce_only_refused"
        if not code and not book.covers(self._account, request):
            code = "insufficient_balance"
        return Outcome(OutcomeKind.REJECTED, code=code) if code else None

    def _owns(self, order: MemoryOrder, symbol: str) -> bool:
        return order.account == self._account and order.request.symbol == symbol

    def _mine(self, symbol: str, client_order_id: str, venue_order_id: str) -> MemoryOrder | None:
        found = [
            order
            for order in self._venue.orders
            if self._owns(order, symbol)
            and (
                order.request.client_order_id == client_order_id
                if client_order_id
                else order.venue_order_id == venue_order_id
            )
        ]
        return found[-1] if found else None

    def _is_hidden(self, order: MemoryOrder) -> bool:
        if order.hidden_for <= 0:
            return False
        order.hidden_for -= 1
        return True


_venues: dict[str, InMemoryVenue] = {}


def get_venue(code: str) -> InMemoryVenue:
    """Return this process's venue of that code, making it on first use."""
    return _venues.setdefault(code, InMemoryVenue())


def use_venue(code: str, venue: InMemoryVenue) -> None:
    """Let everything in this process that speaks to the venue of that code speak to *venue*."""
    _venues[code] = venue


def forget_venues() -> None:
    """Forget all venues; tests do this between one another."""
    _venues.clear()
