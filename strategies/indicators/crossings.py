"""Where one line crosses another."""

import numpy as np
from numpy.typing import NDArray


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
