"""A person's right to a product, and until when."""

import uuid

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from billing.models.products import Product


class BillingAccount(models.Model):
    """One row for each person; its lock puts everything that counts against a limit in order."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"Billing of {self.owner_id}"


class SubscriptionStatus(models.TextChoices):
    """How a subscription stands; whether it entitles also depends on its end."""

    ACTIVE = "ACTIVE", "Active"
    CANCELED = "CANCELED", "Canceled, until its end"
    EXPIRED = "EXPIRED", "Expired"
    DEACTIVATED = "DEACTIVATED", "Deactivated by an operator"


class Subscription(models.Model):
    """A person's right to one product: one row, extended by grants and never doubled."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="subscriptions")
    status = models.CharField(
        max_length=12, choices=SubscriptionStatus, default=SubscriptionStatus.ACTIVE
    )
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it has no end.")
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When its end was carried out."
    )
    reminded_for = models.DateTimeField(
        null=True, blank=True, help_text="The end of which the person was reminded."
    )
    reminded_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="How many days ahead the last reminder was due."
    )
    version = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "product"], name="one_subscription_per_product"
            ),
        ]
        indexes = [
            models.Index(
                fields=["ends_at"],
                name="subscriptions_to_end",
                condition=models.Q(ended_at__isnull=True, ends_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} of {self.owner_id}"


class GrantSource(models.TextChoices):
    """Why a right was given."""

    FREE = "FREE", "Free of charge"
    STAFF = "STAFF", "Given by an operator"
    PURCHASE = "PURCHASE", "Bought"


class Grant(models.Model):
    """One stretch of time added to a subscription; never changed and never deleted."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="grants")
    source = models.CharField(max_length=10, choices=GrantSource)
    request_key = models.CharField(
        max_length=100, blank=True, help_text="Makes a repeated request the same one."
    )
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True, blank=True)
    actor_kind = models.CharField(max_length=20)
    actor_identifier = models.CharField(max_length=100)
    note = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "request_key"],
                condition=~models.Q(request_key=""),
                name="grant_once_per_request",
            ),
            models.CheckConstraint(
                condition=models.Q(to_at__isnull=True) | models.Q(to_at__gt=models.F("from_at")),
                name="grant_runs_forward",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.subscription_id}"
