"""Ways for a program to act for a person; of a secret only its hash is kept."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class TokenScope(models.TextChoices):
    """What a personal token may do; none of them reaches credentials, people or payments."""

    READ_MARKET = "read:market", "Read the catalogue, markets and candles"
    READ_ACCOUNT = "read:account", "Read accounts, deployments, orders and positions"
    TRADE_PAPER = "trade:paper", "Start and command paper deployments"
    TRADE_LIVE = "trade:live", "Start and command live deployments"
    MANAGE_STRATEGY = "manage:strategy", "Run and cancel backtests"
    READ_BILLING = "read:billing", "Read subscriptions and usage"


class RefreshFamily(models.Model):
    """One sign-in of a program: a chain of refresh tokens of which only the newest is good.

    Each use replaces the token under the lock of this row. The one just replaced, shown again later
    than a double click, is theft and ends the chain.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    current_jti_hash = models.CharField(max_length=64)
    previous_jti_hash = models.CharField(max_length=64, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name_plural = "refresh families"
        indexes = [
            models.Index(
                fields=["owner"],
                name="refresh_families_in_use",
                condition=models.Q(revoked_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class PersonalToken(models.Model):
    """A long-lived key for programs, shown once; the prefix finds the row, the hash proves the rest."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=20, choices=TokenScope))
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["owner", "-created_at"], name="personal_tokens_of_owner")]

    def __str__(self) -> str:
        return self.name
