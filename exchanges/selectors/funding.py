"""What holding a swap has cost, as arrays."""

import numpy as np
from numpy.typing import NDArray

from exchanges.models import FundingFeed, FundingRate
from market.timeframes import from_milliseconds, to_milliseconds


def rates_between(
    *, instrument_id: int, from_ms: int, to_ms: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the stored fundings of a swap that were settled in ``[from_ms, to_ms)``, oldest first.

    Returns
    -------
    times
        Milliseconds UTC, shape ``(n,)``, strictly increasing.
    rates
        Fractions of notional that longs paid shorts (negative: the other way), shape ``(n,)``.
    """
    rows = (
        FundingRate.objects.filter(
            instrument_id=instrument_id,
            funded_at__gte=from_milliseconds(from_ms),
            funded_at__lt=from_milliseconds(to_ms),
        )
        .order_by("funded_at")
        .values_list("funded_at", "rate")
    )
    times = [to_milliseconds(at) for at, _ in rows]
    return np.array(times, dtype=np.int64), np.array([rate for _, rate in rows], dtype=np.float64)


def asked_between(*, instrument_id: int, from_ms: int, to_ms: int) -> bool:
    """Tell whether the venue has been asked for every funding in ``[from_ms, to_ms)``."""
    return FundingFeed.objects.filter(
        instrument_id=instrument_id,
        from_at__lte=from_milliseconds(from_ms),
        until_at__gte=from_milliseconds(to_ms),
    ).exists()
