"""The closed vocabularies of trading. The stored value of each member equals its name."""

from enum import StrEnum


class Side(StrEnum):
    """What an order does."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Direction(StrEnum):
    """Which way a position points."""

    LONG = "LONG"
    SHORT = "SHORT"


class OrderType(StrEnum):
    """How an order meets the market; STOP_LOSS is a market order once its stop price is touched."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"


class Leg(StrEnum):
    """What an order is for."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    STOP = "STOP"
    TARGET = "TARGET"
    LADDER = "LADDER"


class Liquidity(StrEnum):
    """Whether a fill added liquidity to the book (MAKER) or removed it (TAKER)."""

    MAKER = "MAKER"
    TAKER = "TAKER"


class InstrumentKind(StrEnum):
    """What is traded: the thing itself, or a perpetual contract on it."""

    SPOT = "SPOT"
    LINEAR_SWAP = "LINEAR_SWAP"
    INVERSE_SWAP = "INVERSE_SWAP"


class MarginMode(StrEnum):
    """What answers for a position's losses: the whole account, or only the margin set aside for it."""

    CROSS = "CROSS"
    ISOLATED = "ISOLATED"


class OrderStatus(StrEnum):
    """Where an order stands; see ``market.orders`` for the ways between them."""

    SUBMITTING = "SUBMITTING"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"
    ABANDONED = "ABANDONED"
    MANUAL_REVIEW = "MANUAL_REVIEW"


class ExitReason(StrEnum):
    """Why a trade ended."""

    STOP = "STOP"
    TRAIL = "TRAIL"
    TARGET = "TARGET"
    SIGNAL = "SIGNAL"
    SESSION_END = "SESSION_END"
    TIME_LIMIT = "TIME_LIMIT"
    LIQUIDATION = "LIQUIDATION"
    MANUAL = "MANUAL"
    END_OF_DATA = "END_OF_DATA"
