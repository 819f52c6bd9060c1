"""The form by which a person asks for a payout."""

from collections.abc import Sequence
from typing import Any

from django import forms

from market.errors import PlatformError
from referrals.models import PayoutMethod
from referrals.services.payouts import LONGEST_DESTINATION


class PayoutForm(forms.Form):
    """How and where to; the amount is all that is payable in the currency."""

    currency = forms.ChoiceField(label="Currency")
    method = forms.ChoiceField(label="How", choices=PayoutMethod.choices)
    destination = forms.CharField(
        label="Where to",
        max_length=LONGEST_DESTINATION,
        help_text="The account with its holder, the address with its network, or what was agreed.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: Any = None, *, currencies: Sequence[str]) -> None:
        super().__init__(data)
        currency = self.fields["currency"]
        assert isinstance(currency, forms.ChoiceField)  # noqa: S101  declared above
        currency.choices = [(code, code) for code in currencies]
        if len(currencies) == 1:
            currency.initial = currencies[0]
            currency.widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        """Say above the form what is wrong with a currency: its field may be hidden."""
        if self.errors.pop("currency", None):
            raise forms.ValidationError(
                "Nothing can be paid out in this currency.", code="currency"
            )
        return self.cleaned_data

    def add_problems(self, error: PlatformError) -> None:
        """Show an expected failure beside the fields that it names, or above the form."""
        for problem in error.problems:
            field = problem.field if problem.field in self.fields else None
            self.add_error(field, forms.ValidationError(problem.message, code=problem.code))
        if not error.problems:
            self.add_error(None, forms.ValidationError(error.message, code=error.code))
