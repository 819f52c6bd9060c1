"""What the page of stored market data shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.paginator import Page, Paginator

from exchanges.models import HistoryFetch
from exchanges.selectors import held
from exchanges.selectors.fetches import is_under_way
from exchanges.selectors.held import HeldFilter, HeldSeries
from market.timeframes import Timeframe

_KIB = 2**10


class HeldList:
    """The series that are wanted, read a page at a time."""

    def __init__(self, wanted: HeldFilter, *, order: str) -> None:
        self._wanted = wanted
        self._order = order
        self.total = held.held_total(wanted)

    def page(self, number: str | None, *, size: int) -> tuple[Page[int], list[HeldSeries]]:
        """Return a page's place, and its series, at most *size*; a number that is none gives the nearest."""
        # The paginator counts; only the series of the one page are read.
        place = Paginator(range(self.total.series), size).get_page(number)
        rows = held.held_series(
            self._wanted,
            order=self._order,
            offset=max(place.start_index() - 1, 0),
            limit=size,
        )
        return place, rows


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One series; ``state`` is a badge's code, with its label and tone."""

    series: HeldSeries
    kibibytes: float
    coverage: float
    open_gaps: int
    state: str
    state_label: str
    tone: str


@dataclass(frozen=True, slots=True)
class FetchRow:
    """One fetch; ``percent`` counts time and not bars."""

    fetch: HistoryFetch
    market: str
    is_under_way: bool
    percent: int


def present_series(series: HeldSeries) -> HeldRow:
    """Return the line of one series."""
    if series.behind_since_at is not None:
        state = ("BEHIND", "Behind", "loss")
    elif series.is_followed:
        state = ("FOLLOWED", "Kept up to date", "gain")
    else:
        state = ("RESTING", "Not followed", "neutral")
    # A few bars of a million are missing: that is not all of them.
    coverage = min(series.coverage, 0.9999) if series.missing else 1.0
    return HeldRow(
        series,
        series.bytes / _KIB,
        coverage,
        series.gap_count - series.confirmed_gaps,
        *state,
    )


def present_fetches(fetches: Sequence[HistoryFetch]) -> list[FetchRow]:
    """Return the lines of what a person has asked for."""
    return [
        FetchRow(
            fetch,
            f"{fetch.instrument.venue.code}:{fetch.instrument.symbol} {Timeframe(fetch.timeframe)}",
            is_under_way(fetch),
            _percent(fetch),
        )
        for fetch in fetches
    ]


def _percent(fetch: HistoryFetch) -> int:
    if fetch.reached_at is None:
        return 0
    return max(
        0, min(100, int(100 * ((fetch.reached_at - fetch.from_at) / (fetch.to_at - fetch.from_at))))
    )
