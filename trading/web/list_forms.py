"""What to list of deployments, orders and decisions; a value that is no choice narrows nothing down."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django import forms

from exchanges.models import ExchangeAccount
from market.enums import OrderStatus
from strategies.reasons import ReasonCode, phrase
from trading.models import ActualState
from trading.selectors.deployments import ListFilter
from trading.selectors.orders import OrderFilter
from trading.selectors.pages import ExternalFilter

_ANY: Final = ("", "All")
_STATES: Final = [
    _ANY,
    ("at-work", "At work"),
    ("troubled", "Needs attention"),
    *ActualState.choices,
]
_MODES: Final = [_ANY, ("PAPER", "Paper"), ("LIVE", "Exchange")]


class DeploymentListForm(forms.Form):
    """Which deployments to list."""

    state = forms.ChoiceField(required=False, choices=_STATES)
    mode = forms.ChoiceField(label="Account", required=False, choices=_MODES)
    strategy = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, strategies: Sequence[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["strategy"] = forms.ChoiceField(required=False, choices=[_ANY, *strategies])

    def wanted(self) -> ListFilter:
        """Return what was asked for and is a choice."""
        self.is_valid()
        return ListFilter(**{name: value for name, value in self.cleaned_data.items() if value})


class ExternalOrderListForm(forms.Form):
    """Which orders of others to list."""

    account = forms.ChoiceField(required=False)
    state = forms.ChoiceField(
        required=False, choices=[_ANY, ("resting", "Resting"), ("gone", "No longer there")]
    )

    def __init__(self, *args: Any, accounts: Sequence[ExchangeAccount], **options: Any) -> None:
        super().__init__(*args, **options)
        own = [(str(each.public_id), each.label) for each in accounts]
        self.fields["account"] = forms.ChoiceField(required=False, choices=[_ANY, *own])

    def wanted(self) -> ExternalFilter:
        """Return what was asked for and is a choice."""
        self.is_valid()
        account, state = (self.cleaned_data.get(name) or None for name in ("account", "state"))
        return ExternalFilter(account=UUID(account) if account else None, state=state)


class OrderListForm(forms.Form):
    """Which orders to list."""

    state = forms.ChoiceField(
        required=False,
        choices=[
            _ANY,
            ("working", "Working"),
            *((each.value, each.value.replace("_", " ").capitalize()) for each in OrderStatus),
        ],
    )
    symbol = forms.CharField(required=False, max_length=40)
    deployment = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def wanted(self) -> OrderFilter:
        """Return what was asked for and makes sense."""
        self.is_valid()
        given = {name: str(value) for name, value in self.cleaned_data.items() if value}
        return OrderFilter(**given)


class DecisionListForm(forms.Form):
    """Which decisions to list."""

    reason = forms.ChoiceField(
        required=False,
        choices=[_ANY, *((each.value, phrase(each).capitalize()) for each in ReasonCode)],
    )

    def wanted(self) -> str:
        """Return the reason that was asked for, or nothing."""
        self.is_valid()
        reason: str = self.cleaned_data.get("reason") or ""
        return reason
