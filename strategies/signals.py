"""What a strategy says at the close of each bar."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Values of ``Signals.entry_kind``.
ENTER_AT_MARKET: Final = 0
ENTER_AT_LIMIT: Final = 1
ENTER_AT_STOP: Final = 2

#: The value of ``session`` where days are counted as UTC days.
UTC_DAY: Final = -1

_NAN: Final = float("nan")


class SignalRow(NamedTuple):
    """What a strategy says at the close of one bar; see ``Signals``."""

    enter_long: bool = False
    enter_short: bool = False
    exit_long: bool = False
    exit_short: bool = False
    ready: bool = True
    flatten: bool = False
    arm_exit: bool = False
    entry_kind: int = ENTER_AT_MARKET
    entry_price: float = _NAN
    entry_bars: int = 0
    stop_price: float = _NAN
    target_price: float = _NAN
    score: float = 0.0
    session: int = UTC_DAY


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Arrays with one entry for each bar, shape ``(n,)``, or ``(symbols, n)`` for a universe.

    A column that is None says the same at every bar: its default in ``SignalRow``.

    Parameters
    ----------
    enter_long, enter_short
        Open a position; both at once is no signal.
    exit_long, exit_short
        Close the position of that direction at market.
    ready
        False while warming up.
    flatten
        Close any position, cancel what rests, and open nothing (the end of a session).
    arm_exit
        See ``Rules.exit_needs_arming``.
    entry_kind, entry_price, entry_bars
        How an entry is made: at market, by a limit or by a stop order at ``entry_price``, which may
        rest for ``entry_bars`` bars (0: until it fills, or a new entry or ``flatten`` replaces it).
    stop_price, target_price
        Levels of this entry; NaN leaves them to the rules, and so does one on the wrong side of it.
    score
        Who goes first when capital or positions are short; higher is first.
    session
        Which session the bar belongs to (0 or more), for limits per session; None: UTC days.
    """

    enter_long: NDArray[np.bool_]
    enter_short: NDArray[np.bool_]
    exit_long: NDArray[np.bool_]
    exit_short: NDArray[np.bool_]
    ready: NDArray[np.bool_]
    flatten: NDArray[np.bool_] | None = None
    arm_exit: NDArray[np.bool_] | None = None
    entry_kind: NDArray[np.int8] | None = None
    entry_price: NDArray[np.float64] | None = None
    entry_bars: NDArray[np.int32] | None = None
    stop_price: NDArray[np.float64] | None = None
    target_price: NDArray[np.float64] | None = None
    score: NDArray[np.float64] | None = None
    session: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return int(self.ready.shape[-1])

    def columns(self) -> Mapping[str, NDArray[Any]]:
        """Return the arrays that are there, by name."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: column for name, column in named.items() if column is not None}

    def of_symbol(self, index: int) -> "Signals":
        """Return what is said of the symbol *index* of a universe."""
        return Signals(**{name: column[index] for name, column in self.columns().items()})

    def row(self, index: int) -> SignalRow:
        """Return what is said at the close of bar *index*; negative counts from the newest."""
        return SignalRow(**{name: column[index].item() for name, column in self.columns().items()})

    def rows(self) -> list[SignalRow]:
        """Return all rows, oldest first."""
        columns = self.columns()
        lists = (column.tolist() for column in columns.values())
        names = tuple(columns)
        return [SignalRow(**dict(zip(names, row, strict=True))) for row in zip(*lists, strict=True)]
