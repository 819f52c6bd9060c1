"""How the feeds of candles are doing, for those whose work depends on them."""

from collections.abc import Sequence

from exchanges.models import CandleFeed
from market.timeframes import Timeframe


def any_behind(*, instrument_ids: Sequence[int], timeframe: Timeframe) -> bool:
    """Tell whether candles of *timeframe* of one of the instruments are behind."""
    return CandleFeed.objects.filter(
        instrument_id__in=instrument_ids,
        timeframe=timeframe.value,
        behind_since_at__isnull=False,
    ).exists()
