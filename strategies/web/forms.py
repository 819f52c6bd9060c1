"""How the catalogue is narrowed down."""

from typing import Final

from django import forms

from market.timeframes import Timeframe
from strategies.shapes import Category, Risk

_ANY: Final = ("", "All")
DEFAULT_SORT: Final = "featured"
_SORTS: Final = (
    (DEFAULT_SORT, "Featured first"),
    ("name", "Name"),
    ("risk", "Lowest risk"),
    ("return", "Best return shown"),
    ("drawdown", "Smallest drawdown shown"),
    ("newest", "Newest"),
)


def _choices(vocabulary: type[Category] | type[Risk]) -> list[tuple[str, str]]:
    return [_ANY, *((each.value, words(each.value)) for each in vocabulary)]


def words(code: str) -> str:
    """Return a stored word as people read it."""
    return code.replace("_", " ").capitalize()


class CatalogueForm(forms.Form):
    """What to show; a value that is no choice narrows nothing down."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Name or idea"}),
    )
    category = forms.ChoiceField(required=False, choices=_choices(Category))
    risk = forms.ChoiceField(required=False, choices=_choices(Risk))
    market = forms.ChoiceField(
        required=False, choices=[_ANY, ("spot", "Spot"), ("swap", "Perpetual swaps")]
    )
    timeframe = forms.ChoiceField(
        required=False, choices=[_ANY, *((each.value, each.value) for each in Timeframe)]
    )
    price = forms.ChoiceField(
        required=False, choices=[_ANY, ("free", "Free"), ("paid", "With a price")]
    )
    sort = forms.ChoiceField(required=False, choices=_SORTS)

    def wanted(self) -> dict[str, str]:
        """Return what was asked for and is a choice, by field; without what was left open."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}
