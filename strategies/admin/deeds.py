"""What operators decide about entries of the catalogue: their texts, their price, whether they are offered."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from billing.admin.deeds import PriceForm
from billing.services import products
from foundation.admin import Deed
from foundation.admin.deeds import now
from foundation.audit import Actor
from foundation.choices import choices_of
from market.timeframes import Timeframe
from strategies.models import Strategy
from strategies.services import entries, evidence
from strategies.shapes import Category, Risk

_PERMISSION: Final = "strategies.change_strategy"
Values = Mapping[str, Any]


class EntryForm(forms.Form):
    """What the catalogue says; the slug and the code are not the operator's to change."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    category = forms.ChoiceField(
        choices=choices_of(Category),
        widget=UnfoldAdminSelectWidget(),
    )
    risk = forms.ChoiceField(
        choices=choices_of(Risk),
        widget=UnfoldAdminSelectWidget(),
    )
    summary = forms.CharField(max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    description = forms.CharField(
        required=False,
        max_length=10_000,
        help_text="An empty line begins a new paragraph.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
    )
    suggested_timeframe = forms.ChoiceField(
        choices=[(each.value, each.value) for each in Timeframe],
        widget=UnfoldAdminSelectWidget(),
    )
    position = forms.IntegerField(
        min_value=0,
        max_value=9_999,
        help_text="Lower numbers come first.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    is_featured = forms.BooleanField(
        label="Featured",
        required=False,
        help_text="Shown before the others, and marked.",
        widget=UnfoldBooleanSwitchWidget(),
    )


def _initial(strategy: Strategy) -> Values:
    return {name: getattr(strategy, name) for name in EntryForm.base_fields}


def _edit(strategy: Strategy, by: Actor, values: Values) -> None:
    entries.edit_entry(strategy_id=strategy.pk, by=by, now=now(), **values)


def _reset(strategy: Strategy, by: Actor, _: Values) -> None:
    entries.reset_entry(strategy_id=strategy.pk, by=by, now=now())


def _activate(strategy: Strategy, by: Actor, _: Values) -> None:
    entries.set_active(strategy_id=strategy.pk, is_active=True, by=by, now=now())


def _retire(strategy: Strategy, by: Actor, _: Values) -> None:
    entries.set_active(strategy_id=strategy.pk, is_active=False, by=by, now=now())


def _price(strategy: Strategy, by: Actor, values: Values) -> None:
    products.set_price(
        product_code=strategy.product_code,
        interval=values["interval"],
        amount=values["amount"],
        currency=values["currency"],
        by=by,
        now=now(),
    )


def _evidence(strategy: Strategy, by: Actor, _: Values) -> str:
    evidence.request_evidence(strategy_id=strategy.pk, by=by, now=now())
    return f"A worker is asked to backtest {strategy} for the catalogue."


DEEDS: Final = (
    Deed(
        name="edit",
        label="Edit",
        done="saved",
        text="What you change here stays, whatever the code says later. Old and new are on record.",
        permission=_PERMISSION,
        perform=_edit,
        form=EntryForm,
        initial=_initial,
        for_list=False,
    ),
    Deed(
        name="price",
        label="Set the price",
        done="priced",
        text="The present price of the same interval and currency ends. Who has subscribed keeps it.",
        permission="billing.change_price",
        perform=_price,
        form=PriceForm,
    ),
    Deed(
        name="evidence",
        label="Record evidence",
        done="asked for",
        text="A worker backtests the present version on the best recorded series; the catalogue shows it.",
        permission=_PERMISSION,
        perform=_evidence,
        applies_to=lambda strategy: strategy.is_registered,
    ),
    Deed(
        name="reset",
        label="Take the code's text",
        done="says again what the code says",
        text="Name, category, risk, summary, description and timeframe become the code's own again.",
        permission=_PERMISSION,
        perform=_reset,
        applies_to=lambda strategy: bool(strategy.edited_fields),
    ),
    Deed(
        name="retire",
        label="Retire",
        done="retired",
        text="Nobody can choose it any more. Deployments and subscriptions go on until they end.",
        permission=_PERMISSION,
        perform=_retire,
        applies_to=lambda strategy: strategy.is_active,
        is_dangerous=True,
    ),
    Deed(
        name="activate",
        label="Offer again",
        done="offered",
        text="It appears in the catalogue again.",
        permission=_PERMISSION,
        perform=_activate,
        applies_to=lambda strategy: not strategy.is_active,
    ),
)
