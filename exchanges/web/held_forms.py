"""Forms of the stored market data: which series to list, and which history to fetch."""

from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any, Final

from django import forms
from django.utils import timezone

from exchanges.models import Venue
from exchanges.selectors.held import HeldFilter, Trouble
from market.errors import PlatformError
from market.timeframes import Timeframe

_TIMEFRAMES: Final = [(each.value, each.value) for each in Timeframe]
_TROUBLES: Final = [
    ("", "All"),
    (Trouble.GAPS.value, "With gaps"),
    (Trouble.BEHIND.value, "Behind"),
    (Trouble.REVISED.value, "Revised"),
    (Trouble.REFUSED.value, "With impossible bars"),
]
_ORDERS: Final = [
    ("market", "Market"),
    ("fresh", "Newest candle first"),
    ("stale", "Oldest candle first"),
    ("first", "Longest history first"),
    ("bars", "Most bars first"),
    ("gaps", "Most missing first"),
    ("revisions", "Most revisions first"),
    ("size", "Largest first"),
]


class HeldForm(forms.Form):
    """Which series to list; a value that is no choice narrows nothing down."""

    symbol = forms.CharField(required=False, max_length=40)
    venue = forms.ChoiceField(required=False)
    timeframe = forms.ChoiceField(required=False, choices=[("", "All"), *_TIMEFRAMES])
    trouble = forms.ChoiceField(label="Show", required=False, choices=_TROUBLES)
    sort = forms.ChoiceField(required=False, choices=_ORDERS)

    def __init__(self, *args: Any, venues: Iterable[Venue], **options: Any) -> None:
        super().__init__(*args, **options)
        choices = [("", "All"), *((venue.code, venue.name) for venue in venues)]
        self.fields["venue"] = forms.ChoiceField(label="Exchange", required=False, choices=choices)
        self.order_fields(["symbol", "venue", "timeframe", "trouble", "sort"])

    def wanted(self) -> HeldFilter:
        """Return what is asked for, as far as it makes sense."""
        self.is_valid()
        values = self.cleaned_data
        trouble = values.get("trouble")
        return HeldFilter(
            venue=values.get("venue", ""),
            symbol=values.get("symbol", "").strip(),
            timeframe=values.get("timeframe", ""),
            trouble=Trouble(trouble) if trouble else None,
        )

    def order(self) -> str:
        """Return how the list is sorted."""
        return self.cleaned_data.get("sort") or "market"


class FetchForm(forms.Form):
    """History to be fetched from its exchange."""

    market = forms.CharField(max_length=80, help_text="Such as binance:BTC/USDT.")
    fetch_timeframe = forms.ChoiceField(label="Timeframe", choices=_TIMEFRAMES, initial="1h")
    since = forms.DateField(
        label="From (UTC)", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label="To (UTC)",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Exclusive. Empty: up to now.",
    )

    def window(self) -> tuple[datetime, datetime]:
        """Return the instants between which candles are wanted."""
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        end = datetime.combine(until, time(), UTC) if until else timezone.now()
        return datetime.combine(since, time(), UTC), end

    def add_problem(self, error: PlatformError) -> None:
        """Show an expected failure: about the market beside it, everything else above the form."""
        field = (
            "market"
            if error.code in {"unknown_venue", "unknown_symbol", "invalid_market"}
            else None
        )
        self.add_error(field, forms.ValidationError(error.message, code=error.code))
