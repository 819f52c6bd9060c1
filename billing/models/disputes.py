"""Disputes: money that the bank of a payer has taken back, until it is decided whose it is."""

import uuid

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from billing.domain.payments import DisputeState
from billing.models.payments import Payment, Refund
from foundation.choices import choices_of
from foundation.fields import money_field


class Dispute(models.Model):
    """A payer's complaint to their bank. ``refund`` is what it became if it was lost."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    refund = models.OneToOneField(
        Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="dispute"
    )
    amount = money_field()
    fee = money_field(default=0, help_text="What the provider keeps for it, won or lost.")
    currency = models.CharField(max_length=3)
    state = models.CharField(
        max_length=10, choices=choices_of(DisputeState), default=DisputeState.OPEN
    )
    provider_reference = models.CharField(max_length=200)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "provider_reference"], name="one_dispute_per_reference"
            ),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="dispute_is_positive"),
            models.CheckConstraint(
                condition=models.Q(state=DisputeState.OPEN, closed_at=None)
                | (~models.Q(state=DisputeState.OPEN) & models.Q(closed_at__isnull=False)),
                name="dispute_closed_when_decided",
            ),
            models.CheckConstraint(
                condition=models.Q(state=DisputeState.LOST, refund__isnull=False)
                | (~models.Q(state=DisputeState.LOST) & models.Q(refund=None)),
                name="lost_dispute_is_a_refund",
            ),
        ]
        triggers = [pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.currency} of {self.payment_id} {self.state}"
