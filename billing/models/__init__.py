"""The tables of billing: what is offered, who has a right to it until when, payments and books."""

from billing.models.development import (
    DevelopmentCharge,
    DevelopmentChargeState,
    DevelopmentNotice,
    DevelopmentRefund,
)
from billing.models.disputes import Dispute
from billing.models.ledger import LedgerAccount, LedgerCheck, LedgerEntry, LedgerPosting
from billing.models.payments import Payment, PaymentTransition, Refund
from billing.models.products import Interval, Plan, Price, Product
from billing.models.provider_events import ProviderEvent, ProviderEventState
from billing.models.subscriptions import (
    BillingAccount,
    Grant,
    GrantSource,
    Subscription,
    SubscriptionStatus,
)

__all__ = (
    "BillingAccount",
    "DevelopmentCharge",
    "DevelopmentChargeState",
    "DevelopmentNotice",
    "DevelopmentRefund",
    "Dispute",
    "Grant",
    "GrantSource",
    "Interval",
    "LedgerAccount",
    "LedgerCheck",
    "LedgerEntry",
    "LedgerPosting",
    "Payment",
    "PaymentTransition",
    "Plan",
    "Price",
    "Product",
    "ProviderEvent",
    "ProviderEventState",
    "Refund",
    "Subscription",
    "SubscriptionStatus",
)
