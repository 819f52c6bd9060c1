"""The tables of the provider for development: a small bank inside the installation.

They are the outside world of the payments: nothing but the provider and its page touches them, and
what they say reaches the payments only through notices and through being asked.
"""

import uuid
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from django.db.models import Sum
from django.db.models.functions import Now

from foundation.fields import money_field


class DevelopmentChargeState(models.TextChoices):
    """Where a charge stands at the bank."""

    OPEN = "OPEN", "Waiting to be paid"
    DELAYED = "DELAYED", "Paid, waiting for the bank"
    PAID = "PAID", "Paid"
    FAILED = "FAILED", "Failed"
    EXPIRED = "EXPIRED", "Expired"


class DevelopmentChargeQuerySet(models.QuerySet["DevelopmentCharge"]):
    """What the bank does with charges when it is asked."""

    def opened(self, *, idempotency_key: str, **asked: Any) -> "DevelopmentCharge":
        """Return the charge of that key, opened the first time."""
        charge, _ = self.get_or_create(idempotency_key=idempotency_key, defaults=asked)
        return charge


class DevelopmentCharge(models.Model):
    """Money that somebody was asked for; the same idempotency key asks once."""

    reference = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    idempotency_key = models.CharField(max_length=100, unique=True)
    amount = money_field()
    currency = models.CharField(max_length=3)
    fee = money_field(default=0)
    description = models.CharField(max_length=200)
    customer = models.CharField(max_length=100)
    metadata = models.JSONField(default=dict)
    return_url = models.CharField(max_length=2_000)
    cancel_url = models.CharField(max_length=2_000)
    state = models.CharField(
        max_length=10, choices=DevelopmentChargeState, default=DevelopmentChargeState.OPEN
    )
    delayed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    changed_at = models.DateTimeField(db_default=Now())

    objects = DevelopmentChargeQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.description} {self.amount.normalize():f} {self.currency}"


class DevelopmentRefundQuerySet(models.QuerySet["DevelopmentRefund"]):
    """What the bank does with refunds when it is asked."""

    def given(
        self,
        *,
        charge: DevelopmentCharge,
        amount: Decimal,
        idempotency_key: str,
        metadata: dict[str, str],
    ) -> "DevelopmentRefund | None":
        """Return the refund of that key, given the first time; None if so much is not left."""
        with transaction.atomic():
            locked = DevelopmentCharge.objects.select_for_update().get(pk=charge.pk)
            known = self.filter(idempotency_key=idempotency_key).first()
            if known is not None:
                return known
            given = self.filter(charge=locked).aggregate(total=Sum("amount"))["total"] or Decimal(0)
            if locked.state != DevelopmentChargeState.PAID or given + amount > locked.amount:
                return None
            return self.create(
                charge=locked, amount=amount, idempotency_key=idempotency_key, metadata=metadata
            )


class DevelopmentRefund(models.Model):
    """Money that the bank has given back."""

    reference = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    charge = models.ForeignKey(DevelopmentCharge, on_delete=models.PROTECT, related_name="refunds")
    idempotency_key = models.CharField(max_length=100, unique=True)
    amount = money_field()
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = DevelopmentRefundQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} of {self.charge_id}"


class DevelopmentNotice(models.Model):
    """A notice that the bank owes us until it was answered."""

    external_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    charge = models.ForeignKey(DevelopmentCharge, on_delete=models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=100)
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    delivered_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(
                fields=["not_before"],
                name="development_notices_due",
                condition=models.Q(delivered_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"
