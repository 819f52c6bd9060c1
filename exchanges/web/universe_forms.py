"""What a market has to be like to belong to a universe."""

from collections.abc import Iterable
from typing import Any

from django import forms

from exchanges.domain.universe import MOST_MARKETS, UniverseFilter, filter_of
from exchanges.models import Venue


class UniverseForm(forms.Form):
    """Filters over the markets of one exchange; an empty field demands nothing."""

    venue = forms.ChoiceField(label="Exchange")
    quote = forms.CharField(
        required=False, max_length=20, help_text="Only markets quoted in this, such as USDT."
    )
    top = forms.IntegerField(
        label="At most",
        required=False,
        min_value=1,
        max_value=MOST_MARKETS,
        help_text="Those with the largest volume.",
    )
    min_volume = forms.FloatField(
        label="Volume from", required=False, min_value=0, help_text="Of a day, in quote."
    )
    min_age_days = forms.FloatField(label="Age from, days", required=False, min_value=0)
    min_price = forms.FloatField(label="Price from", required=False, min_value=0)
    max_price = forms.FloatField(label="Price to", required=False, min_value=0)
    max_spread_bps = forms.FloatField(
        label="Spread up to, bps", required=False, min_value=0, help_text="Between bid and ask."
    )
    min_volatility = forms.FloatField(
        label="Volatility from", required=False, min_value=0, help_text="0.02 is 2 % a day."
    )
    max_volatility = forms.FloatField(label="Volatility to", required=False, min_value=0)
    only = forms.CharField(
        label="Only these", required=False, max_length=4_000, help_text="BTC/USDT,ETH/USDT"
    )
    without = forms.CharField(label="Without", required=False, max_length=4_000)
    with_leveraged = forms.BooleanField(label="Keep leveraged tokens", required=False)
    with_stable = forms.BooleanField(label="Keep pairs of stable currencies", required=False)

    def __init__(self, *args: Any, venues: Iterable[Venue], **options: Any) -> None:
        super().__init__(*args, **options)
        choices = [(venue.code, venue.name) for venue in venues]
        self.fields["venue"] = forms.ChoiceField(label="Exchange", choices=choices)
        self.order_fields(["venue"])

    def wanted(self) -> UniverseFilter:
        """Return what is asked for."""
        return filter_of(self.cleaned_data)
