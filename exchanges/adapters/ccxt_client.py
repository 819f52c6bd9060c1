"""Real venues over HTTP, by way of ccxt. A client lives in one event loop."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_UP, Decimal
from types import MappingProxyType
from typing import Any, Final, TypeVar

from exchanges.adapters import governor, judging, reading
from exchanges.adapters.ccxt_market import require_success
from exchanges.adapters.ccxt_swaps import CcxtSwaps
from exchanges.adapters.connections import Transport
from exchanges.adapters.credentials import ApiCredential
from exchanges.adapters.filters import keeps_steps
from exchanges.adapters.judging import (
    DUPLICATE,
    WOULD_TRIGGER,
    Failure,
    OrderAbsentError,
    Verdict,
)
from exchanges.adapters.packs.dialect import Sending
from exchanges.adapters.protocol import (
    BalanceReport,
    FillReport,
    KeyPermissions,
    OrderReport,
    OrderRequest,
    Outcome,
    OutcomeKind,
)
from exchanges.adapters.reading import UnreadableError
from exchanges.adapters.refusals import OffStepError, StopPassedError, UnsupportedOrderError
from exchanges.adapters.wire import CallRecord, recording
from foundation.crashpoints import crashpoint
from market.enums import OrderType, Side
from market.errors import UnsupportedByVenueError, VenueError
from market.money import quantize_price
from market.orders import WORKING
from market.timeframes import to_milliseconds

P = TypeVar("P")

_LONGEST_EVIDENCE: Final = 1_000

#: Our order types as ccxt names them: a stop is a market or limit order with a price that wakes it.
_ORDER_TYPES: Final[Mapping[OrderType, str]] = MappingProxyType(
    {
        OrderType.MARKET: "market",
        OrderType.LIMIT: "limit",
        OrderType.STOP_LOSS: "market",
        OrderType.STOP_LOSS_LIMIT: "limit",
    }
)

#: How far above the best offer a purchase may be met where market orders cannot name a quantity.
_HEADROOM: Final = Decimal("0.01")


class CcxtVenueClient(CcxtSwaps):
    """One venue, in the name of one account or (without credential) of nobody.

    Every call refuses to run inside a database transaction. Nothing of ccxt leaves: questions raise VenueError without
    a cause, ``submit`` and ``cancel`` return an outcome, and no text carries a key or a signature.
    """

    def __init__(
        self,
        *,
        ccxt_id: str,
        api_url: str = "",
        credential: ApiCredential | None = None,
        is_sandbox: bool = False,
        timeout_s: float = 8.0,
        transport: Transport | None = None,
    ) -> None:
        super().__init__(
            ccxt_id=ccxt_id,
            api_url=api_url,
            is_sandbox=is_sandbox,
            timeout_s=timeout_s,
            transport=transport,
        )
        if credential is not None:
            if not self._pack.takes_orders:
                raise UnsupportedByVenueError
            self._sign_in(credential)

    async def submit(self, request: OrderRequest, *, timeout_s: float) -> Outcome:
        """Send an order once, and say what is proven about it."""
        outcome = await self._act(
            lambda: self._prepare(request),
            lambda order: self._pack.dialect.create(self._exchange, order),
            lambda order: self._conclude_order(order, request),
            judging.judge_submit,
            timeout_s=timeout_s,
        )
        if outcome.code == DUPLICATE:
            return await self._find_sent(request, outcome)
        if outcome.code == WOULD_TRIGGER and outcome.kind is OutcomeKind.NOT_SENT:
            # The venue's own price says so; whoever asks does not have to try again.
            return replace(outcome, kind=OutcomeKind.REJECTED)
        return outcome

    async def cancel(
        self, *, symbol: str, client_order_id: str, venue_order_id: str, timeout_s: float
    ) -> Outcome:
        """Cancel an order; REJECTED with ``order_not_open`` means that this call changed nothing: look it up.

        DONE without a report means that the venue took the request, and that the order has not ended as far as it tells.
        """

        async def prepare() -> str:
            return self._pack.dialect.id_to_venue(client_order_id) if client_order_id else ""

        outcome = await self._act(
            prepare,
            lambda client_id: self._pack.dialect.cancel(
                self._exchange, symbol, client_id=client_id, venue_order_id=venue_order_id
            ),
            lambda order: self._conclude_cancel(order, symbol, client_order_id, venue_order_id),
            judging.judge_cancel,
            timeout_s=timeout_s,
        )
        if outcome.kind is OutcomeKind.DONE and outcome.report is None and client_order_id:
            return await self._with_end(outcome, symbol, client_order_id, venue_order_id)
        return outcome

    async def find_order(
        self, *, symbol: str, client_order_id: str, is_stop: bool = False
    ) -> OrderReport | None:
        """Return the order, or None only if the venue answered that it does not know it."""

        def read(order: Mapping[str, Any] | None) -> OrderReport | None:
            if order is None:
                return None
            self._require_agreement(order, symbol)
            report = self._read_order(order)
            if (report.client_order_id, report.symbol) != (client_order_id, symbol):
                raise UnreadableError("another order")
            if is_stop and not self._pack.dialect.may_name_stop(report.venue_order_id):
                raise UnreadableError("the stop that sent an order is not told of")
            return report

        async def find() -> Mapping[str, Any] | None:
            dialect = self._pack.dialect
            return await dialect.find(self._exchange, symbol, dialect.id_to_venue(client_order_id))

        try:
            return await self._ask(find, read)
        except OrderAbsentError:
            return None

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return all that still works in *symbol*; a page that may not be all is no answer."""

        def read(orders: Sequence[Mapping[str, Any]]) -> list[OrderReport]:
            if 0 < self._pack.open_orders_page <= len(orders):
                raise UnreadableError("more open orders than fit a page")
            return [self._read_order(order) for order in orders]

        return await self._ask(lambda: self._pack.dialect.open_orders(self._exchange, symbol), read)

    async def fills_since(self, symbol: str, *, since: datetime) -> Sequence[FillReport]:
        """Return all executions of the account in *symbol* since an instant, oldest first, complete."""
        since_ms = to_milliseconds(since)
        return await self._ask(
            lambda: self._pack.dialect.trades(
                self._exchange, self._pack, symbol, since_ms=since_ms
            ),
            lambda trades: [
                reading.read_fill(trade, size=self._size_of(trade["symbol"])) for trade in trades
            ],
        )

    async def balances(self) -> Sequence[BalanceReport]:
        """Return what the account holds, without the currencies of which it holds nothing."""
        return await self._ask(
            lambda: self._pack.dialect.balances(self._exchange),
            lambda balance: list(reading.read_balances(balance)),
        )

    async def key_permissions(self) -> KeyPermissions:
        """Return what the API key may do."""
        return await self._ask(
            lambda: self._pack.dialect.permissions(self._exchange), lambda answer: answer
        )

    # --- orders ---------------------------------------------------------------------------------

    async def _prepare(self, request: OrderRequest) -> Sending:
        """Return the order in the venue's terms; raise for one that is already known to be wrong."""
        can_only_make = request.order_type is OrderType.LIMIT and self._pack.has_post_only
        if request.order_type not in self._pack.order_types or (
            request.post_only and not can_only_make
        ):
            raise UnsupportedOrderError(request.order_type)
        market = self._exchange.market(request.symbol)
        if not keeps_steps(request, reading.read_instrument(market)):
            raise OffStepError(request.symbol)
        type_, price = _ORDER_TYPES[request.order_type], request.price
        parameters: dict[str, Any] = {**self._pack.submit_parameters}
        if request.trigger_price is not None:
            await self._require_stop(request)
        if request.post_only:
            parameters["postOnly"] = True
        is_bought = request.order_type is OrderType.MARKET and request.side is Side.BUY
        if is_bought and self._pack.buys_by_cost:
            type_, price = "limit", await self._price_to_meet(request.symbol)
            parameters["timeInForce"] = "IOC"
        return Sending(
            symbol=request.symbol,
            type=type_,
            side=request.side.value.lower(),
            quantity=f"{request.quantity / reading.contract_size_of(market):f}",
            price=None if price is None else f"{price:f}",
            trigger_price=None if request.trigger_price is None else f"{request.trigger_price:f}",
            reduce_only=request.reduce_only and self._pack.has_swaps,
            client_id=self._pack.dialect.id_to_venue(request.client_order_id),
            parameters=parameters,
        )

    async def _require_stop(self, request: OrderRequest) -> None:
        """Raise for a stop that the venue cannot keep, or that it would keep the wrong way round."""
        if self._pack.buys_by_cost and request.side is Side.BUY:
            # Touched, it would buy for a sum and not a quantity.
            raise UnsupportedOrderError(request.order_type)
        if self._pack.stops_by_last_price and request.trigger_price is not None:
            ticker = await self._exchange.fetch_ticker(request.symbol)
            beyond = reading.amount_of(ticker["last"]) - request.trigger_price
            if (beyond if request.side is Side.SELL else -beyond) <= 0:
                raise StopPassedError(request.symbol)

    async def _price_to_meet(self, symbol: str) -> Decimal:
        """Return a price at which a purchase is surely met at once, on a tick."""
        ticker = await self._exchange.fetch_ticker(symbol)
        asked = reading.amount_of(ticker["ask"] or ticker["last"]) * (1 + _HEADROOM)
        tick = reading.amount_of(self._exchange.market(symbol)["precision"]["price"])
        return quantize_price(asked, tick=tick, rounding=ROUND_UP)

    def _read_order(self, order: Mapping[str, Any]) -> OrderReport:
        report = reading.read_order(order, size=self._size_of(order["symbol"]))
        ours = self._pack.dialect.id_from_venue(report.client_order_id)
        return replace(report, client_order_id=ours)

    def _require_agreement(
        self, order: Mapping[str, Any], symbol: str, *, side: Side | None = None
    ) -> None:
        if reading.contradicts(order, market=self._exchange.market(symbol), side=side):
            raise UnreadableError("the answer is about another order")

    def _size_of(self, symbol: str) -> Decimal:
        return reading.contract_size_of(self._exchange.market(symbol))

    def _conclude_order(self, order: Mapping[str, Any], request: OrderRequest) -> Outcome:
        self._require_agreement(order, request.symbol, side=request.side)
        size, told = self._size_of(request.symbol), order["clientOrderId"]
        ours = None if told is None else self._pack.dialect.id_from_venue(str(told))
        read = {**order, "clientOrderId": ours}
        report = reading.read_acknowledgement(read, request, echoes=self._pack.echoes, size=size)
        if not self._pack.order_id.fullmatch(report.venue_order_id):
            raise UnreadableError("the answer names no order of this venue")
        fills = reading.read_immediate_fills(order) if report.filled_quantity else ()
        return reading.done(report, fills)

    def _conclude_cancel(
        self, order: Mapping[str, Any], symbol: str, client_order_id: str, venue_order_id: str
    ) -> Outcome:
        if not self._pack.cancel_reports:
            return Outcome(OutcomeKind.DONE)
        self._require_agreement(order, symbol)
        report = self._read_order(order)
        told = report.client_order_id if client_order_id else report.venue_order_id
        if (told, report.symbol) != (client_order_id or venue_order_id, symbol):
            raise UnreadableError("the answer is about another order")
        return reading.done(report)

    async def _with_end(
        self, outcome: Outcome, symbol: str, client_order_id: str, venue_order_id: str
    ) -> Outcome:
        """Add how the order ended, if the venue tells already, and not of what a stop has sent."""
        try:
            report = await self.find_order(symbol=symbol, client_order_id=client_order_id)
        except VenueError:
            return outcome
        if report is None or report.status in WORKING:
            return outcome
        return reading.done(report) if venue_order_id in {"", report.venue_order_id} else outcome

    async def _find_sent(self, request: OrderRequest, outcome: Outcome) -> Outcome:
        try:
            report = await self.find_order(
                symbol=request.symbol,
                client_order_id=request.client_order_id,
                is_stop=request.trigger_price is not None,
            )
        except VenueError:
            return outcome
        if report is None or not reading.is_answer_to(report, request):
            return outcome
        return replace(reading.done(report), code=DUPLICATE)

    # --- one call -------------------------------------------------------------------------------

    async def _act(
        self,
        prepare: Callable[[], Awaitable[P]],
        operation: Callable[[P], Awaitable[Any]],
        conclude: Callable[[Any], Outcome],
        judge: Callable[..., Verdict],
        *,
        timeout_s: float,
    ) -> Outcome:
        """Change something at the venue with one request, and return what is proven about it."""
        self._guard.refuse("A call to a venue")
        if not self._pack.takes_orders:
            return Outcome(OutcomeKind.NOT_SENT, code=UnsupportedByVenueError.code)
        deadline = time.monotonic() + timeout_s
        with recording() as record:
            try:
                prepared = await self._ready_to(prepare, timeout_s=timeout_s)
            except Exception as error:  # noqa: BLE001  nothing that changes anything has been sent
                failure = self._describe(error, record)
                code = judging.code_of(failure, pack=self._pack)
                return self._outcome(Verdict(OutcomeKind.NOT_SENT, code), failure, record)
        with recording() as record:
            try:
                async with governor.within(deadline - time.monotonic()):
                    answer = await operation(prepared)
                crashpoint("submission.reply_read")
                require_success(record)
                return conclude(answer)
            except Exception as error:  # noqa: BLE001  the wire, not the exception, says what is proven
                failure = self._describe(error, record)
        return self._outcome(judge(failure, pack=self._pack), failure, record)

    async def _ready_to(self, prepare: Callable[[], Awaitable[P]], *, timeout_s: float) -> P:
        if self._is_ready and not self._pack.buys_by_cost:
            # By far the most orders: nothing is asked, so nothing has to be limited.
            return await prepare()
        async with governor.within(timeout_s):
            await self._get_ready()
            return await prepare()

    def _outcome(self, verdict: Verdict, failure: Failure, record: CallRecord) -> Outcome:
        answer = record.body[: 4 * _LONGEST_EVIDENCE].decode("utf-8", errors="replace")
        return Outcome(
            verdict.kind,
            code=verdict.code,
            message=failure.venue_message,
            evidence={
                "wire_started": failure.started,
                "http_status": record.status,
                "venue_code": failure.venue_code,
                "retry_after": record.retry_after,
                "answer": self._scrub(answer)[:_LONGEST_EVIDENCE],
            },
        )

    def _sign_in(self, credential: ApiCredential) -> None:
        self._exchange.apiKey = credential.api_key.reveal()
        self._exchange.secret = credential.secret.reveal()
        if credential.passphrase is not None:
            self._exchange.password = credential.passphrase.reveal()
        values = (self._exchange.apiKey, self._exchange.secret, self._exchange.password)
        self._secrets = tuple(value for value in values if value)
