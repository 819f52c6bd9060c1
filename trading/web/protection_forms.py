"""The forms of the page on protections; their fields are named as in the problems of the services."""

from collections.abc import Sequence
from typing import Any

from django import forms

from exchanges.models import ExchangeAccount
from market.errors import PlatformError
from trading.domain.protections import Limits
from trading.domain.trading_states import TradingState
from trading.models import Deployment
from trading.web.limit_fields import limit_fields, limits_of

_STATES = [
    (TradingState.REDUCING.value, "Reducing: exits and cancellations only"),
    (TradingState.HALTED.value, "Halted: stops and cancellations only"),
    (TradingState.ACTIVE.value, "Active: end what I have set"),
]


class _ProblemForm(forms.Form):
    def add_problems(self, error: PlatformError) -> None:
        """Put each problem next to its field, or above all of them."""
        if not error.problems:
            self.add_error(None, forms.ValidationError(error.message, code=error.code))
        for problem in error.problems:
            field = problem.field if problem.field in self.fields else None
            self.add_error(field, forms.ValidationError(problem.message, code=problem.code))


class StateForm(_ProblemForm):
    """What of a person's is to trade less, how much, and why."""

    scope = forms.ChoiceField(label="What")
    state = forms.ChoiceField(label="May do", choices=_STATES)
    reason = forms.CharField(max_length=300, help_text="It stands in the history below.")

    def __init__(
        self,
        *args: Any,
        accounts: Sequence[ExchangeAccount],
        deployments: Sequence[Deployment],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        choices = target_choices(accounts, deployments)
        self.fields["scope"] = forms.ChoiceField(label="What", choices=choices)


class LimitsForm(_ProblemForm):
    """Every limit; an empty field is no limit."""

    def __init__(self, *args: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields.update(limit_fields(limits, prefix=""))

    def wish(self) -> dict[str, str]:
        """Return what was written, as the service takes it."""
        return limits_of(self.cleaned_data, prefix="")


class FlattenForm(_ProblemForm):
    """A word about why, and a yes."""

    reason = forms.CharField(max_length=300, initial="I want out.")
    agrees = forms.BooleanField(label="Close every position of mine at the market now")
    idempotency_key = forms.CharField(max_length=60, widget=forms.HiddenInput)


def target_choices(
    accounts: Sequence[ExchangeAccount], deployments: Sequence[Deployment]
) -> list[tuple[str, Any]]:
    """Return what a person can name, the widest first."""
    return [
        ("person", "Everything of mine"),
        *(
            [("Accounts", [(f"account:{a.public_id}", a.label) for a in accounts])]
            if accounts
            else []
        ),
        *(
            [("Deployments", [(f"deployment:{d.public_id}", d.name) for d in deployments])]
            if deployments
            else []
        ),
    ]
