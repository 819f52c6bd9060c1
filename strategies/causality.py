"""Proof by experiment that a strategy uses nothing that it could not have known.

Each check changes the history in a way that must not change what was said, and reports the first
bar that differs. They are run on every strategy of the registry, and on any other that somebody
wants to use.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles
from market.errors import InvalidInputError
from market.timeframes import Timeframe
from strategies.histories import (
    History,
    MarketHistory,
    UniverseHistory,
    generated_candles,
    generated_universe,
)
from strategies.registry import Definition
from strategies.shapes import StrategyParams
from strategies.signals import Signals

__all__ = (
    "Check",
    "Finding",
    "History",
    "MarketHistory",
    "TooFewBarsError",
    "UniverseHistory",
    "Violation",
    "check_causality",
    "examine",
    "generated_candles",
    "generated_universe",
)

_CUTS: Final = 40
#: Tried whether or not a strategy says that it looks at them.
_USUAL_HIGHER: Final = (Timeframe.H4, Timeframe.D1)
_FEWEST_HIGHER_BARS: Final = 3
#: Standard deviation of the logarithm by which each bar of another future differs.
_BEND: Final = 0.2
#: By how much the rest of an unclosed higher bar is moved, either way.
_HIGHER_FACTORS: Final = (2.0, 0.5)
#: What may be left of a recursive average's seed in prices and scores, as a part of their size.
_SEED_REST: Final = 1e-3


class TooFewBarsError(InvalidInputError):
    """The history is too short to show anything."""

    code = "too_few_bars"


class Check(StrEnum):
    """What is tried."""

    #: The same bars once more give the same signals.
    REPEAT = "REPEAT"
    #: Signals do not change when later bars are appended.
    PREFIX = "PREFIX"
    #: Signals do not change when later bars are different ones.
    FUTURE = "FUTURE"
    #: Signals do not change with the rest of a longer bar that is not closed yet.
    HIGHER = "HIGHER"
    #: Signals after the warm-up do not change when the history begins earlier.
    WARM_UP = "WARM_UP"


@dataclass(frozen=True, slots=True)
class Violation:
    """One check that failed: the signal and bar that first differed, and what was changed.

    *expected* is what was said on the whole history, *told* what is said after the change; *symbol*
    is empty unless it is a universe.
    """

    check: Check
    signal: str
    index: int
    open_time_ms: int
    detail: str
    expected: str
    told: str
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check came to after a number of *trials*; with none it does not apply."""

    check: Check
    trials: int
    violation: Violation | None = None


def check_causality(
    definition: Definition,
    params: StrategyParams,
    candles: Candles,
    timeframe: Timeframe,
    *,
    cuts: int = _CUTS,
) -> tuple[Violation, ...]:
    """Return the first violation of each check, none if the strategy is causal on these candles.

    Arguments and errors as for ``examine``.
    """
    findings = examine(definition, params, MarketHistory(candles, timeframe), cuts=cuts)
    return tuple(each.violation for each in findings if each.violation is not None)


def examine(
    definition: Definition,
    params: StrategyParams,
    history: History,
    *,
    cuts: int = _CUTS,
    progress: Callable[[float], None] | None = None,
) -> tuple[Finding, ...]:
    """Return what each check comes to on *history*, in the order of ``Check``.

    The history is changed at *cuts* places between the end of the warm-up and its own end, and
    right behind bars at which something is said. *progress* gets the part that is done, and may
    raise to stop. Raises TooFewBarsError if the history is not longer than twice the warm-up,
    because then nothing would be shown, and StrategyFailedError if the strategy breaks.
    """
    warm_up = definition.requirements(params).bars(history.timeframe)
    if len(history) <= 2 * warm_up + 1:
        raise TooFewBarsError(
            f"{len(history):,} bars are too few to check a warm-up of {warm_up:,}: more than "
            f"{2 * warm_up + 1:,} are needed."
        )
    trial = _Trial(definition, params, history, warm_up)
    plans: dict[Check, Sequence[Callable[[], Violation | None]]] = {
        Check.REPEAT: [trial.again],
        Check.PREFIX: [_Call(trial.with_only, length) for length in trial.lengths(cuts)],
        Check.FUTURE: [_Call(trial.with_other_future, length) for length in trial.lengths(cuts)],
        Check.HIGHER: list(trial.with_other_rests(cuts)),
        Check.WARM_UP: [_Call(trial.from_later, start) for start in trial.starts(cuts)],
    }
    total = sum(len(calls) for calls in plans.values())
    findings: list[Finding] = []
    done = 0
    for check, calls in plans.items():
        violation, tried = None, 0
        for tried, call in enumerate(calls, 1):
            violation = call()
            if progress is not None:
                progress((done + tried) / total)
            if violation is not None:
                break
        done += len(calls)
        findings.append(Finding(check, tried, violation))
    return tuple(findings)


@dataclass(frozen=True, slots=True)
class _Call:
    """A trial with the place at which it changes the history."""

    trial: Callable[[int], Violation | None]
    place: int

    def __call__(self) -> Violation | None:
        return self.trial(self.place)


@dataclass(frozen=True, slots=True)
class _Rest:
    """The bars ``[length, end)`` that an unclosed bar of *higher* is still missing."""

    trial: "_Trial"
    higher: Timeframe
    length: int
    end: int
    factor: float

    def __call__(self) -> Violation | None:
        return self.trial.with_other_rest(self)


class _Trial:
    """One strategy on one history, and what it says when the history is changed."""

    def __init__(
        self, definition: Definition, params: StrategyParams, history: History, warm_up: int
    ) -> None:
        self._definition = definition
        self._params = params
        self._history = history
        self._warm_up = warm_up
        self._whole = self._say(history)

    def lengths(self, cuts: int) -> list[int]:
        """Return where to cut: evenly, and behind bars at which something is said."""
        last = len(self._history) - 1
        even = np.linspace(self._warm_up + 1, last, cuts, dtype=np.int64)
        speaking = np.flatnonzero(self._speaks()) + 1
        speaking = speaking[(speaking > self._warm_up) & (speaking <= last)]
        chosen = _evenly(speaking, cuts // 2)
        return [int(each) for each in np.unique(np.concatenate([even, chosen]))]

    def starts(self, cuts: int) -> list[int]:
        """Return where histories begin that leave something to say after their warm-up."""
        latest = len(self._history) - self._warm_up - 1
        return [int(each) for each in np.unique(np.linspace(1, latest, cuts, dtype=np.int64))]

    def again(self) -> Violation | None:
        """Compare with a second call on the same bars."""
        told = self._say(self._history)
        return self._compare(Check.REPEAT, told, 0, (0, len(self._history)), "the same bars again")

    def with_only(self, length: int) -> Violation | None:
        """Compare with a history that ends after *length* bars."""
        told = self._say(self._history.part(0, length))
        detail = f"the first {length:,} bars alone"
        return self._compare(Check.PREFIX, told, 0, (0, length), detail)

    def with_other_future(self, length: int) -> Violation | None:
        """Compare with a history that goes on differently after *length* bars."""
        stop = len(self._history)
        random = np.random.default_rng(length)
        factors = np.exp(random.normal(0, _BEND, stop - length))
        told = self._say(self._history.bent(length, stop, factors))
        detail = f"other bars after the first {length:,}"
        return self._compare(Check.FUTURE, told, 0, (0, length), detail)

    def with_other_rests(self, cuts: int) -> Iterator[_Rest]:
        """Yield unclosed bars of longer timeframes at the cuts, each with another rest."""
        base = self._history.timeframe
        required = self._definition.requirements(self._params).timeframes
        times = self._history.times
        span_ms = int(times[-1] - times[0])
        for higher in dict.fromkeys((*required, *_USUAL_HIGHER)):
            length_ms = higher.milliseconds
            if length_ms <= base.milliseconds or span_ms < _FEWEST_HIGHER_BARS * length_ms:
                continue
            ends = {
                length: int(np.searchsorted(times, self._close_of(higher, length)))
                for length in self.lengths(cuts)
            }
            unclosed = np.array([length for length, end in ends.items() if end > length])
            for length in _evenly(unclosed, cuts // 2).tolist():
                for factor in _HIGHER_FACTORS:
                    yield _Rest(self, higher, length, ends[length], factor)

    def with_other_rest(self, rest: _Rest) -> Violation | None:
        """Compare with a history in which the rest of an unclosed longer bar is another one."""
        factors = np.full(rest.end - rest.length, rest.factor)
        told = self._say(self._history.bent(rest.length, rest.end, factors))
        detail = (
            f"other bars in the rest of the {rest.higher} bar that is unclosed after the first "
            f"{rest.length:,}"
        )
        return self._compare(Check.HIGHER, told, 0, (0, rest.length), detail)

    def from_later(self, start: int) -> Violation | None:
        """Compare, after the warm-up, with a history that begins at bar *start*."""
        stop = len(self._history)
        told = self._say(self._history.part(start, stop))
        window = (start + self._warm_up, stop)
        detail = f"a history that begins at bar {start:,}"
        return self._compare(Check.WARM_UP, told, start, window, detail)

    def _close_of(self, higher: Timeframe, length: int) -> int:
        """Return when the bar of *higher* closes in which the last of *length* bars lies."""
        return higher.close_of(higher.open_of(int(self._history.times[length - 1])))

    def _speaks(self) -> NDArray[np.bool_]:
        whole = self._whole
        said = whole.enter_long | whole.enter_short | whole.exit_long | whole.exit_short
        anyone: NDArray[np.bool_] = np.any(np.atleast_2d(said), axis=0)
        return anyone

    def _say(self, history: History) -> Signals:
        view: Any = history.view()  # of the kind that the strategy asks for
        return self._definition.signals(view, self._params)

    def _compare(
        self, check: Check, told: Signals, shift: int, window: tuple[int, int], detail: str
    ) -> Violation | None:
        """Compare *told*, whose bar 0 is the whole's bar *shift*, in a *window* of the whole."""
        start, stop = window
        before, after = self._whole.columns(), told.columns()
        first: tuple[int, int, str] | None = None
        for name in dict.fromkeys((*before, *after)):
            if name not in before or name not in after:
                # A column that comes and goes with the length of the history.
                first = (start, 0, name)
                break
            one, other = (
                before[name][..., start:stop],
                after[name][..., start - shift : stop - shift],
            )
            differs = np.atleast_2d(_differ(one, other, _tolerance(check, before[name])))
            places = np.argwhere(differs.T)
            if len(places) and (first is None or start + int(places[0][0]) < first[0]):
                first = (start + int(places[0][0]), int(places[0][1]), name)
        return None if first is None else self._violation(check, told, shift, first, detail)

    def _violation(
        self, check: Check, told: Signals, shift: int, first: tuple[int, int, str], detail: str
    ) -> Violation:
        index, row, name = first
        symbols = self._history.symbols
        return Violation(
            check,
            name,
            index,
            int(self._history.times[index]),
            detail,
            expected=_value(self._whole, name, row, index),
            told=_value(told, name, row, index - shift),
            symbol=symbols[row] if symbols else "",
        )


def _evenly(values: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most *most* of *values*, as evenly as they lie."""
    if len(values) <= most:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, most, dtype=np.int64))]


def _tolerance(check: Check, column: NDArray[Any]) -> float:
    """Return by how much numbers may differ: not at all, but for what a warm-up leaves of seeds."""
    if check is not Check.WARM_UP or column.dtype.kind != "f":
        return 0.0
    known = np.abs(column[np.isfinite(column)])
    return _SEED_REST * float(np.median(known)) if len(known) else 0.0


def _differ(one: NDArray[Any], other: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """Return where two columns are not the same; undefined is the same as undefined."""
    differs: NDArray[np.bool_] = one != other
    if one.dtype.kind == "f":
        differs &= ~(np.isnan(one) & np.isnan(other))
        if tolerance:
            differs &= ~np.isclose(one, other, rtol=0.0, atol=tolerance)
    return differs


def _value(signals: Signals, name: str, row: int, index: int) -> str:
    column = signals.columns().get(name)
    if column is None:
        return "nothing"
    value = np.atleast_2d(column)[row, index].item()
    return f"{value:.10g}" if isinstance(value, float) else str(value).lower()
