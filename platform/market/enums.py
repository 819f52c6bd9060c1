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


class OrderActor(StrEnum):
    """Who takes an order from one status to the next."""

    #: What decides: strategies, and the rules that protect what they opened.
    STRATEGY = "STRATEGY"
    #: Whoever holds the account's claim and sends.
    SUBMITTER = "SUBMITTER"
    RECONCILER = "RECONCILER"
    #: The venue, by an answer or an update.
    VENUE = "VENUE"
    USER = "USER"
    OPERATOR = "OPERATOR"
    KILL_SWITCH = "KILL_SWITCH"


class Proof(StrEnum):
    """What kind of evidence a step of an order stands on; see ``market.orders``."""

    #: The claim under which the order was made.
    CLAIM = "CLAIM"
    #: Nothing has reached the wire.
    NOT_SENT = "NOT_SENT"
    #: A structured no of the venue, in hand.
    REFUSAL = "REFUSAL"
    #: An answer, or its absence, that proves neither.
    NO_PROOF = "NO_PROOF"
    #: Nobody has told the outcome in time.
    LEFT_BEHIND = "LEFT_BEHIND"
    #: What the venue says of this very order.
    VENUE_RECORD = "VENUE_RECORD"
    #: The venue has been asked in every way, often and long enough.
    ABSENCE = "ABSENCE"
    COMMAND = "COMMAND"
    CONTRADICTION = "CONTRADICTION"
    #: What an operator has seen.
    NOTE = "NOTE"


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
