"""Keyless accounts: orders are checked and accepted here, and filled by trading from closed bars.

The venue has no memory. What an account holds, which orders work and what filled are rows of trading, so questions
about them are answered with nothing; prices, bars and rules come from the real venue's public data.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from exchanges.adapters.filters import find_objection
from exchanges.adapters.guard import TransactionGuard
from exchanges.adapters.protocol import (
    BalanceReport,
    FillReport,
    FundingPaymentReport,
    FundingReport,
    InstrumentReport,
    KeyPermissions,
    MarketData,
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
from market.enums import MarginMode, OrderStatus, OrderType
from market.errors import UnsupportedByVenueError, VenueError
from market.timeframes import Timeframe


class PaperVenueClient:
    """A venue that accepts every order that the real one's rules would accept."""

    def __init__(self, *, rules: Mapping[str, InstrumentReport], market_data: MarketData) -> None:
        """Check orders against *rules*, by symbol; ask *market_data* for everything public."""
        self._rules = rules
        self._market_data = market_data
        self._guard = TransactionGuard()

    async def server_time(self) -> datetime:
        """Return the real venue's clock."""
        return await self._market_data.server_time()

    async def status(self) -> VenueStatus:
        """Return whether the real venue is up: without its prices nothing fills here."""
        return await self._market_data.status()

    async def instruments(self) -> Sequence[InstrumentReport]:
        """Return the rules that orders are checked against."""
        return list(self._rules.values())

    async def last_price(self, symbol: str) -> Decimal:
        """Return the real venue's last price."""
        return await self._market_data.last_price(symbol)

    async def tickers(self, symbols: Sequence[str] | None = None) -> Sequence[TickerReport]:
        """Return the real venue's prices."""
        return await self._market_data.tickers(symbols)

    async def marks(self, symbols: Sequence[str] | None = None) -> Sequence[MarkReport]:
        """Return the real venue's mark prices."""
        return await self._market_data.marks(symbols)

    async def funding_since(
        self, symbol: str, *, since_ms: int, limit: int
    ) -> Sequence[FundingReport]:
        """Return the real venue's fundings."""
        return await self._market_data.funding_since(symbol, since_ms=since_ms, limit=limit)

    async def candles(
        self, symbol: str, timeframe: Timeframe, *, since_ms: int, limit: int
    ) -> Sequence[CandleRow]:
        """Return the real venue's bars."""
        return await self._market_data.candles(symbol, timeframe, since_ms=since_ms, limit=limit)

    async def submit(self, request: OrderRequest, *, timeout_s: float) -> Outcome:
        """Accept the order, or refuse it for a rule of the instrument.

        The answer to the same order is the same each time. A market order is valued at the price that it was decided at,
        and one that may not take is compared with it, so nobody has to be asked. Only where it names none the last price
        is; if that cannot be learnt, the order counts as not sent.
        """
        self._guard.refuse("Sending an order")
        price = request.decided_price or Decimal(0)
        needs_price = request.order_type is OrderType.MARKET or request.post_only
        if needs_price and not price and request.symbol in self._rules:
            try:
                price = await self._market_data.last_price(request.symbol)
            except VenueError as error:
                return Outcome(OutcomeKind.NOT_SENT, code=error.code, message=error.message)
        objection = find_objection(request, self._rules.get(request.symbol), price=price)
        if objection is not None:
            return objection.outcome()
        report = OrderReport(
            client_order_id=request.client_order_id,
            venue_order_id=f"paper-{request.client_order_id}",
            symbol=request.symbol,
            side=request.side,
            status=OrderStatus.ACCEPTED,
            quantity=request.quantity,
            filled_quantity=Decimal(0),
            average_price=None,
            venue_at=datetime.now(UTC),
        )
        return Outcome(OutcomeKind.DONE, report)

    async def cancel(
        self, *, symbol: str, client_order_id: str, venue_order_id: str, timeout_s: float
    ) -> Outcome:
        """Agree, without a report: only trading knows how much of the order has filled."""
        self._guard.refuse("Canceling an order")
        return Outcome(OutcomeKind.DONE)

    async def find_order(
        self, *, symbol: str, client_order_id: str, is_stop: bool = False
    ) -> OrderReport | None:
        """Return None: an order is where trading keeps it, or nowhere."""
        return None

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return nothing."""
        return ()

    async def fills_since(self, symbol: str, *, since: datetime) -> Sequence[FillReport]:
        """Return nothing."""
        return ()

    async def balances(self) -> Sequence[BalanceReport]:
        """Return nothing: each deployment has a wallet of its own."""
        return ()

    async def key_permissions(self) -> KeyPermissions:
        """Return that trading is possible and nothing can leave."""
        return KeyPermissions(can_read=True, can_trade=True, can_withdraw=False)

    async def positions(self) -> Sequence[PositionReport]:
        """Return nothing: positions are rows of trading."""
        return ()

    async def funding_payments_since(self, since: datetime) -> Sequence[FundingPaymentReport]:
        """Return nothing: a wallet of paper is charged no funding."""
        return ()

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Agree: a wallet of paper answers for its positions by itself."""

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Agree, see ``set_leverage``."""

    async def arm_dead_man(self, *, timeout_s: int) -> None:
        """Refuse: orders of paper work only while the platform does."""
        raise UnsupportedByVenueError

    async def close(self) -> None:
        """End the connections of the market data."""
        await self._market_data.close()
