"""How candles are doing, over all feeds: for operators and alerts, never for a person's page."""

from datetime import datetime

from django.db.models import Count

from exchanges.models import CandleFeed, CandleGap, QuarantinedBar
from foundation import replica
from market.timeframes import Timeframe


def candle_lag_s(*, now: datetime) -> dict[Timeframe, float]:
    """Return, for each timeframe that somebody needs, by how many seconds its latest feed is overdue.

    A feed whose next bar has not closed yet is overdue by 0. One that has never brought a candle counts from its
    creation.
    """
    feeds = (
        CandleFeed.objects.using(replica.using())
        .filter(holds__isnull=False)
        .distinct()
        .values_list("timeframe", "last_open_at", "created_at")
    )
    now_ms = _milliseconds(now)
    lags: dict[Timeframe, float] = {}
    for code, last_open_at, created_at in feeds:
        timeframe = Timeframe(code)
        if last_open_at is None:
            due_ms = timeframe.close_of(timeframe.open_of(_milliseconds(created_at)))
        else:
            next_open_ms = timeframe.close_of(_milliseconds(last_open_at))
            due_ms = timeframe.close_of(next_open_ms)
        lag_s = max(0, now_ms - due_ms) / 1_000
        lags[timeframe] = max(lag_s, lags.get(timeframe, 0.0))
    return lags


def failing_feeds() -> int:
    """Return how many feeds have failed at their last try."""
    return CandleFeed.objects.using(replica.using()).filter(failures__gt=0).count()


def feeds_behind() -> dict[Timeframe, int]:
    """Return how many feeds of each timeframe lack a bar that should long be there."""
    rows = (
        CandleFeed.objects.using(replica.using())
        .filter(behind_since_at__isnull=False)
        .values("timeframe")
        .annotate(count=Count("pk"))
    )
    return {Timeframe(row["timeframe"]): row["count"] for row in rows}


def quarantined_bars() -> int:
    """Return how many impossible bars no possible one has replaced yet."""
    return QuarantinedBar.objects.using(replica.using()).filter(settled_at=None).count()


def unconfirmed_gaps() -> int:
    """Return how many holes among candles the venues have neither filled nor denied."""
    return CandleGap.objects.using(replica.using()).filter(confirmed_at=None).count()


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000)
