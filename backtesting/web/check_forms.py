"""The form of a new check: a backtest's without capital and costs."""

from typing import Any

from django import forms

from backtesting.web.forms import RunForm
from strategies.web.parameter_fields import texts_of


class CheckForm(RunForm):
    """Market, window and the strategy's own parameters; an operator may publish the result."""

    # A check varies the costs itself, and the capital decides nothing of what it shows.
    capital = None  # type: ignore[assignment]  # Django's way to leave out a field of the parent
    fee_bps = None  # type: ignore[assignment]
    slippage_bps = None  # type: ignore[assignment]
    funding_bps = None  # type: ignore[assignment]
    is_published = forms.BooleanField(
        label="Show the result to everybody",
        required=False,
        help_text="It becomes the strategy's own check, on this page.",
    )

    def __init__(self, *args: Any, is_operator: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not is_operator:
            del self.fields["is_published"]

    def operator_fields(self) -> list[forms.BoundField]:
        """Return what only an operator is asked."""
        return [self[name] for name in ("is_published",) if name in self.fields]

    def wish(self) -> dict[str, Any]:
        """Return the cleaned values as the arguments of the service."""
        values = self.cleaned_data
        return {
            "market": values["market"],
            "timeframe": values["timeframe"],
            "from_at": values["from"],
            "to_at": values["to"],
            "parameters": texts_of(values),
            "parameters_are_text": True,
            "is_published": values.get("is_published", False),
        }
