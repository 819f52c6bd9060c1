"""Real venues over HTTP, by way of ccxt. A client lives for one task and one event loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters import judging, reading
from exchanges.adapters.ccxt_market import CcxtMarketData, require_success
from exchanges.adapters.credentials import ApiCredential
from exchanges.adapters.filters import keeps_steps
from exchanges.adapters.judging import DUPLICATE, Failure, OrderAbsentError, Verdict
from exchanges.adapters.protocol import (
    BalanceReport,
    FillReport,
    KeyPermissions,
    OrderReport,
    OrderRequest,
    Outcome,
    OutcomeKind,
    PositionReport,
)
from exchanges.adapters.reading import UnreadableError
from exchanges.adapters.trade_pages import read_all_trades
from exchanges.adapters.wire import CallRecord, recording
from market.enums import MarginMode, OrderType
from market.errors import UnsupportedByVenueError, VenueError
from market.timeframes import to_milliseconds

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


class OffStepError(ValueError):
    """An amount that does not lie on the venue's steps; ccxt would silently cut it."""


class CcxtVenueClient(CcxtMarketData):
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
        timeout_s: float = 8.0,
    ) -> None:
        super().__init__(ccxt_id=ccxt_id, api_url=api_url, timeout_s=timeout_s)
        if credential is not None:
            self._sign_in(credential)

    async def submit(self, request: OrderRequest, *, timeout_s: float) -> Outcome:
        """Send an order once, and say what is proven about it."""
        outcome = await self._act(
            lambda: self._prepare_order(request),
            lambda order: self._conclude_order(order, request),
            judging.judge_submit,
            timeout_s=timeout_s,
        )
        if outcome.code == DUPLICATE:
            return await self._find_sent(request, outcome)
        return outcome

    async def cancel(
        self, *, symbol: str, client_order_id: str, venue_order_id: str, timeout_s: float
    ) -> Outcome:
        """Cancel an order; REJECTED with ``order_not_open`` means that this call changed nothing: look it up."""
        parameters = {"clientOrderId": client_order_id} if client_order_id else {}
        return await self._act(
            lambda: self._exchange.cancel_order(venue_order_id, symbol, parameters),
            lambda order: self._conclude_cancel(order, symbol, client_order_id, venue_order_id),
            judging.judge_cancel,
            timeout_s=timeout_s,
        )

    async def find_order(self, *, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return the order, or None only if the venue answered that it does not know it."""

        def read(order: Mapping[str, Any]) -> OrderReport:
            report = reading.read_order(order)
            if (report.client_order_id, report.symbol) != (client_order_id, symbol):
                raise UnreadableError("another order")
            return report

        try:
            return await self._ask(
                lambda: self._exchange.fetch_order("", symbol, {"clientOrderId": client_order_id}),
                read,
            )
        except OrderAbsentError:
            return None

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return what still works in *symbol*."""
        return await self._ask(
            lambda: self._exchange.fetch_open_orders(symbol),
            lambda orders: [reading.read_order(order) for order in orders],
            expects=list,
        )

    async def fills_since(self, symbol: str, *, since: datetime) -> Sequence[FillReport]:
        """Return all executions of the account in *symbol* since an instant, oldest first, complete."""
        since_ms = to_milliseconds(since)
        return await self._ask(
            lambda: read_all_trades(self._exchange, self._pack, symbol, since_ms=since_ms),
            lambda trades: [reading.read_fill(trade) for trade in trades],
            expects=list,
        )

    async def balances(self) -> Sequence[BalanceReport]:
        """Return what the account holds, without the currencies of which it holds nothing."""
        return await self._ask(
            self._exchange.fetch_balance,
            lambda balance: list(reading.read_balances(balance)),
        )

    async def key_permissions(self) -> KeyPermissions:
        """Return what the API key may do."""
        return await self._ask(
            getattr(self._exchange, self._pack.permissions_call),
            reading.read_permissions,
        )

    async def positions(self) -> Sequence[PositionReport]:
        """Return nothing: at a spot venue everything that is held is a balance."""
        return ()

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Refuse: a spot venue lends nothing."""
        raise UnsupportedByVenueError

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Refuse, see ``set_leverage``."""
        raise UnsupportedByVenueError

    async def arm_dead_man(self, *, timeout_s: int) -> None:
        """Refuse: Binance has no such switch for spot orders."""
        raise UnsupportedByVenueError

    # --- orders ---------------------------------------------------------------------------------

    async def _prepare_order(self, request: OrderRequest) -> Any:
        rules = reading.read_instrument(self._exchange.market(request.symbol))
        if not keeps_steps(request, rules):
            raise OffStepError(request.symbol)
        parameters: dict[str, str] = dict(self._pack.submit_parameters)
        parameters["clientOrderId"] = request.client_order_id
        if request.trigger_price is not None:
            parameters["stopLossPrice"] = f"{request.trigger_price:f}"
        return await self._exchange.create_order(
            request.symbol,
            _ORDER_TYPES[request.order_type],
            request.side.value.lower(),
            f"{request.quantity:f}",
            None if request.price is None else f"{request.price:f}",
            parameters,
        )

    def _conclude_order(self, order: Mapping[str, Any], request: OrderRequest) -> Outcome:
        report = reading.read_order(order)
        is_ours = reading.is_answer_to(report, request)
        if not is_ours or not self._pack.order_id.fullmatch(report.venue_order_id):
            raise UnreadableError("the answer is about another order")
        fills = reading.read_immediate_fills(order)
        return Outcome(OutcomeKind.DONE, report, fills, evidence=_evidence_of(report))

    def _conclude_cancel(
        self, order: Mapping[str, Any], symbol: str, client_order_id: str, venue_order_id: str
    ) -> Outcome:
        report = reading.read_order(order)
        if client_order_id:
            is_ours = report.client_order_id == client_order_id
        else:
            is_ours = report.venue_order_id == venue_order_id
        if not is_ours or report.symbol != symbol:
            raise UnreadableError("the answer is about another order")
        return Outcome(OutcomeKind.DONE, report, evidence=_evidence_of(report))

    async def _find_sent(self, request: OrderRequest, outcome: Outcome) -> Outcome:
        try:
            report = await self.find_order(
                symbol=request.symbol, client_order_id=request.client_order_id
            )
        except VenueError:
            return outcome
        if report is None or not reading.is_answer_to(report, request):
            return outcome
        return Outcome(OutcomeKind.DONE, report, code=DUPLICATE, evidence=_evidence_of(report))

    # --- one call -------------------------------------------------------------------------------

    async def _act(
        self,
        operation: Callable[[], Awaitable[Any]],
        conclude: Callable[[Any], Outcome],
        judge: Callable[..., Verdict],
        *,
        timeout_s: float,
    ) -> Outcome:
        """Change something at the venue with one request, and return what is proven about it."""
        self._guard.refuse("A call to a venue")
        deadline = time.monotonic() + timeout_s
        with recording() as record:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._get_ready()
            except Exception as error:  # noqa: BLE001  nothing that changes anything has been sent
                failure = self._describe(error, record)
                code = judging.code_of(failure, pack=self._pack)
                return self._outcome(Verdict(OutcomeKind.NOT_SENT, code), failure, record)
        with recording() as record:
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    answer = await operation()
                require_success(record, expects=dict)
                return conclude(answer)
            except Exception as error:  # noqa: BLE001  the wire, not the exception, says what is proven
                failure = self._describe(error, record)
        return self._outcome(judge(failure, pack=self._pack), failure, record)

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


def _evidence_of(report: OrderReport) -> Mapping[str, Any]:
    return {"venue_order_id": report.venue_order_id, "status": report.status.value}
