"""What operators decide in billing: who has a right to what, what things cost, what plans allow."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from django import forms
from django.contrib.auth import get_user_model
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from billing.domain.limits import WORDS, Limit
from billing.models import Interval, Plan, Product, Subscription
from billing.services import plans, products, subscriptions
from foundation.admin import Deed
from foundation.admin.deeds import now
from foundation.audit import Actor

_SUBSCRIPTIONS: Final = "billing.change_subscription"
Values = Mapping[str, Any]


def _new_key() -> str:
    return f"operator-{uuid4()}"


class NoteForm(forms.Form):
    """Why it is done; kept with the row."""

    note = forms.CharField(max_length=300, required=False, widget=UnfoldAdminTextInputWidget())


class ExtendForm(NoteForm):
    """How much longer; the hidden key makes a form that is sent twice one grant."""

    months = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=subscriptions.MOST_MONTHS,
        help_text="From the later of now and the present end; empty for no end.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    request_key = forms.CharField(
        max_length=100, initial=_new_key, widget=forms.HiddenInput(), required=False
    )


class GrantForm(ExtendForm):
    """Whom to give what."""

    field_order = ("email", "product", "months", "note")

    email = forms.EmailField(label="Person's address", widget=UnfoldAdminEmailInputWidget())
    product = forms.ModelChoiceField(
        Product.objects.filter(is_active=True).order_by("kind", "code"),
        to_field_name="code",
        widget=UnfoldAdminSelectWidget(),
    )

    def clean_email(self) -> int:
        """Return the id of the person with this address."""
        address = str(self.cleaned_data["email"]).strip().lower()
        person = get_user_model().objects.filter(email=address, is_active=True).first()
        if person is None:
            raise forms.ValidationError("No active person is registered with this address.")
        return person.pk


class PriceForm(forms.Form):
    """A price; an empty amount ends the present one."""

    amount = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=2,
        help_text="Empty ends the price in force: without one, a strategy is free.",
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    currency = forms.CharField(
        initial="USD", min_length=3, max_length=3, widget=UnfoldAdminTextInputWidget()
    )
    interval = forms.ChoiceField(choices=Interval.choices, widget=UnfoldAdminSelectWidget())


class LimitsForm(forms.Form):
    """What a plan allows; an empty limit is no limit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for limit in Limit:
            self.fields[limit.value] = forms.IntegerField(
                label=WORDS[limit].title,
                required=False,
                min_value=0,
                help_text="Empty for no limit.",
                widget=UnfoldAdminIntegerFieldWidget(),
            )


def _grant(_: None, by: Actor, values: Values) -> str:
    granted = subscriptions.grant(
        owner_id=values["email"],
        product_code=values["product"].code,
        months=values["months"],
        note=values["note"],
        request_key=values["request_key"],
        by=by,
        now=now(),
    )
    return f"Granted: {granted.product.name}, {_until(granted)}."


def _extend(subscription: Subscription, by: Actor, values: Values) -> str:
    extended = subscriptions.grant(
        owner_id=subscription.owner_id,
        product_code=subscription.product.code,
        months=values["months"],
        note=values["note"],
        request_key=values["request_key"],
        by=by,
        now=now(),
    )
    return f"{subscription}: {_until(extended)}."


def _until(subscription: Subscription) -> str:
    return f"until {subscription.ends_at:%Y-%m-%d}" if subscription.ends_at else "without an end"


def _deactivate(subscription: Subscription, by: Actor, values: Values) -> None:
    subscriptions.deactivate(subscription_id=subscription.pk, note=values["note"], by=by, now=now())


def _reactivate(subscription: Subscription, by: Actor, _: Values) -> None:
    subscriptions.reactivate(subscription_id=subscription.pk, by=by, now=now())


def _price(product: Product, by: Actor, values: Values) -> None:
    products.set_price(
        product_code=product.code,
        interval=values["interval"],
        amount=values["amount"],
        currency=values["currency"],
        by=by,
        now=now(),
    )


def _limits_of(plan: Plan) -> Values:
    return {limit.value: getattr(plan, limit.value) for limit in Limit}


def _change_limits(plan: Plan, by: Actor, values: Values) -> None:
    limits = {limit: values[limit.value] for limit in Limit}
    plans.change_limits(plan_id=plan.pk, limits=limits, by=by, now=now())


GRANT: Final = Deed(
    name="grant",
    label="Grant",
    done="granted",
    text="Gives a person a plan or a strategy, or more time of what they have.",
    permission=_SUBSCRIPTIONS,
    perform=_grant,
    form=GrantForm,
)
SUBSCRIPTION_DEEDS: Final = (
    Deed(
        name="extend",
        label="Extend",
        done="extended",
        text="Adds time, from the later of now and the present end.",
        permission=_SUBSCRIPTIONS,
        perform=_extend,
        form=ExtendForm,
        applies_to=lambda subscription: subscription.status != "DEACTIVATED",
    ),
    Deed(
        name="deactivate",
        label="Deactivate",
        done="deactivated",
        text="The right ends at once; what trades with it is stopped the way its owner chose.",
        permission=_SUBSCRIPTIONS,
        perform=_deactivate,
        form=NoteForm,
        applies_to=lambda subscription: subscription.status in {"ACTIVE", "CANCELED"},
        is_dangerous=True,
    ),
    Deed(
        name="reactivate",
        label="Reactivate",
        done="active again",
        text="Gives back what was taken away, until the end that it had. Nothing restarts by itself.",
        permission=_SUBSCRIPTIONS,
        perform=_reactivate,
        applies_to=lambda subscription: subscription.status == "DEACTIVATED",
    ),
)
PRODUCT_DEEDS: Final = (
    Deed(
        name="price",
        label="Set the price",
        done="priced",
        text="The present price of the same interval and currency ends. Who has subscribed keeps it.",
        permission="billing.change_price",
        perform=_price,
        form=PriceForm,
    ),
)
PLAN_DEEDS: Final = (
    Deed(
        name="limits",
        label="Change the limits",
        done="changed",
        text="Holds for what is begun from now on; what runs already goes on.",
        permission="billing.change_plan",
        perform=_change_limits,
        form=LimitsForm,
        initial=_limits_of,
        for_list=False,
    ),
)
