"""Why a deployment acted on a bar, or did not: codes for programs, short sentences for people."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final


class ReasonCode(StrEnum):
    """The outcome of one decision; exactly one for each closed bar."""

    ENTER_LONG = "ENTER_LONG"
    ENTER_SHORT = "ENTER_SHORT"
    REVERSE = "REVERSE"
    EXIT_SIGNAL = "EXIT_SIGNAL"
    STOP_HIT = "STOP_HIT"
    TARGET_HIT = "TARGET_HIT"
    HOLD = "HOLD"
    ORDER_PENDING = "ORDER_PENDING"
    NO_SIGNAL = "NO_SIGNAL"
    WARMING_UP = "WARMING_UP"
    LONG_NOT_ALLOWED = "LONG_NOT_ALLOWED"
    SHORT_NOT_ALLOWED = "SHORT_NOT_ALLOWED"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    NO_CAPITAL = "NO_CAPITAL"
    COOLDOWN = "COOLDOWN"
    DAILY_LIMIT = "DAILY_LIMIT"
    DATA_STALE = "DATA_STALE"
    ENTRIES_PAUSED = "ENTRIES_PAUSED"
    ENTITLEMENT_ENDED = "ENTITLEMENT_ENDED"
    OWNER_INACTIVE = "OWNER_INACTIVE"
    SESSION_END = "SESSION_END"
    TIME_LIMIT = "TIME_LIMIT"
    RUN_LIMIT = "RUN_LIMIT"
    POSITION_LIMIT = "POSITION_LIMIT"
    ORDER_EXPIRED = "ORDER_EXPIRED"
    PARAMETERS_CHANGED = "PARAMETERS_CHANGED"
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

    @property
    def acts(self) -> bool:
        """Whether orders follow from it."""
        return self in _ACTING


_ACTING: Final = frozenset(
    {
        ReasonCode.ENTER_LONG,
        ReasonCode.ENTER_SHORT,
        ReasonCode.REVERSE,
        ReasonCode.EXIT_SIGNAL,
        ReasonCode.STOP_HIT,
        ReasonCode.TARGET_HIT,
        ReasonCode.SESSION_END,
        ReasonCode.TIME_LIMIT,
    }
)

#: Every code in the order of its number in arrays.
CODES: Final = tuple(ReasonCode)
_NUMBERS: Final = {code: number for number, code in enumerate(CODES)}


def number_of(reason: ReasonCode) -> int:
    """Return the number that stands for *reason* in arrays."""
    return _NUMBERS[reason]


_PHRASES: Final[Mapping[ReasonCode, str]] = {
    ReasonCode.ENTER_LONG: "bought to open a long position",
    ReasonCode.ENTER_SHORT: "sold to open a short position",
    ReasonCode.REVERSE: "closed the position and opened the opposite one",
    ReasonCode.EXIT_SIGNAL: "closed the position on the opposite signal",
    ReasonCode.STOP_HIT: "closed the position at its stop",
    ReasonCode.TARGET_HIT: "closed the position at its target",
    ReasonCode.HOLD: "position held, nothing to do",
    ReasonCode.ORDER_PENDING: "nothing new, an earlier order is still working",
    ReasonCode.NO_SIGNAL: "no entry, no cross",
    ReasonCode.WARMING_UP: "no entry, indicators are warming up",
    ReasonCode.LONG_NOT_ALLOWED: "no entry, long positions are switched off",
    ReasonCode.SHORT_NOT_ALLOWED: "no entry, this market cannot be sold short",
    ReasonCode.BELOW_MINIMUM: "no entry, the order would be below the exchange's minimum",
    ReasonCode.NO_CAPITAL: "no entry, not enough capital is free",
    ReasonCode.COOLDOWN: "no entry, cooling down after the last exit",
    ReasonCode.DAILY_LIMIT: "no entry, the day's limit of trades is reached",
    ReasonCode.DATA_STALE: "no entry, the candle arrived too late",
    ReasonCode.ENTRIES_PAUSED: "no entry, entries are paused",
    ReasonCode.ENTITLEMENT_ENDED: "no entry, the subscription has ended",
    ReasonCode.OWNER_INACTIVE: "no entry, the person's account is deactivated",
    ReasonCode.SESSION_END: "closed the position at the end of the session",
    ReasonCode.TIME_LIMIT: "closed the position, it was held for as long as it may be",
    ReasonCode.RUN_LIMIT: "no entry, the run has made all the trades that it may",
    ReasonCode.POSITION_LIMIT: "no entry, as many positions are open as may be",
    ReasonCode.ORDER_EXPIRED: "an entry order expired without a fill",
    ReasonCode.PARAMETERS_CHANGED: "nothing, the parameters were being changed",
    ReasonCode.TRADING_HALTED: "no entry, trading is halted here",
    ReasonCode.TRADING_REDUCED: "no entry, only exits are allowed here for now",
    ReasonCode.DAILY_LOSS_LIMIT: "no entry, the largest daily loss is reached",
    ReasonCode.DRAWDOWN_LIMIT: "no entry, the largest drawdown is reached",
    ReasonCode.STOP_GUARD: "no entry, a pause after several stops in a row",
    ReasonCode.LOSING_STREAK: "no entry, a pause after several losses in a row",
    ReasonCode.LOW_PROFIT: "no entry, this market has earned too little of late",
    ReasonCode.EXIT_COOLDOWN: "no entry, a pause after the last exit",
    ReasonCode.EXPOSURE_LIMIT: "no entry, as much is at risk as may be",
    ReasonCode.OPEN_POSITIONS_LIMIT: "no entry, the limit of open positions is reached",
    ReasonCode.OPEN_ORDERS_LIMIT: "no entry, the limit of open orders is reached",
}


def phrase(reason: ReasonCode) -> str:
    """Return *reason* in a few words, without a full stop."""
    return _PHRASES[reason]


def sentence(reason: ReasonCode, *, symbol: str, bar_close_at: datetime) -> str:
    """Return *reason* as a line of a log, in UTC: ``BTC/USDT 14:00: no entry, no cross``."""
    at = bar_close_at.astimezone(UTC)
    shown = f"{at:%H:%M}" if at.second == 0 else f"{at:%H:%M:%S}"
    return f"{symbol} {shown}: {phrase(reason)}"
