"""Keeping what currencies are worth: the quotes of venues, once an hour, where somebody needs them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from accounts.domain.profiles import CURRENCIES
from exchanges.models import Balance, ConversionRate
from foundation.transactions import transactional
from market.enums import InstrumentKind

#: A quote that is older than this was not told now.
_OLDEST_QUOTE: Final = timedelta(minutes=30)

#: Hours are kept this long, then the last of each day, and that for some years.
HOURS_KEPT: Final = timedelta(days=35)
DAYS_KEPT: Final = timedelta(days=3 * 366)

_RECORD: Final = """
    INSERT INTO exchanges_conversionrate AS known (venue_id, base, quote, hour_at, rate, venue_at)
    SELECT instrument.venue_id, instrument.base, instrument.quote, %(hour)s, quote.last,
           coalesce(quote.venue_at, quote.recorded_at)
    FROM exchanges_quote quote
    JOIN exchanges_instrument instrument ON instrument.id = quote.instrument_id
    WHERE instrument.kind = %(spot)s AND instrument.is_active AND quote.last > 0
      AND quote.recorded_at BETWEEN %(oldest)s AND %(now)s
      AND ((instrument.base = ANY(%(held)s) AND instrument.quote = ANY(%(hubs)s))
        OR (instrument.base = ANY(%(hubs)s) AND instrument.quote = ANY(%(held)s)))
    ON CONFLICT (venue_id, base, quote, hour_at) DO UPDATE
    SET rate = excluded.rate, venue_at = excluded.venue_at
    WHERE known.venue_at <= excluded.venue_at
"""


def hour_of(instant: datetime) -> datetime:
    """Return the beginning of the hour in which *instant* lies."""
    return instant.replace(minute=0, second=0, microsecond=0)


@transactional
def record_rates(*, now: datetime) -> int:
    """Keep the quotes of what people hold, against the currencies that they think in; return how many pairs."""
    held = set(Balance.objects.values_list("currency", flat=True).distinct())
    values: Mapping[str, Any] = {
        "hour": hour_of(now),
        "now": now,
        "oldest": now - _OLDEST_QUOTE,
        "spot": InstrumentKind.SPOT.value,
        "hubs": list(CURRENCIES),
        "held": sorted(held | set(CURRENCIES)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, values)
        return int(cursor.rowcount)


@transactional
def prune_rates(*, now: datetime) -> int:
    """Delete all hours but the last of each day that are old, and days that are very old; return how many rows."""
    old = ConversionRate.objects.filter(hour_at__lt=now - HOURS_KEPT).exclude(hour_at__hour=23)
    very_old = ConversionRate.objects.filter(hour_at__lt=now - DAYS_KEPT)
    return old.delete()[0] + very_old.delete()[0]
