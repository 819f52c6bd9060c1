"""A person's accounts at venues, and the sealed keys to them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from exchanges.models.venues import Venue
from foundation.crypto import SecretContext
from foundation.crypto.fields import SealedField
from foundation.fields import money_field


class AccountKind(models.TextChoices):
    """Whether orders reach the venue."""

    LIVE = "LIVE", "Live"
    PAPER = "PAPER", "Paper"


class AccountStatus(models.TextChoices):
    """What the last test of the key said."""

    UNTESTED = "UNTESTED", "Not tested yet"
    TESTING = "TESTING", "Being tested"
    CONNECTED = "CONNECTED", "Connected"
    REJECTED = "REJECTED", "Key refused"
    UNREACHABLE = "UNREACHABLE", "Exchange not reached"


class ExchangeAccount(models.Model):
    """A person's account at a venue; permanent, because orders point to it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="accounts")
    kind = models.CharField(max_length=5, choices=AccountKind)
    label = models.CharField(max_length=80)
    status = models.CharField(max_length=12, choices=AccountStatus, default=AccountStatus.UNTESTED)
    status_code = models.CharField(max_length=60, blank=True)
    status_message = models.CharField(max_length=300, blank=True)
    test_requested_at = models.DateTimeField(null=True, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    connected_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when the key is known to work; empty once it was refused.",
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when an operator lets nothing trade here."
    )
    next_reconcile_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    epoch = models.BigIntegerField(default=0)
    fills_cursor_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "venue"],
                condition=models.Q(kind="PAPER", closed_at__isnull=True),
                name="one_paper_account_per_venue",
            ),
            models.UniqueConstraint(
                fields=["owner", "venue", "label"],
                condition=models.Q(closed_at__isnull=True),
                name="account_label_once",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_usable(self) -> bool:
        """Whether orders may be sent in its name; a test that is under way changes nothing about that."""
        return self.connected_at is not None and self.closed_at is None


class Credential(models.Model):
    """The sealed keys of an account: replaced, never edited, and deletable.

    Columns hold what ``foundation.crypto`` sealed with owner, account, field and version as context, so that a value
    moved to another row does not open.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(
        ExchangeAccount, on_delete=models.PROTECT, related_name="credentials"
    )
    version = models.PositiveIntegerField()
    sealed_api_key = SealedField()
    sealed_secret = SealedField()
    sealed_passphrase = SealedField(default=bytes, blank=True)
    last_four = models.CharField(max_length=4)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "version"], name="credential_version_once"),
            models.UniqueConstraint(
                fields=["account"],
                condition=models.Q(replaced_at__isnull=True),
                name="one_credential_in_use",
            ),
        ]

    def __str__(self) -> str:
        return f"…{self.last_four}"

    def context(self, field: str) -> SecretContext:
        """Return the one place at which the value of *field* (``api_key``, ``secret``, ``passphrase``) opens."""
        return SecretContext(
            owner=str(self.account.owner.public_id),
            holder=str(self.account.public_id),
            field=field,
            version=self.version,
        )


class Balance(models.Model):
    """What the venue last said an account holds of a currency."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(ExchangeAccount, on_delete=models.CASCADE, related_name="balances")
    currency = models.CharField(max_length=20)
    free = money_field()
    used = money_field()
    venue_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "currency"], name="balance_once_per_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.free} {self.currency}"
