"""Accounts, orders and trades as the simulator keeps them."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from market.enums import Side

#: What the exchange takes of every fill, in the asset that is received.
FEE_RATE: Final = Decimal("0.001")
FEE_BPS: Final = 10.0


class Permission(StrEnum):
    """What an API key may be used for."""

    READ = "READ"
    TRADE = "TRADE"
    WITHDRAW = "WITHDRAW"


class Kind(StrEnum):
    """The order types that are accepted, by their names in the API."""

    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"

    @property
    def is_stop(self) -> bool:
        """Whether the order sleeps until its stop price is touched."""
        return self in {Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT}

    @property
    def has_limit(self) -> bool:
        """Whether the order names the worst price that it accepts."""
        return self not in {Kind.MARKET, Kind.STOP_LOSS}


class TimeInForce(StrEnum):
    """How long a limit order may wait: until canceled, or not at all."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Status(StrEnum):
    """Where an order stands, by the names in the API; one fills in parts only by a mishap."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_open(self) -> bool:
        """Whether the order may still fill."""
        return self in {Status.NEW, Status.PARTIALLY_FILLED}


@dataclass(frozen=True, slots=True)
class Account:
    """One customer, found by the API key."""

    id: int
    api_key: str
    secret: str
    permissions: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of one asset: ``free`` to use and ``locked`` in open orders."""

    asset: str
    free: Decimal
    locked: Decimal


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it was sent, already well formed.

    Exactly one of ``quantity`` (base) and ``quote_quantity`` is given, the latter to MARKET only.
    """

    symbol: str
    side: Side
    kind: Kind
    time_in_force: TimeInForce
    client_order_id: str
    quantity: Decimal | None
    quote_quantity: Decimal | None
    price: Decimal | None
    stop_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is kept: prices in quote, quantities in base, instants in milliseconds.

    ``locked`` is what it holds back (quote for a buy, base for a sell); a price of 0 means none.
    """

    id: int
    account_id: int
    symbol: str
    client_order_id: str
    side: Side
    kind: Kind
    time_in_force: TimeInForce
    quantity: Decimal
    quote_quantity: Decimal
    price: Decimal
    stop_price: Decimal
    status: Status
    is_working: bool
    locked: Decimal
    executed: Decimal
    quote_executed: Decimal
    created_ms: int
    updated_ms: int
    working_ms: int


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution; ``fee`` is in ``fee_asset``, the asset that was received."""

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
    is_maker: bool
    at_ms: int
