"""A smooth line through prices that looks back only."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: A weight below this part of the first one is less than half the last bit of any sum.
_NEGLIGIBLE: Final = 2.0**-60


def kernel_weights(bandwidth: float, window: int) -> NDArray[np.float64]:
    """Return the weights ``exp(-k^2 / (2 bandwidth^2))`` of the bars k = 0, 1, ... back.

    At most *window* of them, and none that could not change the sum.
    """
    if not bandwidth > 0 or window < 1:
        raise ValueError(f"No kernel of bandwidth {bandwidth:g} over {window} bars.")
    reach = math.ceil(bandwidth * math.sqrt(-2.0 * math.log(_NEGLIGIBLE)))
    lags = np.arange(min(window, reach), dtype=np.float64)
    weights: NDArray[np.float64] = np.exp(-(lags**2) / (2.0 * bandwidth**2))
    return weights


def kernel_regression(
    values: NDArray[np.float64], bandwidth: float, window: int
) -> NDArray[np.float64]:
    """Return the Gaussian kernel regression of *values* at the end point of each bar.

    Parameters
    ----------
    values
        Shape ``(n,)``, oldest first, all finite.
    bandwidth
        Of the kernel, in bars, above 0.
    window
        How many bars back it looks at most, at least 1.

    Returns
    -------
    Shape ``(n,)``: the weighted mean of the newest ``min(window, bars so far)`` values. Each is
    final once its bar is closed.

    Notes
    -----
    Nadaraya (1964), "On estimating regression", and Watson (1964), "Smooth regression analysis",
    with the neighbors of the future left out. Added up lag by lag, each lag for all bars at once:
    the order of the additions, and so every bit, is the same however long the history is.
    """
    weights = kernel_weights(bandwidth, window)
    known = min(len(weights), len(values))
    total = np.zeros(len(values))
    share = np.empty(len(values))
    for lag, weight in enumerate(weights[:known].tolist()):
        bars = len(values) - lag
        np.multiply(values[:bars], weight, out=share[:bars])
        total[lag:] += share[:bars]
    weight_so_far = np.cumsum(weights)
    total[:known] /= weight_so_far[:known]
    total[known:] /= weight_so_far[-1]
    return total
