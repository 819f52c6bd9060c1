"""The shapes that strategies, the decision and the engine hand to one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from market.candles import Candles
from market.enums import InstrumentKind, Leg, OrderType, Side
from market.orders import KernelOrder
from market.timeframes import Timeframe

#: The layout of ``PositionState.to_json``; raised when a field changes its meaning.
STATE_VERSION: Final = 1

#: Marks a rule between parameters that is broken; see ``inconsistent``.
INCONSISTENT: Final = "inconsistent"


class Category(StrEnum):
    """What kind of idea a strategy is."""

    TREND_FOLLOWING = "TREND_FOLLOWING"
    MEAN_REVERSION = "MEAN_REVERSION"
    BREAKOUT = "BREAKOUT"
    MOMENTUM = "MOMENTUM"
    ACCUMULATION = "ACCUMULATION"


class Risk(StrEnum):
    """How much a strategy may lose, as the catalogue says it."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class StrategyParams(BaseModel):
    """The parameters of one strategy: strict types, unknown names refused, immutable.

    Each field declares bounds, title and description, and in ``json_schema_extra`` its ``unit`` and
    what it ``affects``: ``"signal"`` (then people with different values cannot share a computation)
    or ``"rules"``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def inconsistent(field: str, message: str) -> PydanticCustomError:
    """Return the error that a validator raises when *field* does not fit the other parameters."""
    # Braces would be taken for placeholders.
    escaped = message.replace("{", "{{").replace("}", "}}")
    return PydanticCustomError(INCONSISTENT, escaped, {"field": field})


@dataclass(frozen=True, slots=True)
class MarketView:
    """What a strategy may see: the closed bars of one instrument in one timeframe, oldest first."""

    candles: Candles
    timeframe: Timeframe


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a strategy needs before it may speak.

    ``warm_up_bars`` are the bars in front of the first decision; ``timeframes`` other timeframes
    beside its own; ``needs_short`` tells whether it is pointless where nothing can be sold short.
    """

    warm_up_bars: int
    timeframes: tuple[Timeframe, ...] = ()
    needs_short: bool = False


class SignalRow(NamedTuple):
    """What a strategy says at the close of one bar; it is not ``ready`` while warming up."""

    enter_long: bool = False
    enter_short: bool = False
    exit_long: bool = False
    exit_short: bool = False
    ready: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What a strategy says at the close of each bar: boolean arrays as long as the candles."""

    enter_long: NDArray[np.bool_]
    enter_short: NDArray[np.bool_]
    exit_long: NDArray[np.bool_]
    exit_short: NDArray[np.bool_]
    ready: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ready)

    def columns(self) -> Mapping[str, NDArray[np.bool_]]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in SignalRow._fields}

    def row(self, index: int) -> SignalRow:
        """Return what is said at the close of bar *index*; negative counts from the newest."""
        return SignalRow(*(bool(column[index]) for column in self.columns().values()))

    def rows(self) -> list[SignalRow]:
        """Return all rows, oldest first."""
        lists = (column.tolist() for column in self.columns().values())
        return [SignalRow(*values) for values in zip(*lists, strict=True)]


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
class Rules:
    """Numbers that turn a signal into orders, constant over a run.

    Percents are as entered (2.0 is 2 %). ``size`` is percent of capital, base units or quote, as
    ``sizing`` says. With ``compounding`` the capital is the current equity, else the allocated
    amount. ``cooldown_ms`` is how long after an exit no entry is made, ``max_trades_per_day``
    counts entries of a UTC day, 0 for no limit. ``short_allowed`` is what the market permits: never
    on spot, see ``for_instrument``.
    """

    stop_percent: float
    target_percent: float
    sizing: SizingMode
    size: float
    compounding: bool = False
    direction: TradeDirection = TradeDirection.BOTH
    leverage: float = 1.0
    cooldown_ms: int = 0
    max_trades_per_day: int = 0
    short_allowed: bool = False

    def __post_init__(self) -> None:
        if self.sizing is SizingMode.RISK and not self.stop_percent > 0:
            raise ValueError("Sizing by risk needs a stop.")

    def for_instrument(self, kind: InstrumentKind) -> Self:
        """Return the rules as this kind of market permits them: no shorts or leverage on spot."""
        if kind is InstrumentKind.SPOT:
            return replace(self, short_allowed=False, leverage=1.0)
        return replace(self, short_allowed=True)

    @property
    def may_go_long(self) -> bool:
        """Whether long entries are made."""
        return self.direction is not TradeDirection.SHORT

    @property
    def may_go_short(self) -> bool:
        """Whether short entries are made."""
        return self.short_allowed and self.direction is not TradeDirection.LONG


class Marks(NamedTuple):
    """What is remembered from bar to bar beside the position; times are bars' opens in ms UTC.

    ``stop_ticks`` and ``target_ticks`` are the levels that protect the position, 0 for none.
    ``seen_lots`` is the position at the last decision, which is how an exit is noticed wherever it
    came from. ``day_ms`` and ``trades_of_day`` count entries.
    """

    stop_ticks: int = 0
    target_ticks: int = 0
    seen_lots: int = 0
    cooldown_until_ms: int = 0
    day_ms: int = 0
    trades_of_day: int = 0


class PositionState(NamedTuple):
    """Everything that a decision knows beside the bar and the signal.

    ``lots`` is signed; ``average_price`` and ``cash`` are float64 in quote; ``cash`` includes what
    has been paid for the position, so equity is ``cash + lots x lot_step x price``. ``capital`` is
    the allocated amount.
    """

    lots: int
    average_price: float
    cash: float
    capital: float
    working: tuple[KernelOrder, ...] = ()
    marks: Marks = Marks()

    @classmethod
    def fresh(cls, capital: float) -> Self:
        """Return the state of a run that has not traded."""
        return cls(lots=0, average_price=0.0, cash=capital, capital=capital)

    @classmethod
    def live(
        cls,
        *,
        lots: int,
        average_price: float,
        cash: float,
        capital: float,
        marks: Marks | None = None,
        working: Sequence[KernelOrder] = (),
    ) -> Self:
        """Return the state of a position that real fills have made.

        ``cash`` is capital plus realized PnL, less fees, less ``lots x lot_step x average_price``.
        Pass *working* only if entry or exit orders may still fill: the decision then waits for
        them.
        """
        return cls(lots, average_price, cash, capital, tuple(working), marks or Marks())

    def equity(self, price: float, lot_step: float) -> float:
        """Return cash plus the position marked at *price*."""
        return self.cash + self.lots * lot_step * price

    def to_json(self) -> dict[str, Any]:
        """Return plain values that survive JSON bit for bit, with their version."""
        return {
            "version": STATE_VERSION,
            "lots": self.lots,
            "average_price": self.average_price,
            "cash": self.cash,
            "capital": self.capital,
            "working": [order._asdict() for order in self.working],
            "marks": self.marks._asdict(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote; raise ValueError for another version."""
        if data.get("version") != STATE_VERSION:
            raise ValueError(f"Position state of version {data.get('version')} cannot be read.")
        return cls(
            lots=data["lots"],
            average_price=data["average_price"],
            cash=data["cash"],
            capital=data["capital"],
            working=tuple(_order_from_json(order) for order in data["working"]),
            marks=Marks(**data["marks"]),
        )


class Overlay(NamedTuple):
    """One line to draw over the candles: shape ``(n,)``, NaN where it is undefined."""

    name: str
    values: NDArray[np.float64]


def _order_from_json(data: Mapping[str, Any]) -> KernelOrder:
    words = {
        "leg": Leg(data["leg"]),
        "side": Side(data["side"]),
        "kind": OrderType(data["kind"]),
    }
    return KernelOrder(**{**data, **words})
