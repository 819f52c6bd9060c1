"""What the checks before the wire say of an order: it may go, it has to wait, or it is refused."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Denial(StrEnum):
    """Why our own rules refuse an order."""

    DEPLOYMENT_INACTIVE = "DEPLOYMENT_INACTIVE"
    OWNER_INACTIVE = "OWNER_INACTIVE"
    ENTITLEMENT_ENDED = "ENTITLEMENT_ENDED"
    ACCOUNT_NOT_CONNECTED = "ACCOUNT_NOT_CONNECTED"
    ACCOUNT_BLOCKED_UNKNOWN_ORDER = "ACCOUNT_BLOCKED_UNKNOWN_ORDER"
    MARKET_INACTIVE = "MARKET_INACTIVE"
    DATA_STALE = "DATA_STALE"
    PRECISION_ROUNDED_TO_ZERO = "PRECISION_ROUNDED_TO_ZERO"
    NOTIONAL_BELOW_MINIMUM = "NOTIONAL_BELOW_MINIMUM"
    BALANCE_UNKNOWN = "BALANCE_UNKNOWN"
    INSUFFICIENT_FREE_BALANCE = "INSUFFICIENT_FREE_BALANCE"
    REDUCE_ONLY_WOULD_INCREASE_POSITION = "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    TRADING_HALTED = "TRADING_HALTED"
    TRADING_REDUCED = "TRADING_REDUCED"
    DAILY_LOSS_LIMIT = "DAILY_LOSS_LIMIT"
    DRAWDOWN_LIMIT = "DRAWDOWN_LIMIT"
    STOP_GUARD = "STOP_GUARD"
    LOSING_STREAK = "LOSING_STREAK"
    LOW_PROFIT = "LOW_PROFIT"
    EXIT_COOLDOWN = "EXIT_COOLDOWN"
    EXPOSURE_LIMIT = "EXPOSURE_LIMIT"
    OPEN_POSITIONS_LIMIT = "OPEN_POSITIONS_LIMIT"
    OPEN_ORDERS_LIMIT = "OPEN_ORDERS_LIMIT"
    PRICE_OUTSIDE_BAND = "PRICE_OUTSIDE_BAND"
    SPREAD_TOO_WIDE = "SPREAD_TOO_WIDE"
    QUOTE_MISSING = "QUOTE_MISSING"
    CLOCK_SKEW = "CLOCK_SKEW"
    POSITION_IS_OPEN = "POSITION_IS_OPEN"


class Wait(StrEnum):
    """Why an order has to wait, for another one or for reconciliation."""

    REDUCING_ORDER_WORKS = "REDUCING_ORDER_WORKS"
    EXIT_COMES_FIRST = "EXIT_COMES_FIRST"
    FORMER_ENTRY_ENDS = "FORMER_ENTRY_ENDS"
    FORMER_ENTRY_WORKS = "FORMER_ENTRY_WORKS"
    BALANCE_NOT_FREE = "BALANCE_NOT_FREE"
    TRADING_HALTED = "TRADING_HALTED"
    STOP_IS_LOST = "STOP_IS_LOST"
    ACCOUNT_NOT_COMPARED = "ACCOUNT_NOT_COMPARED"


@dataclass(frozen=True, slots=True)
class Cleared:
    """An order may go out, with this quantity; ``reserve`` quote is set aside for it.

    ``beside_lost`` if it goes although nobody knows whether a stop rests, because what it sells is free.
    """

    quantity: Decimal
    reserve: Decimal = Decimal(0)
    beside_lost: bool = False


Verdict = Cleared | Denial | Wait
