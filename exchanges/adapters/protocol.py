"""What trading and candle feeds need from a venue.

Quantities are base units and prices quote currency, always Decimal. Implementations: ``ccxt`` (real HTTP), ``paper``
(accepts, fills come from recorded bars), ``memory`` (in process, with programmable faults); all pass the same tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from market.candles import CandleRow
from market.enums import InstrumentKind, Liquidity, MarginMode, OrderStatus, OrderType, Side
from market.timeframes import Timeframe


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One instruction, exactly as it goes to the venue; its amounts already lie on the venue's steps.

    A limit order that is ``post_only`` never takes: if it would meet an order that rests, it is refused or ends unfilled.
    ``decided_price`` is what it was decided at; no venue is told of it, paper values the order by it.
    """

    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    post_only: bool = False
    decided_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What a venue says of one order; ``status`` is one that a venue can know."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    status: OrderStatus
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    venue_at: datetime


@dataclass(frozen=True, slots=True)
class FillReport:
    """What a venue says of one execution; ``fee`` is in ``fee_currency``."""

    venue_trade_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    venue_at: datetime


class OutcomeKind(StrEnum):
    """What is proven about a call that changes something at a venue."""

    DONE = "DONE"
    REJECTED = "REJECTED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a submit or a cancel.

    DONE carries the report (and the fills, where the venue's answer names them); REJECTED is a structured no of the venue;
    NOT_SENT means that nothing reached the wire; everything else is UNKNOWN, whatever the exception was called.
    ``evidence`` is what gets stored with the transition: scrubbed, small, JSON-safe.
    """

    kind: OutcomeKind
    report: OrderReport | None = None
    fills: tuple[FillReport, ...] = ()
    code: str = ""
    message: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BalanceReport:
    """What an account holds of one currency."""

    currency: str
    free: Decimal
    used: Decimal


@dataclass(frozen=True, slots=True)
class KeyPermissions:
    """What an API key may do; None where the venue does not tell."""

    can_read: bool
    can_trade: bool
    can_withdraw: bool | None


@dataclass(frozen=True, slots=True)
class InstrumentReport:
    """The trading rules of an instrument as the venue publishes them."""

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_step: Decimal
    minimum_quantity: Decimal
    minimum_notional: Decimal
    is_active: bool
    kind: InstrumentKind = InstrumentKind.SPOT
    settle: str = ""
    contract_size: Decimal = Decimal(1)
    listed_at: datetime | None = None
    delists_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TickerReport:
    """The prices of now and what traded in a day; ``quote_volume`` is in quote, None where the venue does not tell."""

    symbol: str
    last: Decimal
    bid: Decimal | None
    ask: Decimal | None
    quote_volume: Decimal | None
    venue_at: datetime


@dataclass(frozen=True, slots=True)
class MarkReport:
    """What a swap is worth to its venue, and the funding that is due next; ``funding_rate`` is a fraction."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal | None
    funding_rate: Decimal | None
    next_funding_at: datetime | None
    venue_at: datetime


@dataclass(frozen=True, slots=True)
class FundingReport:
    """A funding that was settled: longs paid shorts ``rate`` of the notional (the other way if negative)."""

    symbol: str
    rate: Decimal
    funded_at: datetime


@dataclass(frozen=True, slots=True)
class FundingPaymentReport:
    """What a funding cost an account (negative), or brought it, for a position; ids are the venue's for this account."""

    venue_payment_id: str
    symbol: str
    amount: Decimal
    currency: str
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class PositionReport:
    """What an account holds of a swap; ``quantity`` is in base units and negative when short."""

    symbol: str
    quantity: Decimal
    average_price: Decimal
    mark_price: Decimal | None
    unrealized_pnl: Decimal
    leverage: Decimal | None
    liquidation_price: Decimal | None
    margin_mode: MarginMode | None
    venue_at: datetime


@dataclass(frozen=True, slots=True)
class VenueStatus:
    """Whether a venue takes orders now; ``message`` is its own reason if it does not."""

    is_up: bool
    message: str = ""


class MarketData(Protocol):
    """Public calls: no key needed. Every method raises VenueError of ``market.errors`` and never anything of ccxt.

    What a venue does not have (marks of a spot market) raises UnsupportedByVenueError.
    """

    async def server_time(self) -> datetime: ...

    async def status(self) -> VenueStatus: ...

    async def instruments(self) -> Sequence[InstrumentReport]: ...

    async def last_price(self, symbol: str) -> Decimal: ...

    async def tickers(self, symbols: Sequence[str] | None = None) -> Sequence[TickerReport]:
        """Return the prices of these symbols, or of all that trade."""
        ...

    async def marks(self, symbols: Sequence[str] | None = None) -> Sequence[MarkReport]:
        """Return the mark prices of these swaps, or of all."""
        ...

    async def funding_since(
        self, symbol: str, *, since_ms: int, limit: int
    ) -> Sequence[FundingReport]:
        """Return up to *limit* settled fundings of a swap from *since_ms* on, oldest first."""
        ...

    async def candles(
        self, symbol: str, timeframe: Timeframe, *, since_ms: int, limit: int
    ) -> Sequence[CandleRow]:
        """Return bars from *since_ms* on, oldest first; the newest may be unfinished."""
        ...

    async def close(self) -> None: ...


class VenueClient(MarketData, Protocol):
    """Calls in the name of one account.

    ``submit`` and ``cancel`` never raise for what the venue or the network does: the outcome says what is proven.
    The others raise VenueError.
    """

    async def submit(self, request: OrderRequest, *, timeout_s: float) -> Outcome: ...

    async def cancel(
        self, *, symbol: str, client_order_id: str, venue_order_id: str, timeout_s: float
    ) -> Outcome: ...

    async def find_order(
        self, *, symbol: str, client_order_id: str, is_stop: bool = False
    ) -> OrderReport | None:
        """Return the order, or None only if the venue answered that it does not know it.

        ``is_stop`` says that it was sent as a stop: what that stop may have sent under the same id is never returned
        under another number than the stop's own.
        """
        ...

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return everything that rests in *symbol*; a list that may not be complete raises."""
        ...

    async def fills_since(self, symbol: str, *, since: datetime) -> Sequence[FillReport]:
        """Return all executions of the account in *symbol* since an instant, oldest first, complete."""
        ...

    async def balances(self) -> Sequence[BalanceReport]: ...

    async def key_permissions(self) -> KeyPermissions: ...

    async def positions(self) -> Sequence[PositionReport]:
        """Return the swaps that the account holds, without flat ones; nothing at a spot venue."""
        ...

    async def funding_payments_since(self, since: datetime) -> Sequence[FundingPaymentReport]:
        """Return what fundings of all swaps took and brought since an instant, oldest first, complete.

        Nothing at a spot venue.
        """
        ...

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of later orders in *symbol*."""
        ...

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Set how positions in *symbol* are margined; asking for what is set already is no error."""
        ...

    async def arm_dead_man(self, *, timeout_s: int) -> None:
        """Let the venue cancel all open orders unless this is called again within *timeout_s*; 0 disarms."""
        ...
