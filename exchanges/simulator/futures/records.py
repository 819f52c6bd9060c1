"""Orders, stops, executions, positions and incomes of the futures, as the simulator keeps them.

Quantities are in base units, prices and amounts in the quote (and settle) currency, instants in
milliseconds; a price or number of 0 means none.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from market.enums import Side

TAKER_RATE: Final = Decimal("0.0005")
MAKER_RATE: Final = Decimal("0.0002")
TAKER_BPS: Final = 5.0
MAKER_BPS: Final = 2.0

#: The largest leverage that can be asked for, and the one of a market that nobody has touched.
HIGHEST_LEVERAGE: Final = 125
FIRST_LEVERAGE: Final = 20


class FuturesKind(StrEnum):
    """The order types, by their names in the API; all but the first two wait for a trigger."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"

    @property
    def has_limit(self) -> bool:
        """Whether the order names the worst price that it accepts."""
        return self in {FuturesKind.LIMIT, FuturesKind.STOP, FuturesKind.TAKE_PROFIT}

    @property
    def waits(self) -> bool:
        """Whether the order sleeps until its trigger price is touched."""
        return self not in {FuturesKind.LIMIT, FuturesKind.MARKET}

    @property
    def takes_profit(self) -> bool:
        """Whether the trigger lies on the winning side of the price."""
        return self in {FuturesKind.TAKE_PROFIT, FuturesKind.TAKE_PROFIT_MARKET}


class FuturesTimeInForce(StrEnum):
    """How long a limit order may wait; GTX may only make."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class FuturesStatus(StrEnum):
    """Where an order stands, by the names in the API."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_open(self) -> bool:
        """Whether the order may still fill."""
        return self in {FuturesStatus.NEW, FuturesStatus.PARTIALLY_FILLED}


class StopStatus(StrEnum):
    """Where a conditional order stands: FINISHED once the order that it sent has ended."""

    NEW = "NEW"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


class WorkingType(StrEnum):
    """Which price a trigger watches."""

    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


class IncomeKind(StrEnum):
    """Why a wallet changed, by the names in the API."""

    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"


@dataclass(frozen=True, slots=True)
class NewFuturesOrder:
    """An order as it was sent, already well formed; ``quantity`` is None to close the position."""

    symbol: str
    side: Side
    kind: FuturesKind
    time_in_force: FuturesTimeInForce
    client_order_id: str
    quantity: Decimal | None
    price: Decimal
    trigger_price: Decimal
    working_type: WorkingType
    reduce_only: bool
    close_position: bool


@dataclass(frozen=True, slots=True)
class FuturesOrder:
    """An order; ``stop_id`` is the conditional order that sent it, or 0."""

    id: int
    account_id: int
    symbol: str
    client_order_id: str
    side: Side
    kind: FuturesKind
    time_in_force: FuturesTimeInForce
    quantity: Decimal
    price: Decimal
    reduce_only: bool
    close_position: bool
    status: FuturesStatus
    executed: Decimal
    quote_executed: Decimal
    stop_id: int
    created_ms: int
    updated_ms: int

    @property
    def remaining(self) -> Decimal:
        """What has not been filled."""
        return self.quantity - self.executed


@dataclass(frozen=True, slots=True)
class StopOrder:
    """A conditional order; ``order_id`` is the order that it sent when it was triggered, or 0."""

    id: int
    account_id: int
    symbol: str
    client_order_id: str
    side: Side
    kind: FuturesKind
    time_in_force: FuturesTimeInForce
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal
    working_type: WorkingType
    reduce_only: bool
    close_position: bool
    status: StopStatus
    order_id: int
    created_ms: int
    updated_ms: int
    triggered_ms: int


@dataclass(frozen=True, slots=True)
class FuturesTrade:
    """One execution; ``realized`` is what it earned by closing, without the ``fee``."""

    id: int
    order_id: int
    account_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    fee: Decimal
    fee_asset: str
    realized: Decimal
    is_maker: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """The net position of an account in a market, and the settings that it has there.

    ``quantity`` is negative when short. ``isolated_wallet`` is what was set aside for it.
    """

    account_id: int
    symbol: str
    quantity: Decimal
    entry_price: Decimal
    leverage: int
    is_isolated: bool
    isolated_wallet: Decimal
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Income:
    """One change of a wallet, with its reason; ``symbol`` is empty for a transfer."""

    id: int
    account_id: int
    symbol: str
    kind: IncomeKind
    amount: Decimal
    asset: str
    at_ms: int
