"""Where one line crosses another."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Crossings(NamedTuple):
    """Where one line crosses another upwards and downwards, and where it could; shape ``(n,)``."""

    up: NDArray[np.bool_]
    down: NDArray[np.bool_]
    ready: NDArray[np.bool_]


def cross_up(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell where *a* crosses above *b*: ``a[i-1] <= b[i-1]`` and ``a[i] > b[i]``.

    Both of shape ``(n,)``. The first bar is never a crossing, nor is a bar where either side is
    undefined (NaN) at it or before it.
    """
    crossed = np.zeros(len(a), dtype=np.bool_)
    # A comparison with NaN is False, so undefined values never cross.
    crossed[1:] = (a[:-1] <= b[:-1]) & (a[1:] > b[1:])
    return crossed


def cross_down(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell where *a* crosses below *b*: ``a[i-1] >= b[i-1]`` and ``a[i] < b[i]``."""
    return cross_up(b, a)


def reach_up(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell where *a* comes up to *b* or past it: ``a[i-1] < b[i-1]`` and ``a[i] >= b[i]``.

    Unlike ``cross_up`` a touch is enough. Undefined values and first bars as there.
    """
    reached = np.zeros(len(a), dtype=np.bool_)
    reached[1:] = (a[:-1] < b[:-1]) & (a[1:] >= b[1:])
    return reached


def reach_down(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell where *a* comes down to *b* or past it: ``a[i-1] > b[i-1]`` and ``a[i] <= b[i]``."""
    return reach_up(b, a)


def ema_crossings(values: NDArray[np.float64], fast: int, slow: int) -> Crossings:
    """Return where the average of *fast* values crosses that of *slow* ones.

    Exactly ``cross_up`` and ``cross_down`` of ``averages.ema``, and several times as fast. *values*
    are finite, shape ``(n,)``, ``1 < fast < slow``. A crossing compares two values, so the first
    that is ready is the one after both averages have their first.
    """
    from strategies.indicators import crossings_kernel  # noqa: PLC0415 - the compiler loads with it

    if not 1 < fast < slow:
        raise ValueError(f"An average of {fast} values crosses none of {slow}.")
    up, down = np.empty(len(values), dtype=np.bool_), np.empty(len(values), dtype=np.bool_)
    ready = np.ones(len(values), dtype=np.bool_)
    ready[:slow] = False
    crossings_kernel.ema_crossings(
        np.ascontiguousarray(values, dtype=np.float64), fast, slow, up, down
    )
    return Crossings(up, down, ready)


def preload() -> None:
    """Load the compiled function, so that the first crossing takes no longer than the others."""
    from market.kernel.compiling import one_compiler  # noqa: PLC0415 - as above

    with one_compiler():
        ema_crossings(np.ones(9), 2, 3)
