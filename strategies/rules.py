"""Numbers that turn a signal into orders, constant over a run."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from market.enums import InstrumentKind
from market.timeframes import Timeframe


class SizingMode(StrEnum):
    """How the size of an entry follows from capital and price."""

    #: capital x size % / (price x stop %): what a stop loses is a fixed part of capital.
    RISK = "RISK"
    #: capital x size % / price.
    NOTIONAL = "NOTIONAL"
    #: a fixed quantity of base.
    FIXED_BASE = "FIXED_BASE"
    #: a fixed amount of quote.
    FIXED_QUOTE = "FIXED_QUOTE"


class TradeDirection(StrEnum):
    """Which way a run may trade."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


@dataclass(frozen=True, slots=True)
class PartialTarget:
    """A target at *percent* from the anchor that sells *fraction_percent* of what is held then."""

    percent: float
    fraction_percent: float


@dataclass(frozen=True, slots=True)
class Ladder:
    """Further entries as the price moves against the first one.

    Step k = 1..*steps* is a limit order at the first fill's price x (1 - k x *deviation_percent*)
    for *quote* x *scale* to the power of k - 1, mirrored when short. What is left of it is canceled
    at the first target and at the end of the trade.
    """

    steps: int
    deviation_percent: float
    quote: float
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How a strategy's signals are traded. Percents are as entered (2.0 is 2 %), 0 switches off.

    Parameters
    ----------
    stop_percent, target_percent
        Distance of stop and (last) target from the anchor: the average fill price, with
        *anchor_includes_fees* the average cost with fees. A signal's own prices go first.
    partial_targets
        Up to two targets in front of the last one, nearest first.
    stop_ratchet
        After the first target the stop goes to the anchor, after the second to the first target.
    trail_activation_percent, trail_offset_percent
        Once the price has gained *activation*, the stop follows its best price at *offset*; moved
        at the close, in force from the next bar on, never loosened. No trail if the offset is 0.
    ladder
        Averaging in; see ``Ladder``.
    sizing, size
        ``size`` is percent of capital, base units or quote, as ``sizing`` says. With *compounding*
        capital is the current equity, else the allocated amount; it is divided by
        *max_open_positions* if *splits_capital*.
    direction, short_allowed
        What the person wants, and what the market permits: see ``for_market``.
    leverage
        How often equity may be exposed; it caps sizes and never raises risk.
    cooldown_ms, cooldown_bars
        How long after an exit no entry is made; ``for_market`` turns bars into time.
    max_trades_per_day
        Entries in a UTC day, or in a session where the signals name sessions.
    max_trades
        Entries in the whole run.
    max_hold_ms
        After this long a position is closed at the next close.
    exit_after_bars
        Signal exits count from this many bars after the bar of the entry on.
    exit_needs_arming
        Signal exits count only once the signals said ``arm_exit`` at a close after the entry.
    allows_reversal
        Whether an opposite entry signal that comes with an exit opens the other side at once.
    max_open_positions
        Of a run over many symbols; 0 for any number.
    """

    stop_percent: float
    target_percent: float
    sizing: SizingMode
    size: float
    compounding: bool = False
    direction: TradeDirection = TradeDirection.BOTH
    leverage: float = 1.0
    cooldown_ms: int = 0
    cooldown_bars: int = 0
    max_trades_per_day: int = 0
    short_allowed: bool = False
    partial_targets: tuple[PartialTarget, ...] = ()
    stop_ratchet: bool = False
    trail_activation_percent: float = 0.0
    trail_offset_percent: float = 0.0
    ladder: Ladder | None = None
    anchor_includes_fees: bool = False
    max_trades: int = 0
    max_hold_ms: int = 0
    exit_after_bars: int = 0
    exit_needs_arming: bool = False
    allows_reversal: bool = True
    max_open_positions: int = 0
    splits_capital: bool = False

    def __post_init__(self) -> None:
        if self.sizing is SizingMode.RISK and not self.stop_percent > 0:
            raise ValueError("Sizing by risk needs a stop.")
        if len(self.partial_targets) > 2:
            raise ValueError("At most two targets may stand in front of the last one.")
        if self.splits_capital and not self.max_open_positions:
            raise ValueError("Capital can only be split among a number of positions.")

    def for_market(self, kind: InstrumentKind, timeframe: Timeframe) -> Self:
        """Return the rules as this market permits them: no shorts or leverage on spot."""
        cooldown_ms = max(self.cooldown_ms, self.cooldown_bars * timeframe.milliseconds)
        if kind is InstrumentKind.SPOT:
            return replace(self, short_allowed=False, leverage=1.0, cooldown_ms=cooldown_ms)
        return replace(self, short_allowed=True, cooldown_ms=cooldown_ms)

    @property
    def manages_exits(self) -> bool:
        """Whether it needs more than one fixed stop and one fixed target."""
        trails = self.trail_offset_percent > 0
        return bool(self.partial_targets or self.ladder or trails or self.stop_ratchet)

    @property
    def may_go_long(self) -> bool:
        """Whether long entries are made."""
        return self.direction is not TradeDirection.SHORT

    @property
    def may_go_short(self) -> bool:
        """Whether short entries are made."""
        return self.short_allowed and self.direction is not TradeDirection.LONG
