"""What a person is told about their subscriptions, on our pages and by mail."""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.urls import reverse

from accounts.models import MailKind, NotificationKind, NotificationLevel
from accounts.services.notifications import notify
from billing.models import Product, Subscription
from billing.providers.registry import find_selling_provider
from billing.selectors import payments
from foundation.transactions import part_of_transaction


@part_of_transaction
def tell_expiring(subscription: Subscription, *, days: int, now: datetime) -> None:
    """Remind of an end that is at most *days* days away; once for each end and number of days."""
    if subscription.ends_at is None:
        raise ValueError("A subscription without an end does not expire.")
    name, ends_at = subscription.product.name, _moment(subscription.ends_at)
    renewal, advice = _renewal(subscription, now=now)
    notify(
        owner_id=subscription.owner_id,
        kind=NotificationKind.SUBSCRIPTION_EXPIRING,
        key=f"subscription-expiring:{subscription.pk}:{ends_at}:{days}",
        title=f"“{name}” ends {'within a day' if days == 1 else f'within {days} days'}",
        body=(f"It ends on {ends_at}. {_consequence(subscription, since='From then on')} {advice}"),
        path=renewal,
        level=NotificationLevel.WARNING,
        mail=MailKind.SUBSCRIPTION_EXPIRING,
        facts={"subscription": name, "ends": ends_at},
    )


@part_of_transaction
def tell_grace(subscription: Subscription, *, now: datetime) -> None:
    """Say that a bought right has ended and until when renewing it changes nothing; once for each end."""
    if subscription.ends_at is None:
        raise ValueError("A subscription without an end has no grace.")
    name = subscription.product.name
    last = _moment(subscription.ends_at + timedelta(seconds=settings.HORIZONS.grace_s))
    renewal, advice = _renewal(subscription, now=now)
    notify(
        owner_id=subscription.owner_id,
        kind=NotificationKind.SUBSCRIPTION_EXPIRING,
        key=f"subscription-grace:{subscription.pk}:{_moment(subscription.ends_at)}",
        title=f"“{name}” has ended",
        body=f"{_in_grace(subscription, until=last)} {advice}",
        path=renewal,
        level=NotificationLevel.WARNING,
        mail=MailKind.SUBSCRIPTION_EXPIRING,
        facts={"subscription": name, "ends": last},
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


def _in_grace(subscription: Subscription, *, until: str) -> str:
    if subscription.product.kind == Product.Kind.PLAN:
        return (
            "Deployments above the limits of your next plan, the newest ones, open no positions any "
            f"more. They keep their stops and exits until {until}, and stop then."
        )
    return (
        "Nothing is entered with it any more. "
        f"What runs keeps its stops and exits until {until}, and stops then."
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


def _renewal(subscription: Subscription, *, now: datetime) -> tuple[str, str]:
    """Return where the person gets more time, and how that is said."""
    code = subscription.product.code
    offered = payments.prices_for(subscription.owner_id, [code], now=now).get(code, [])
    if not offered or find_selling_provider() is None:
        return reverse("billing:usage"), "Ask an operator for more time."
    address = reverse("billing:checkout")
    return f"{address}?price={offered[0].price.public_id}", "Renew it to go on."
