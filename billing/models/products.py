"""What the platform offers, what it costs and what a plan allows."""

import uuid

import pgtrigger
from django.db import models
from django.db.models.functions import Now

from foundation.fields import money_field


class Product(models.Model):
    """Something that a person can have a right to: a plan, or a strategy (``strategy:<slug>``)."""

    class Kind(models.TextChoices):
        """What kind of right it is."""

        PLAN = "PLAN", "Plan"
        STRATEGY = "STRATEGY", "Strategy"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=100)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.code


class Interval(models.TextChoices):
    """How long a price buys."""

    MONTH = "MONTH", "Month"
    YEAR = "YEAR", "Year"


class Price(models.Model):
    """What a product costs from one moment to another; never changed, a new price is a new row."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="prices")
    interval = models.CharField(max_length=10, choices=Interval)
    amount = money_field()
    currency = models.CharField(max_length=3, default="USD")
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "interval", "currency"],
                condition=models.Q(valid_to__isnull=True),
                name="one_price_in_force",
            ),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="price_is_positive"),
        ]
        triggers = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="only_ended",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(exclude=["valid_to"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.amount.normalize():f} {self.currency} / {self.interval}"


class Plan(models.Model):
    """What a person with this plan may do; an empty limit is no limit."""

    product = models.OneToOneField(Product, on_delete=models.PROTECT, related_name="plan")
    is_default = models.BooleanField(
        default=False, help_text="Everybody without another plan has this one, for ever."
    )
    rank = models.PositiveSmallIntegerField(
        default=0, help_text="Of several plans of a person, the highest rank counts."
    )
    summary = models.CharField(max_length=200, blank=True)
    live_deployments = models.PositiveIntegerField(null=True, blank=True)
    paper_deployments = models.PositiveIntegerField(null=True, blank=True)
    exchange_accounts = models.PositiveIntegerField(null=True, blank=True)
    backtests_per_day = models.PositiveIntegerField(null=True, blank=True)
    bars_per_run = models.PositiveIntegerField(null=True, blank=True)
    trials_per_sweep = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="one_default_plan",
            ),
        ]

    def __str__(self) -> str:
        return self.product.name
