"""Charts as plain SVG: where their lines, points and labels lie. Templates draw them.

Everything is in units of the drawing's own box, whatever size it is shown at.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.curves import EquityCurve, thinned_indices
from market.timeframes import from_milliseconds

_LEFT: Final = 58
_RIGHT: Final = 12
_TOP: Final = 10
_BOTTOM: Final = 30
#: Half the width of the cross that marks a trade that did not win.
_ARM: Final = 2.5
_POINTS: Final = 700

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tick:
    """A value on an axis: where it lies and what it is called."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Box:
    """The size of a drawing, and the inner part in which values are drawn."""

    width: int
    height: int
    left: int = _LEFT
    top: int = _TOP

    @property
    def right(self) -> int:
        """Where the inner part ends."""
        return self.width - _RIGHT

    @property
    def bottom(self) -> int:
        """Where the inner part ends below."""
        return self.height - _BOTTOM

    def columns(self, values: Floats, low: float, high: float) -> Floats:
        """Return where *values* lie between left (*low*) and right (*high*)."""
        placed: Floats = self.left + (values - low) / (high - low) * (self.right - self.left)
        return placed

    def rows(self, values: Floats, low: float, high: float) -> Floats:
        """Return where *values* lie between bottom (*low*) and top (*high*)."""
        placed: Floats = self.bottom - (values - low) / (high - low) * (self.bottom - self.top)
        return placed


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and what it shows: ``equity``, ``benchmark`` or ``drawdown``."""

    kind: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class LineDrawing:
    """Lines over time; ``base`` is where the area of a drawdown begins."""

    box: Box
    lines: Sequence[Line]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    base: float | None = None


@dataclass(frozen=True, slots=True)
class ScatterDrawing:
    """A mark for each trade: right is farther against it, up is farther for it."""

    box: Box
    wins: str
    losses: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    shown: int
    total: int


def draw_equity(curve: EquityCurve) -> LineDrawing | None:
    """Return equity beside buy-and-hold; None without a bar."""
    if not len(curve):
        return None
    box = Box(720, 280)
    both = np.concatenate([curve.equity, curve.buy_and_hold, [curve.capital]])
    low, high, ticks = _scale(float(both.min()), float(both.max()))
    lines = [
        Line(kind, name, _path(box, curve, values, low, high))
        for kind, name, values in (
            ("benchmark", "Buy and hold", curve.buy_and_hold),
            ("equity", "Equity", curve.equity),
        )
    ]
    return LineDrawing(box, lines, _dates(box, curve), _y_ticks(box, low, high, ticks, _amount))


def draw_drawdown(curve: EquityCurve) -> LineDrawing | None:
    """Return the fall from the peak as an area; None without a bar."""
    if not len(curve):
        return None
    box = Box(720, 180)
    fall = curve.drawdown()
    low, high, ticks = _scale(min(float(fall.min()), -0.001), 0.0)
    path = _path(box, curve, fall, low, high)
    top = float(box.rows(np.zeros(1), low, high)[0])
    return LineDrawing(
        box,
        [Line("drawdown", "Drawdown", f"M{box.left} {top:.1f}L{path[1:]}V{top:.1f}Z")],
        _dates(box, curve),
        _y_ticks(box, low, high, ticks, _percent),
        top,
    )


def draw_excursions(
    adverse: Floats, favorable: Floats, won: NDArray[np.bool_], *, total: int
) -> ScatterDrawing | None:
    """Return the excursions of trades, fractions of shape ``(n,)``, of *total*; None without any."""
    if not len(adverse):
        return None
    box = Box(440, 320)
    _, x_high, x_steps = _scale(0.0, max(float(adverse.max()), 0.001))
    _, y_high, y_steps = _scale(0.0, max(float(favorable.max()), 0.001))
    x, y = box.columns(adverse, 0.0, x_high), box.rows(favorable, 0.0, y_high)
    at = np.array(x_steps)
    return ScatterDrawing(
        box=box,
        wins="".join(f"M{a:.1f} {b:.1f}h.01" for a, b in _pairs(x[won], y[won])),
        losses="".join(
            f"M{a - _ARM:.1f} {b - _ARM:.1f}l5 5m0-5l-5 5" for a, b in _pairs(x[~won], y[~won])
        ),
        x_ticks=[
            Tick(round(place, 1), _percent(value))
            for place, value in zip(box.columns(at, 0.0, x_high).tolist(), x_steps, strict=True)
        ],
        y_ticks=_y_ticks(box, 0.0, y_high, y_steps, _percent),
        shown=len(adverse),
        total=total,
    )


def _pairs(x: Floats, y: Floats) -> Sequence[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _path(box: Box, curve: EquityCurve, values: Floats, low: float, high: float) -> str:
    kept = thinned_indices(values, limit=_POINTS)
    start, end = _span(curve)
    x = box.columns(curve.close_time[kept].astype(np.float64), start, end)
    y = box.rows(values[kept], low, high)
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in _pairs(x, y))


def _span(curve: EquityCurve) -> tuple[float, float]:
    start, end = float(curve.close_time[0]), float(curve.close_time[-1])
    return (start, end) if end > start else (start - 1, end)


def _scale(low: float, high: float) -> tuple[float, float, Sequence[float]]:
    """Return bounds around *low* and *high* at round values, and the round values between them."""
    span = high - low or abs(high) or 1.0
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return first * step, last * step, [number * step for number in range(first, last + 1)]


def _y_ticks(
    box: Box, low: float, high: float, values: Sequence[float], write: Callable[[float], str]
) -> Sequence[Tick]:
    places = box.rows(np.array(values), low, high).tolist()
    return [Tick(round(at, 1), write(value)) for at, value in zip(places, values, strict=True)]


def _dates(box: Box, curve: EquityCurve) -> Sequence[Tick]:
    start, end = _span(curve)
    times = np.linspace(start, end, 5)
    is_long = end - start > timedelta(days=200).total_seconds() * 1_000
    written = "%b %Y" if is_long else "%-d %b"
    return [
        Tick(round(at, 1), f"{from_milliseconds(int(time)):{written}}")
        for at, time in zip(box.columns(times, start, end).tolist(), times.tolist(), strict=True)
    ]


def _amount(value: float) -> str:
    if abs(value) >= 10_000_000:
        return f"{value / 1_000_000:,.0f} M"
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:,.4g}"


def _percent(value: float) -> str:
    return f"{value * 100 + 0.0:,.10g}%"
