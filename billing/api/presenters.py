"""What the API says of plans, subscriptions and usage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from billing.domain.money import plain
from billing.domain.payments import PaymentState
from billing.domain.standing import standing_of
from billing.models import Payment, Plan, Price, Subscription
from billing.selectors.entitlements import limits_in
from billing.selectors.usage import Usage


def present_subscription(subscription: Subscription, *, now: datetime) -> dict[str, Any]:
    """Return a subscription; ``entitled`` is whether it gives the right at this moment."""
    standing = standing_of(subscription.status, subscription.ends_at, now=now)
    return {
        "id": subscription.public_id,
        "product": subscription.product.code,
        "name": subscription.product.name,
        "kind": subscription.product.kind,
        "status": standing.value,
        "entitled": standing.entitles,
        "started_at": subscription.started_at,
        "ends_at": subscription.ends_at,
        "ended_at": subscription.ended_at,
    }


def present_plan(plan: Plan, prices: Sequence[Price]) -> dict[str, Any]:
    """Return a plan; a limit of null is no limit."""
    return {
        "product": plan.product.code,
        "name": plan.product.name,
        "summary": plan.summary,
        "is_default": plan.is_default,
        "limits": {limit.value: allowed for limit, allowed in limits_in(plan).items()},
        "prices": [
            {
                "id": price.public_id,
                "amount": f"{price.amount.normalize():f}",
                "currency": price.currency,
                "interval": price.interval,
            }
            for price in prices
        ],
    }


def present_payment(payment: Payment, *, root: str) -> dict[str, Any]:
    """Return an order; *root* is the address of this site, for pages of ours on which one pays."""
    is_open = payment.state == PaymentState.PENDING and payment.checkout_url
    return {
        "id": payment.public_id,
        "product": payment.product.code,
        "name": payment.product.name,
        "interval": payment.interval,
        "amount": plain(payment.amount),
        "currency": payment.currency,
        "refunded": plain(payment.refunded_amount),
        "status": payment.state,
        "checkout_url": urljoin(root, payment.checkout_url) if is_open else None,
        "receipt": payment.receipt_number or None,
        "ordered_at": payment.ordered_at,
        "settled_at": payment.settled_at,
    }


def present_usage(usage: Usage) -> dict[str, Any]:
    """Return a plan and what is used of it; ``used`` of null holds for each request by itself."""
    return {
        "plan": {"product": usage.plan.product.code, "name": usage.plan.product.name},
        "limits": [
            {"limit": line.limit.value, "allowed": line.allowed, "used": line.used}
            for line in usage.limits
        ],
    }
