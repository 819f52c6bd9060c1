"""What currencies are and were worth, by what venues have told."""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Q

from accounts.domain.profiles import CURRENCIES
from exchanges.domain.conversion import REFERENCE, Rate, Rates
from exchanges.models import ConversionRate

#: An older rate says nothing about what something is worth now.
OLDEST: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class RateBook:
    """The last rates of all venues; what a venue says of itself comes before what others say.

    A simulation's prices count for its own accounts and for no other.
    """

    by_venue: Mapping[int, Sequence[Rate]]
    real: Sequence[Rate]

    def of(self, venue_id: int) -> Rates:
        """Return the rates by which the accounts at a venue are valued."""
        return Rates([*self.real, *self.by_venue.get(venue_id, ())])

    def usual(self) -> Rates:
        """Return the rates of real venues."""
        return Rates(self.real)


def current_rates(*, currencies: Collection[str], now: datetime) -> RateBook:
    """Return the last rates among *currencies* and those that people think in, in one query."""
    wanted = {*currencies, *CURRENCIES}
    rows = (
        ConversionRate.objects.filter(
            hour_at__gt=now - OLDEST, hour_at__lte=now, base__in=wanted, quote__in=wanted
        )
        .order_by("venue_id", "base", "quote", "-hour_at")
        .distinct("venue_id", "base", "quote")
        .values_list(
            "venue_id", "venue__real_money", "base", "quote", "rate", "venue_at", named=True
        )
    )
    by_venue: dict[int, list[Rate]] = {}
    real: list[Rate] = []
    for row in rows:
        rate = Rate(row.base, row.quote, row.rate, row.venue_at)
        by_venue.setdefault(row.venue_id, []).append(rate)
        if row.venue__real_money:
            real.append(rate)
    return RateBook(by_venue, sorted(real, key=lambda rate: rate.at))


class RateHistory:
    """What one unit of the reference currency was worth in another, hour by hour."""

    def __init__(self, points: Sequence[tuple[datetime, Decimal]]) -> None:
        """Take *points* in the order of their hours."""
        self._hours = [hour for hour, _ in points]
        self._rates = [rate for _, rate in points]

    def at(self, instant: datetime) -> Decimal | None:
        """Return the rate that was told last before the end of an hour; None if that is too long ago."""
        index = bisect_right(self._hours, instant) - 1
        if index < 0 or instant - self._hours[index] > OLDEST:
            return None
        return self._rates[index]


def history_of(currency: str, *, since: datetime, until: datetime) -> RateHistory:
    """Return what the reference currency was worth in *currency*; real venues tell, or those there are."""
    rows = (
        ConversionRate.objects.filter(
            Q(base=REFERENCE, quote=currency) | Q(base=currency, quote=REFERENCE),
            hour_at__gt=since - OLDEST,
            hour_at__lte=until,
        )
        .order_by("hour_at", "venue__real_money", "-venue_id")
        .values_list("hour_at", "base", "rate")
    )
    # Of several in an hour the last counts: a real venue's.
    told = {hour: rate if base == REFERENCE else 1 / rate for hour, base, rate in rows}
    return RateHistory(list(told.items()))
