"""Bars that cannot be: kept apart with what is wrong with them, until the venue gives a possible one."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from exchanges.models import QuarantinedBar
from exchanges.services.candles import SeriesBars
from exchanges.services.fetching import RefusedBar
from foundation.transactions import part_of_transaction, transactional
from market.timeframes import Timeframe

logger = logging.getLogger(__name__)

#: So long a person finds again what a venue has got wrong.
_KEPT: Final = timedelta(days=90)
_LARGEST_MS: Final = 2**62

_KEEP: Final = """
    INSERT INTO exchanges_quarantinedbar AS kept
           (instrument_id, timeframe, open_ms, code, open, high, low, close, volume, times_seen,
            last_seen_at)
    SELECT %s, %s, bar.open_ms, bar.code, bar.open, bar.high, bar.low, bar.close, bar.volume, 1, %s
    FROM unnest(%s::bigint[], %s::text[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],
                %s::float8[]) AS bar(open_ms, code, open, high, low, close, volume)
    ON CONFLICT (instrument_id, timeframe, open_ms) DO UPDATE
    SET code = excluded.code, open = excluded.open, high = excluded.high, low = excluded.low,
        close = excluded.close, volume = excluded.volume, times_seen = kept.times_seen + 1,
        last_seen_at = excluded.last_seen_at, settled_at = NULL
"""


@part_of_transaction
def keep(
    *, instrument_id: int, timeframe: Timeframe, refused: Sequence[RefusedBar], now: datetime
) -> None:
    """Put bars that cannot be into quarantine; one that is there already is seen once more."""
    # A time beyond what a column holds must not keep the other bars from being stored.
    refused = [bar for bar in refused if abs(bar.row[0]) < _LARGEST_MS]
    if not refused:
        return
    rows = [bar.row for bar in refused]
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    columns.insert(1, [bar.code for bar in refused])
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [instrument_id, timeframe.value, now, *columns])
    logger.warning(
        "candles.quarantined",
        extra={
            "instrument_id": instrument_id,
            "timeframe": timeframe.value,
            "bars": len(refused),
            "code": refused[0].code,
            "first_open_ms": rows[0][0],
        },
    )


@part_of_transaction
def settle(*, timeframe: Timeframe, batches: Sequence[SeriesBars], now: datetime) -> None:
    """Note of bars in quarantine that the venue has given possible ones in their place."""
    waiting = QuarantinedBar.objects.filter(
        instrument_id__in=[batch.instrument_id for batch in batches],
        timeframe=timeframe.value,
        settled_at=None,
    ).values_list("pk", "instrument_id", "open_ms")
    stored = {batch.instrument_id: batch.candles.open_time for batch in batches}
    settled = [pk for pk, instrument_id, at in waiting if (stored[instrument_id] == at).any()]
    if settled:
        QuarantinedBar.objects.filter(pk__in=settled).update(settled_at=now)


@transactional
def prune_quarantine(*, now: datetime) -> int:
    """Forget what was last seen long ago; return how many bars those were."""
    return QuarantinedBar.objects.filter(last_seen_at__lt=now - _KEPT).delete()[0]
