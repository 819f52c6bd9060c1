"""The tables of billing: what is offered, and who has a right to it until when."""

from billing.models.products import Interval, Plan, Price, Product
from billing.models.subscriptions import (
    BillingAccount,
    Grant,
    GrantSource,
    Subscription,
    SubscriptionStatus,
)

__all__ = (
    "BillingAccount",
    "Grant",
    "GrantSource",
    "Interval",
    "Plan",
    "Price",
    "Product",
    "Subscription",
    "SubscriptionStatus",
)
