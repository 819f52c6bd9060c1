"""Commissions that are paid out."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from foundation.choices import choices_of
from foundation.fields import money_field
from referrals.domain.payouts import PayoutStatus


class PayoutMethod(models.TextChoices):
    """How the person wants the money."""

    BANK = "BANK", "Bank transfer"
    CRYPTO = "CRYPTO", "Crypto address"
    AGREED = "AGREED", "As agreed with the operator"


class Payout(models.Model):
    """All that was payable to a person in one currency when they asked for it.

    The amount leaves what is payable with the request, and returns there if the request is rejected.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=10)
    amount = money_field()
    method = models.CharField(max_length=10, choices=PayoutMethod)
    destination = models.CharField(
        max_length=200, help_text="The account or address, as the person wrote it."
    )
    status = models.CharField(
        max_length=10,
        choices=choices_of(PayoutStatus),
        default=PayoutStatus.REQUESTED.value,
    )
    request_key = models.CharField(
        max_length=100, blank=True, help_text="Makes a repeated request the same one."
    )
    requested_at = models.DateTimeField()
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was sent or rejected."
    )
    reference = models.CharField(
        max_length=100, blank=True, help_text="By which the person finds the transfer."
    )
    note = models.CharField(
        max_length=300, blank=True, help_text="Why it was rejected; the person reads it."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "currency"],
                condition=models.Q(status="REQUESTED"),
                name="one_open_payout_per_currency",
            ),
            models.UniqueConstraint(
                fields=["owner", "request_key"],
                condition=~models.Q(request_key=""),
                name="payout_once_per_request",
            ),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="payout_is_positive"),
            models.CheckConstraint(
                condition=~models.Q(status="SENT") | ~models.Q(reference=""),
                name="sent_payout_has_a_reference",
            ),
            models.CheckConstraint(
                condition=models.Q(status="REQUESTED", closed_at__isnull=True)
                | (~models.Q(status="REQUESTED") & models.Q(closed_at__isnull=False)),
                name="payout_closed_when_decided",
            ),
        ]
        indexes = [models.Index(fields=["owner", "-id"], name="payouts_of_owner")]

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.currency} to {self.owner_id}"
