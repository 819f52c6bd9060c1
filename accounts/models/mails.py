"""Mails to send: rows that name what to say, never the links that sign people in."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class MailKind(models.TextChoices):
    """Which mail it is; each has a subject, a text and an HTML template of this name."""

    VERIFY_ADDRESS = "verify_address", "Confirm the address"
    RESET_PASSWORD = "reset_password", "Reset the password"
    ALREADY_REGISTERED = "already_registered", "Somebody signed up with your address"
    UNKNOWN_ADDRESS = "unknown_address", "A reset was asked for an unknown address"
    PASSWORD_CHANGED = "password_changed", "The password was changed"
    ADDRESS_CHANGED = "address_changed", "The address was changed"
    SECOND_FACTOR_CHANGED = "second_factor_changed", "The second factor was changed"
    PROGRAM_SIGNED_OUT = "program_signed_out", "A program was signed out for safety"
    KEY_INVALID = "key_invalid", "A key does not work"
    DEPLOYMENT_STOPPED = "deployment_stopped", "A deployment stopped"
    DEPLOYMENT_FAILED = "deployment_failed", "A deployment failed"
    ORDER_PROBLEM = "order_problem", "Problem with an order"
    TRADING_STATE = "trading_state", "Trading is reduced or halted"
    SUBSCRIPTION_EXPIRING = "subscription_expiring", "A subscription ends soon"
    SUBSCRIPTION_ENDED = "subscription_ended", "A subscription ended"
    RECEIPT = "receipt", "A payment was received"
    PAYMENT_FAILED = "payment_failed", "A payment failed"
    REFUND_SENT = "refund_sent", "A payment was refunded"
    COMMISSION_EARNED = "commission_earned", "A commission was earned"
    PAYOUT_SENT = "payout_sent", "A payout was sent"
    PAYOUT_REJECTED = "payout_rejected", "A payout was rejected"


class Mail(models.Model):
    """One mail to one address: sent once by a worker, tried again while the server is away.

    ``facts`` are plain values for the template. Links that prove something (verification, reset) are
    made by the worker at the moment of sending and stand in no row.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    recipient = models.EmailField(max_length=254)
    kind = models.CharField(max_length=30, choices=MailKind)
    key = models.CharField(
        max_length=120, blank=True, help_text="The same key is mailed to a person once."
    )
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    not_before = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True, help_text="When we gave up.")
    last_error = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "key"], condition=~models.Q(key=""), name="mail_once_per_key"
            ),
        ]
        indexes = [
            models.Index(
                fields=["not_before"],
                name="mails_to_send",
                condition=models.Q(sent_at__isnull=True, failed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
