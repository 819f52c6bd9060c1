"""Which venues there are and what trades at them."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from django.db.models import QuerySet

from exchanges.models import Instrument, Venue
from market.errors import InvalidInputError

_MOST_NAMED: Final = 20


class UnknownVenueError(InvalidInputError):
    """There is no venue of that code."""

    code = "unknown_venue"

    def __init__(self, code: str, *, known: Iterable[str]) -> None:
        known = sorted(known)
        near = get_close_matches(code.lower(), known, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        names = ", ".join(known[:_MOST_NAMED]) or "none yet"
        rest = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
        super().__init__(f"There is no venue '{code[:40]}'.{hint} Known: {names}{rest}.")


class UnknownInstrumentError(InvalidInputError):
    """Nothing of that symbol trades at the venue; the message names the nearest three."""

    code = "unknown_symbol"

    def __init__(self, symbol: str, *, venue_code: str, known: Iterable[str]) -> None:
        near = get_close_matches(symbol.upper(), list(known), n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"{symbol[:40]} is not on {venue_code}.{hint}")


class InvalidMarketError(InvalidInputError):
    """A market that is not written ``venue:SYMBOL``."""

    code = "invalid_market"

    def __init__(self, market: str) -> None:
        super().__init__(f"'{market[:60]}' is no market; write it like binance:BTC/USDT.")


def in_bulk(instrument_ids: Collection[int]) -> dict[int, Instrument]:
    """Return instruments by their keys, each with its venue."""
    return Instrument.objects.select_related("venue").in_bulk(instrument_ids)


def get_venue(code: str) -> Venue:
    """Return the venue of that code; raise UnknownVenueError."""
    try:
        return Venue.objects.get(code=code)
    except Venue.DoesNotExist:
        known = Venue.objects.values_list("code", flat=True)
        raise UnknownVenueError(code, known=known) from None


def get_instrument(venue_code: str, symbol: str) -> Instrument:
    """Return what trades as *symbol* (``BTC/USDT``) at a venue, with the venue.

    Raise UnknownVenueError or UnknownInstrumentError.
    """
    venue = get_venue(venue_code)
    try:
        return Instrument.objects.select_related("venue").get(venue=venue, symbol=symbol)
    except Instrument.DoesNotExist:
        known = Instrument.objects.filter(venue=venue).values_list("symbol", flat=True)
        raise UnknownInstrumentError(symbol, venue_code=venue_code, known=known) from None


def get_instruments(venue_code: str, symbols: Sequence[str]) -> Sequence[Instrument]:
    """Return what trades as each of *symbols* at a venue, in their order, with the venue.

    Raise UnknownVenueError, or UnknownInstrumentError for the first one that is not there.
    """
    venue = get_venue(venue_code)
    found = {
        instrument.symbol: instrument
        for instrument in Instrument.objects.select_related("venue").filter(
            venue=venue, symbol__in=symbols
        )
    }
    for symbol in symbols:
        if symbol not in found:
            known = Instrument.objects.filter(venue=venue).values_list("symbol", flat=True)
            raise UnknownInstrumentError(symbol, venue_code=venue_code, known=known)
    return [found[symbol] for symbol in symbols]


def parse_market(market: str) -> Instrument:
    """Return the instrument of ``binance:BTC/USDT``.

    Raise InvalidMarketError, UnknownVenueError or UnknownInstrumentError.
    """
    venue_code, separator, symbol = market.strip().partition(":")
    if not separator or not venue_code or not symbol:
        raise InvalidMarketError(market)
    return get_instrument(venue_code, symbol)


def active_venues() -> QuerySet[Venue]:
    """Return the venues in use, by name."""
    return Venue.objects.filter(is_active=True).order_by("name", "pk")


def active_instruments() -> QuerySet[Instrument]:
    """Return what trades now at the venues in use, with the venue, by venue and symbol."""
    return (
        Instrument.objects.filter(is_active=True, venue__is_active=True)
        .select_related("venue")
        .order_by("venue__code", "symbol", "pk")
    )


def get_by_id(instrument_id: int) -> Instrument:
    """Return an instrument with its venue."""
    return Instrument.objects.select_related("venue").get(pk=instrument_id)


def symbol_of(instrument_id: int) -> str:
    """Return the symbol of an instrument that is known by its key."""
    return Instrument.objects.values_list("symbol", flat=True).get(pk=instrument_id)


def can_be_asked(instrument: Instrument) -> bool:
    """Tell whether the venue of an instrument, which came with it, gives candles now."""
    return bool(instrument.venue.ccxt_id) and instrument.venue.is_active


def settle_currencies(instrument_ids: Iterable[int]) -> dict[int, str]:
    """Return the settle currency of each instrument."""
    found = Instrument.objects.filter(pk__in=set(instrument_ids))
    return dict(found.values_list("pk", "settle"))


def venues_with_skew(*, more_than_ms: int) -> list[Venue]:
    """Return the venues in use whose clock is further from ours than that."""
    found = Venue.objects.filter(is_active=True).exclude(
        clock_offset_ms__range=(-more_than_ms, more_than_ms)
    )
    return list(found.order_by("pk"))
