"""What funding costs a run, bar by bar."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.specification import Specification
from market.timeframes import HOUR_MS

_EVERY_MS: Final = 8 * HOUR_MS


def funding_of(
    specification: Specification, open_time: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return what each bar's payments of funding cost a long position, as fractions of notional.

    They are due at 0, 8 and 16 o'clock UTC; a bar that lasts longer than eight hours pays for all
    of its instants when it opens. *open_time* is in ms UTC, of shape ``(n,)``, and so is the
    result; None where nothing is paid.
    """
    rate = specification.funding_rate
    if not rate:
        return None
    # Instants up to just before a time, so that one at the open itself counts for the bar.
    before = -(-open_time // _EVERY_MS)
    after = -(-(open_time + specification.timeframe.milliseconds) // _EVERY_MS)
    return np.asarray((after - before) * rate, dtype=np.float64)
