"""What people ordered and paid, every state that it went through, and what was given back."""

import uuid

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from billing.domain.payments import PAID, PaymentState, RefundState
from billing.models.products import Interval, Price, Product
from billing.models.subscriptions import Grant
from foundation.choices import choices_of
from foundation.fields import money_field


class Payment(models.Model):
    """One order of a person: the price as it was, and how the payment of it stands.

    Everything that was agreed (who, what, how much) is never changed; a trigger sees to it.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="payments")
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="payments")
    interval = models.CharField(max_length=10, choices=Interval)
    amount = money_field()
    currency = models.CharField(max_length=3)
    request_key = models.UUIDField(help_text="Makes a repeated order the same one.")
    provider = models.CharField(max_length=20)
    is_live = models.BooleanField(help_text="Whether real money moves.")
    provider_reference = models.CharField(max_length=200, blank=True)
    checkout_url = models.CharField(max_length=2_000, blank=True)
    state = models.CharField(
        max_length=20, choices=choices_of(PaymentState), default=PaymentState.CREATED
    )
    state_reason = models.CharField(max_length=100, blank=True)
    fee = money_field(default=0)
    refunded_amount = money_field(default=0)
    deferred_amount = money_field(default=0, help_text="Paid, kept, and not yet delivered.")
    sequence = models.PositiveIntegerField(
        null=True, blank=True, help_text="The how-many-th paid one of the person."
    )
    grant = models.OneToOneField(
        Grant, on_delete=models.PROTECT, null=True, blank=True, related_name="payment"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ordered_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When it failed, expired or was given back in whole."
    )
    recognized_until = models.DateField(
        null=True, blank=True, help_text="The days before this one are delivered and booked."
    )
    news_at = models.DateTimeField(
        null=True, blank=True, help_text="When the latest news of the provider happened."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "request_key"], name="order_once_per_request"),
            models.UniqueConstraint(
                fields=["provider", "provider_reference"],
                condition=~models.Q(provider_reference=""),
                name="one_payment_per_reference",
            ),
            models.UniqueConstraint(fields=["owner", "sequence"], name="payments_are_numbered"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="payment_is_positive"),
            models.CheckConstraint(
                condition=models.Q(refunded_amount__gte=0)
                & models.Q(refunded_amount__lte=models.F("amount")),
                name="refund_within_payment",
            ),
            models.CheckConstraint(
                condition=models.Q(deferred_amount__gte=0)
                & models.Q(deferred_amount__lte=models.F("amount") - models.F("refunded_amount")),
                name="deferred_within_payment",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=sorted(PAID), settled_at__isnull=False, sequence__isnull=False
                )
                | (
                    ~models.Q(state__in=sorted(PAID))
                    & models.Q(settled_at=None, sequence=None, refunded_amount=0, deferred_amount=0)
                ),
                name="paid_is_settled",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-id"], name="payments_of_owner"),
            models.Index(
                fields=["not_before"],
                name="payments_to_look_after",
                condition=models.Q(state__in=["CREATED", "PENDING"]),
            ),
            models.Index(
                fields=["recognized_until"],
                name="payments_to_deliver",
                condition=models.Q(deferred_amount__gt=0),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="agreed_for_good",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(
                    "public_id",
                    "owner",
                    "product",
                    "price",
                    "interval",
                    "amount",
                    "currency",
                    "request_key",
                    "provider",
                    "is_live",
                    "ordered_at",
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.amount.normalize():f} {self.currency} {self.state}"

    @property
    def receipt_number(self) -> str:
        """What the receipt is called; empty before the payment is settled."""
        if self.settled_at is None:
            return ""
        return f"R-{self.settled_at:%Y%m%d}-{str(self.public_id)[:8].upper()}"


class PaymentTransition(models.Model):
    """One change of a payment's state, and on what evidence; never changed and never deleted."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="transitions")
    from_state = models.CharField(max_length=20, choices=choices_of(PaymentState), blank=True)
    to_state = models.CharField(max_length=20, choices=choices_of(PaymentState))
    actor_kind = models.CharField(max_length=20)
    actor_identifier = models.CharField(max_length=100)
    evidence = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.from_state} → {self.to_state}"


class Refund(models.Model):
    """Money to give back: asked for by an operator, or found at the provider."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount = money_field()
    currency = models.CharField(max_length=3)
    state = models.CharField(
        max_length=12, choices=choices_of(RefundState), default=RefundState.REQUESTED
    )
    state_reason = models.CharField(max_length=100, blank=True)
    provider_reference = models.CharField(max_length=200, blank=True)
    note = models.CharField(max_length=300, blank=True)
    actor_kind = models.CharField(max_length=20)
    actor_identifier = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    requested_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "provider_reference"],
                condition=~models.Q(provider_reference=""),
                name="one_refund_per_reference",
            ),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="refund_is_positive"),
        ]
        indexes = [
            models.Index(
                fields=["not_before"],
                name="refunds_to_send",
                condition=models.Q(state="REQUESTED"),
            ),
        ]
        triggers = [pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.currency} of {self.payment_id}"
