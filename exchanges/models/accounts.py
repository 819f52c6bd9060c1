"""A person's accounts at venues, and the sealed keys to them."""

import uuid
from typing import Final

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
    """Whether orders may be sent in the name of an account, and why not.

    A test that is under way is no state: an account that works goes on working until the answer is there.
    """

    PENDING = "PENDING", "Not verified yet"
    ACTIVE = "ACTIVE", "Active"
    UNVERIFIED_PERMISSIONS = "UNVERIFIED_PERMISSIONS", "Active, permissions unverified"
    INVALID = "INVALID", "Key refused"
    DISABLED = "DISABLED", "Disabled by an operator"


#: The states in which orders may be sent.
USABLE_STATUSES: Final = (AccountStatus.ACTIVE, AccountStatus.UNVERIFIED_PERMISSIONS)


class ExchangeAccount(models.Model):
    """A person's account at a venue; permanent, because orders point to it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="accounts")
    kind = models.CharField(max_length=5, choices=AccountKind)
    label = models.CharField(max_length=80)
    status = models.CharField(max_length=24, choices=AccountStatus, default=AccountStatus.PENDING)
    status_code = models.CharField(
        max_length=60, blank=True, help_text="What the last test or the operator said; empty: fine."
    )
    status_message = models.CharField(max_length=300, blank=True)
    test_requested_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when a test is under way; empty: none is."
    )
    tested_at = models.DateTimeField(null=True, blank=True)
    next_test_at = models.DateTimeField(
        null=True, blank=True, help_text="When the key is tested again by itself; empty: never."
    )
    authentication_failures = models.PositiveSmallIntegerField(
        default=0, help_text="How often in a row the venue has refused a key that worked before."
    )
    connected_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when orders may be sent; empty while they may not.",
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when an operator lets nothing trade here."
    )
    next_balances_at = models.DateTimeField(
        null=True, blank=True, help_text="When the venue is asked again what the account holds."
    )
    next_reconcile_at = models.DateTimeField(null=True, blank=True)
    reconciled_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the last complete comparison with the venue began, by the database's clock.",
    )
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
            models.CheckConstraint(
                condition=models.Q(closed_at__isnull=False)
                | models.Q(
                    status__in=["ACTIVE", "UNVERIFIED_PERMISSIONS"], connected_at__isnull=False
                )
                | models.Q(
                    status__in=["PENDING", "INVALID", "DISABLED"], connected_at__isnull=True
                ),
                name="account_connected_while_usable",
            ),
            models.CheckConstraint(
                condition=models.Q(status="DISABLED", disabled_at__isnull=False)
                | (~models.Q(status="DISABLED") & models.Q(disabled_at__isnull=True)),
                name="account_disabled_since",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_test_at"],
                condition=models.Q(closed_at__isnull=True, next_test_at__isnull=False),
                name="account_tests_due",
            ),
            models.Index(
                fields=["next_balances_at"],
                condition=models.Q(closed_at__isnull=True, next_balances_at__isnull=False),
                name="account_balances_due",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_usable(self) -> bool:
        """Whether orders may be sent in its name; a test that is under way changes nothing about that."""
        return self.connected_at is not None and self.closed_at is None

    @property
    def is_being_tested(self) -> bool:
        """Whether a worker is to answer for the key."""
        return self.test_requested_at is not None and self.closed_at is None

    @property
    def is_unverified(self) -> bool:
        """Whether only the person's word says that the key cannot withdraw; shown wherever the account is."""
        return self.status == AccountStatus.UNVERIFIED_PERMISSIONS and self.closed_at is None


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
    declared_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the person declared that this key can neither withdraw nor transfer.",
    )
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
