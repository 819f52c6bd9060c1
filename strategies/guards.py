"""A strategy's own functions, called so that a broken one is an answer and not a crash.

The registry wraps what a definition consists of, so every caller is protected alike: what raises
becomes a StrategyFailedError, and signals that an engine could misread an InvalidSignalsError.
"""

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from types import TracebackType
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from market.errors import PlatformError, UnprocessableError
from market.timeframes import from_milliseconds
from strategies.shapes import Overlay
from strategies.signals import (
    ENTER_AT_LIMIT,
    ENTER_AT_MARKET,
    ENTER_AT_STOP,
    Signals,
)
from strategies.views import MarketView, UniverseView

logger = logging.getLogger(__name__)

_REQUIRED: Final = ("enter_long", "enter_short", "exit_long", "exit_short", "ready")
#: What each column holds, as numpy names kinds: truth values, integers, floating point numbers.
_KINDS: Final = {
    **dict.fromkeys(_REQUIRED, "b"),
    **dict.fromkeys(("flatten", "arm_exit"), "b"),
    **dict.fromkeys(("entry_kind", "entry_bars", "session"), "i"),
    **dict.fromkeys(("entry_price", "stop_price", "target_price", "score"), "f"),
}
_KIND_WORDS: Final = {"b": "true or false", "i": "whole numbers", "f": "floating point numbers"}
#: How a worker interrupts what takes too long, by name: this package knows no queue.
_TIME_LIMIT: Final = "SoftTimeLimitExceeded"

T = TypeVar("T")


class StrategyFailedError(UnprocessableError):
    """The strategy's own code raised something, or returned what is none of its types."""

    code = "strategy_failed"


class InvalidSignalsError(StrategyFailedError):
    """The strategy returned signals that cannot be traded on."""

    code = "invalid_signals"


def guarded(
    name: str, part: str, kind: type[T], function: Callable[..., T], *, package: str
) -> Callable[..., T]:
    """Return *function*, the *part* of the strategy called *name*, as one that fails politely.

    Its failures name the innermost line of *package* that they came through; the log has the rest.
    """

    @wraps(function)
    def call(*arguments: Any) -> T:
        try:
            told = function(*arguments)
        except PlatformError:
            raise
        except Exception as error:
            if type(error).__name__ == _TIME_LIMIT:
                raise
            where = _place_of(error.__traceback__, package)
            logger.exception("strategy.broke", extra={"strategy": name, "part": part})
            raise StrategyFailedError(
                f"“{name}” broke in its {part}: {type(error).__name__}{where}."
            ) from error
        if not isinstance(told, kind):
            raise StrategyFailedError(
                f"“{name}” returned {type(told).__name__} as its {part}, not {kind.__name__}."
            )
        return told

    return call


def guarded_signals(
    name: str, function: Callable[..., Signals], *, package: str
) -> Callable[..., Signals]:
    """Return *function* as ``guarded`` does; what it says is checked by ``check_signals``."""
    polite = guarded(name, "signals", Signals, function, package=package)

    @wraps(function)
    def call(view: MarketView | UniverseView, params: Any) -> Signals:
        told = polite(view, params)
        check_signals(name, told, view)
        return told

    return call


def guarded_says(
    name: str,
    function: Callable[[Any, Sequence[Any]], NDArray[np.uint8]],
    *,
    package: str,
) -> Callable[[Any, Sequence[Any]], NDArray[np.uint8]]:
    """Return *function*, which says what many parameters say, as ``guarded`` does.

    It takes a ``MarketView`` and parameters, and returns an array of shape (parameters, bars): the
    bits of ``strategies.kernel`` for what ``signals`` would return for each of them, which has no
    more than the five columns that are always there.
    """
    polite: Callable[..., Any] = guarded(name, "signals", np.ndarray, function, package=package)

    @wraps(function)
    def call(view: MarketView, params: Sequence[Any]) -> NDArray[np.uint8]:
        told: NDArray[np.uint8] = polite(view, params)
        _check_says(name, told, (len(params), *_shape_of(view)))
        return told

    return call


def guarded_overlays(
    name: str, function: Callable[..., Sequence[Overlay]], *, package: str
) -> Callable[..., Sequence[Overlay]]:
    """Return *function* as ``guarded`` does; a line that is not as long as the bars is refused."""
    polite: Callable[..., Any] = guarded(name, "overlays", object, function, package=package)

    @wraps(function)
    def call(view: MarketView | UniverseView, params: Any) -> Sequence[Overlay]:
        lines = polite(view, params)
        shape = _shape_of(view)
        fits = isinstance(lines, Sequence) and all(
            isinstance(line, Overlay) and np.shape(line.values) == shape for line in lines
        )
        if not fits:
            raise StrategyFailedError(
                f"“{name}” returned overlays that are no lines over its {shape[-1]:,} bars."
            )
        return tuple(lines)

    return call


def check_signals(name: str, told: Signals, view: MarketView | UniverseView) -> None:
    """Raise InvalidSignalsError unless *told*, the strategy's answer to *view*, can be traded on.

    Each column has one entry for each bar (and symbol) and is of its kind. Where an entry is made,
    a limit or stop order has a price, levels are positive or undefined, and the score is a number.
    """
    times = _times_of(view)
    shape = _shape_of(view)
    for column, kind in _KINDS.items():
        values = getattr(told, column)
        if values is not None or column in _REQUIRED:
            _check_column(name, column, values, shape, kind)
    rests = told.entry_kind is not None or told.entry_bars is not None
    levels = (told.entry_price, told.stop_price, told.target_price, told.score)
    if not rests and all(values is None for values in levels):
        return
    enters = told.ready & (told.enter_long ^ told.enter_short)
    for sentence, wrong in _wrong_entries(told):
        bad = np.argwhere((wrong & enters).T)
        if len(bad):
            at = from_milliseconds(int(times[bad[0][0]]))
            raise InvalidSignalsError(
                f"“{name}” {sentence} at bar {bad[0][0]:,} ({at:%Y-%m-%d %H:%M} UTC)."
            )


def _check_column(
    name: str, column: str, values: object, shape: tuple[int, ...], kind: str
) -> None:
    if not isinstance(values, np.ndarray):
        raise InvalidSignalsError(
            f"“{name}” returned {type(values).__name__} as {column}, not an array."
        )
    if values.shape != shape:
        raise InvalidSignalsError(
            f"“{name}” returned {column} of shape {_words(values.shape)} "
            f"for bars of shape {_words(shape)}."
        )
    if values.dtype.kind != kind:
        raise InvalidSignalsError(
            f"“{name}” returned {column} as {values.dtype}; it has to hold {_KIND_WORDS[kind]}."
        )


def _check_says(name: str, told: NDArray[np.uint8], shape: tuple[int, ...]) -> None:
    if told.shape != shape or told.dtype != np.uint8:
        raise InvalidSignalsError(
            f"“{name}” returned what it says as {told.dtype} of shape {_words(told.shape)}, "
            f"not as uint8 of shape {_words(shape)}."
        )


def _wrong_entries(told: Signals) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return sentences with the bars at which they hold, whether or not something is entered."""
    found: list[tuple[str, NDArray[np.bool_]]] = []
    kind = told.entry_kind
    if kind is not None:
        known = np.isin(kind, (ENTER_AT_MARKET, ENTER_AT_LIMIT, ENTER_AT_STOP))
        found.append(("enters by an unknown kind of order", ~known))
        rests = (kind == ENTER_AT_LIMIT) | (kind == ENTER_AT_STOP)
        priced = np.zeros_like(rests) if told.entry_price is None else _is_price(told.entry_price)
        found.append(("enters by a limit or stop order without a price", rests & ~priced))
    if told.entry_bars is not None:
        found.append(("lets an entry rest for less than no bars", told.entry_bars < 0))
    for words, level in (("stop", told.stop_price), ("target", told.target_price)):
        if level is not None:
            impossible = ~np.isnan(level) & ~_is_price(level)
            found.append((f"enters with a {words} that is no price", impossible))
    if told.score is not None:
        found.append(("enters with a score that is no number", ~np.isfinite(told.score)))
    return found


def _is_price(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    possible: NDArray[np.bool_] = np.isfinite(values) & (values > 0)
    return possible


def _times_of(view: MarketView | UniverseView) -> NDArray[np.int64]:
    return view.open_time if isinstance(view, UniverseView) else view.candles.open_time


def _shape_of(view: MarketView | UniverseView) -> tuple[int, ...]:
    bars = len(_times_of(view))
    return (len(view.symbols), bars) if isinstance(view, UniverseView) else (bars,)


def _words(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in shape) or "none"


def _place_of(traceback: TracebackType | None, package: str) -> str:
    """Return ", module line 12" for the innermost frame of *package*; empty if there is none."""
    place = ""
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if f"{module}.".startswith(f"{package}."):
            place = f" in {module}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
