"""The books: entries of postings that sum to zero per currency, kept so by the database itself."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from billing.domain.accounts import AccountCode, AccountKind
from foundation.choices import choices_of
from foundation.fields import money_field


def _append_only() -> list[pgtrigger.Trigger]:
    """Return the triggers that keep rows as they were written; a correction is a new entry."""
    return [
        pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        pgtrigger.Trigger(
            name="not_truncated",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func="RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;",
        ),
    ]


class LedgerAccount(models.Model):
    """One account in one currency, of the installation or of one person."""

    code = models.CharField(max_length=30, choices=choices_of(AccountCode))
    kind = models.CharField(max_length=10, choices=choices_of(AccountKind))
    currency = models.CharField(max_length=3)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["code", "currency", "owner"],
                nulls_distinct=False,
                name="one_account_per_currency",
            ),
            # What the currency of a posting refers to (see the migration).
            models.UniqueConstraint(fields=["id", "currency"], name="account_with_currency"),
        ]
        triggers = _append_only()

    def __str__(self) -> str:
        whose = f" of {self.owner_id}" if self.owner_id else ""
        return f"{self.code}{whose} {self.currency}"


class LedgerEntry(models.Model):
    """Something that happened to money: at least two postings, written with it and never after it."""

    source = models.CharField(max_length=30)
    source_id = models.CharField(max_length=100)
    kind = models.CharField(max_length=30)
    lines = models.PositiveSmallIntegerField(help_text="How many postings it has.")
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversed_by"
    )
    memo = models.CharField(max_length=200, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(
                fields=["source", "source_id", "kind"], name="entry_once_per_cause"
            ),
            models.CheckConstraint(condition=models.Q(lines__gte=2), name="entry_has_two_lines"),
        ]
        indexes = [models.Index(fields=["occurred_at"], name="entries_by_time")]
        triggers = [
            *_append_only(),
            pgtrigger.Trigger(
                name="complete",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                declare=[("found", "BIGINT")],
                func="""
                    SELECT count(*) INTO found
                    FROM billing_ledgerposting WHERE entry_id = NEW.id;
                    IF found <> NEW.lines THEN
                        RAISE EXCEPTION 'ledger entry % has % postings instead of %',
                            NEW.id, found, NEW.lines;
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.source_id} {self.kind}"


class LedgerPosting(models.Model):
    """A debit (above zero) or a credit (below) of one account; its currency is the account's."""

    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="postings")
    currency = models.CharField(max_length=3)
    amount = money_field()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(amount=0), name="posting_moves_money"),
        ]
        triggers = [
            *_append_only(),
            pgtrigger.Trigger(
                name="balanced",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                declare=[("bad", "TEXT"), ("found", "BIGINT"), ("wanted", "BIGINT")],
                func="""
                    SELECT string_agg(q.currency || ' ' || q.total, ', '), sum(q.number)
                    INTO bad, found FROM (
                        SELECT currency, nullif(sum(amount), 0) AS total, count(*) AS number
                        FROM billing_ledgerposting WHERE entry_id = NEW.entry_id
                        GROUP BY currency
                    ) q;
                    IF bad IS NOT NULL THEN
                        RAISE EXCEPTION 'ledger entry % is unbalanced: %', NEW.entry_id, bad;
                    END IF;
                    SELECT lines INTO wanted FROM billing_ledgerentry WHERE id = NEW.entry_id;
                    IF found <> wanted THEN
                        RAISE EXCEPTION 'ledger entry % has % postings instead of %',
                            NEW.entry_id, found, wanted;
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount.normalize():f}"


class LedgerCheck(models.Model):
    """One comparison of the books with themselves and with the payments, and what it found."""

    checked_at = models.DateTimeField(unique=True)
    violations = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.checked_at:%Y-%m-%d} {len(self.violations)} violations"
