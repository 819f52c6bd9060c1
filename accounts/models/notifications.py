"""What the platform told a person on its own pages."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class NotificationKind(models.TextChoices):
    """What happened."""

    KEY_INVALID = "KEY_INVALID", "Key does not work"
    DEPLOYMENT_STOPPED = "DEPLOYMENT_STOPPED", "Deployment stopped"
    DEPLOYMENT_FAILED = "DEPLOYMENT_FAILED", "Deployment failed"
    ORDER_PROBLEM = "ORDER_PROBLEM", "Problem with an order"
    CANDLES_LATE = "CANDLES_LATE", "Candles do not come"
    TRADING_STATE = "TRADING_STATE", "Trading reduced or halted"
    SUBSCRIPTION_EXPIRING = "SUBSCRIPTION_EXPIRING", "Subscription ends soon"
    SUBSCRIPTION_ENDED = "SUBSCRIPTION_ENDED", "Subscription ended"
    PAYMENT_RECEIVED = "PAYMENT_RECEIVED", "Payment received"
    PAYMENT_FAILED = "PAYMENT_FAILED", "Payment failed"
    REFUND_SENT = "REFUND_SENT", "Payment refunded"
    COMMISSION_EARNED = "COMMISSION_EARNED", "Commission earned"
    PAYOUT_SENT = "PAYOUT_SENT", "Payout sent"
    PAYOUT_REJECTED = "PAYOUT_REJECTED", "Payout rejected"
    SECURITY = "SECURITY", "Security of your account"


class NotificationLevel(models.TextChoices):
    """How much it matters."""

    INFO = "INFO", "Information"
    WARNING = "WARNING", "Warning"
    PROBLEM = "PROBLEM", "Problem"


class Notification(models.Model):
    """One message to a person; the same key tells it once, however often the reason is met."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=120)
    kind = models.CharField(max_length=30, choices=NotificationKind)
    level = models.CharField(max_length=10, choices=NotificationLevel)
    title = models.CharField(max_length=120)
    body = models.CharField(max_length=500, blank=True)
    path = models.CharField(
        max_length=200, blank=True, help_text="Where to look at it, from the root."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="notification_once_per_key"),
        ]
        indexes = [
            models.Index(fields=["owner", "-id"], name="notifications_of_owner"),
            models.Index(
                fields=["owner"],
                name="notifications_unread",
                condition=models.Q(read_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.title
