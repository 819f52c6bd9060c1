"""The last prices that venues have told."""

from collections.abc import Sequence

from exchanges.models import Quote


def quotes_of(instrument_ids: Sequence[int]) -> dict[int, Quote]:
    """Return the last quote of each instrument that has one, by instrument."""
    return {
        quote.instrument_id: quote
        for quote in Quote.objects.filter(instrument_id__in=instrument_ids)
    }
