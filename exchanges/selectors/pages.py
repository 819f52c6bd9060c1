"""Pages of venues and of what trades there; they may lag by some seconds (see ``foundation.replica``)."""

from collections.abc import Sequence

from exchanges.models import Instrument, Venue
from foundation import replica


def venues_after(*, code: str | None, limit: int) -> Sequence[Venue]:
    """Return at most *limit* venues in use, by code, beginning after the one with *code*."""
    found = Venue.objects.using(replica.using()).filter(is_active=True)
    if code is not None:
        found = found.filter(code__gt=code)
    return list(found.order_by("code")[:limit])


def markets_after(
    *,
    key: int | None,
    limit: int,
    venue_code: str | None = None,
    symbol: str | None = None,
    kind: str | None = None,
) -> Sequence[Instrument]:
    """Return at most *limit* markets that trade now, in the order of their keys, after the one with *key*."""
    asked = {"pk__gt": key, "venue__code": venue_code, "symbol": symbol, "kind": kind}
    given = {name: value for name, value in asked.items() if value is not None}
    found = Instrument.objects.using(replica.using()).filter(
        is_active=True, venue__is_active=True, **given
    )
    return list(found.select_related("venue").order_by("pk")[:limit])
