"""Pivot levels of a completed period."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Pivots(NamedTuple):
    """The levels that follow from each period, all of shape ``(n,)``."""

    pivot: NDArray[np.float64]
    #: The edges of the central range around the pivot.
    top: NDArray[np.float64]
    bottom: NDArray[np.float64]
    r1: NDArray[np.float64]
    r2: NDArray[np.float64]
    r3: NDArray[np.float64]
    r4: NDArray[np.float64]
    s1: NDArray[np.float64]
    s2: NDArray[np.float64]
    s3: NDArray[np.float64]
    s4: NDArray[np.float64]


def central_pivot_range(
    high: NDArray[np.float64], low: NDArray[np.float64], close: NDArray[np.float64]
) -> Pivots:
    """Return the central pivot range of each period, with four resistances and four supports.

    Parameters
    ----------
    high, low, close
        Of each period, shape ``(n,)``. A level is known once its period is over.

    Notes
    -----
    ``P = (H + L + C) / 3``; the range lies between ``(H + L) / 2`` and its mirror image at P;
    ``R1 = 2P - L``, ``R2 = P + (H - L)``, ``R3 = P + 2 (H - L)``, ``R4 = R3 + (R2 - R1)``, and
    supports alike. Floor traders' third levels, ``H + 2 (P - L)``, are other ones.
    """
    pivot = (high + low + close) / 3
    middle = (high + low) / 2
    mirrored = 2 * pivot - middle
    spread = high - low
    r1, s1 = 2 * pivot - low, 2 * pivot - high
    r2, s2 = pivot + spread, pivot - spread
    r3, s3 = pivot + 2 * spread, pivot - 2 * spread
    return Pivots(
        pivot=pivot,
        top=np.maximum(middle, mirrored),
        bottom=np.minimum(middle, mirrored),
        r1=r1,
        r2=r2,
        r3=r3,
        r4=r3 + (r2 - r1),
        s1=s1,
        s2=s2,
        s3=s3,
        s4=s3 - (s1 - s2),
    )
