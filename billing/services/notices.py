"""What a person is told about their subscriptions, on our pages and by mail."""

from datetime import UTC, datetime

from django.urls import reverse

from accounts.models import MailKind, NotificationKind, NotificationLevel
from accounts.services.notifications import notify
from billing.models import Product, Subscription
from foundation.transactions import part_of_transaction


@part_of_transaction
def tell_expiring(subscription: Subscription, *, days: int) -> None:
    """Remind of an end that is at most *days* days away; once for each end and number of days."""
    if subscription.ends_at is None:
        raise ValueError("A subscription without an end does not expire.")
    name, ends_at = subscription.product.name, _moment(subscription.ends_at)
    notify(
        owner_id=subscription.owner_id,
        kind=NotificationKind.SUBSCRIPTION_EXPIRING,
        key=f"subscription-expiring:{subscription.pk}:{ends_at}:{days}",
        title=f"“{name}” ends {'within a day' if days == 1 else f'within {days} days'}",
        body=(
            f"It ends on {ends_at}. {_consequence(subscription, since='From then on')} "
            "Ask an operator for more time."
        ),
        path=reverse("billing:usage"),
        level=NotificationLevel.WARNING,
        mail=MailKind.SUBSCRIPTION_EXPIRING,
        facts={"subscription": name, "ends": ends_at},
    )


@part_of_transaction
def tell_ended(subscription: Subscription, *, now: datetime) -> None:
    """Say that a right is over; once for each end."""
    name = subscription.product.name
    notify(
        owner_id=subscription.owner_id,
        kind=NotificationKind.SUBSCRIPTION_ENDED,
        key=f"subscription-ended:{subscription.pk}:{subscription.version}",
        title=f"Your subscription to “{name}” has ended",
        body=_consequence(subscription, since="From now on"),
        path=reverse("billing:usage"),
        level=NotificationLevel.WARNING,
        mail=MailKind.SUBSCRIPTION_ENDED,
        facts={"subscription": name, "ended": _moment(now)},
    )


def _consequence(subscription: Subscription, *, since: str) -> str:
    if subscription.product.kind == Product.Kind.PLAN:
        return (
            f"{since} the limits of your next plan hold; "
            "deployments above them stop, the newest first."
        )
    return (
        f"{since} your deployments of it open no positions, and each stops as you chose; "
        "stops that protect a position stay until it is closed."
    )


def _moment(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")
