"""The right to act for an account: one claim at a time, fenced by an epoch, by the database's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from exchanges.models import AccountKind, ExchangeAccount
from foundation.transactions import part_of_transaction, transactional


class AccountLeaseLostError(Exception):
    """Somebody else has claimed the account meanwhile; what this process still held is void."""


@dataclass(frozen=True, slots=True)
class AccountLease:
    """The right to act for an account, as long as its epoch is this one."""

    account_id: int
    epoch: int


@transactional
def claim_accounts(*, account_ids: Sequence[int], seconds: float) -> list[AccountLease]:
    """Claim those of the accounts that nobody has, without waiting for any."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE exchanges_exchangeaccount SET epoch = epoch + 1,"
            " lease_until = clock_timestamp() + make_interval(secs => %s)"
            " WHERE id IN (SELECT id FROM exchanges_exchangeaccount WHERE id = ANY(%s)"
            "   AND (lease_until IS NULL OR lease_until < clock_timestamp())"
            "   ORDER BY id FOR UPDATE SKIP LOCKED)"
            " RETURNING id, epoch",
            [seconds, list(account_ids)],
        )
        return [AccountLease(account_id, epoch) for account_id, epoch in cursor.fetchall()]


@transactional
def take_over(*, account_id: int, seconds: float) -> AccountLease:
    """Claim an account whoever has it: what a person commands does not wait.

    The former holder may finish the calls that it has already begun, but begins no others.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE exchanges_exchangeaccount SET epoch = epoch + 1,"
            " lease_until = clock_timestamp() + make_interval(secs => %s)"
            " WHERE id = %s RETURNING epoch",
            [seconds, account_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise ExchangeAccount.DoesNotExist(account_id)
    return AccountLease(account_id, row[0])


@part_of_transaction
def require(lease: AccountLease, *, seconds: float) -> ExchangeAccount:
    """Return the locked account and prolong the lease; raise AccountLeaseLostError if it is lost."""
    account = (
        ExchangeAccount.objects.select_for_update(of=("self",), no_key=True)
        .select_related("venue")
        .filter(pk=lease.account_id, epoch=lease.epoch)
        .first()
    )
    if account is None:
        raise AccountLeaseLostError(lease.account_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE exchanges_exchangeaccount"
            " SET lease_until = clock_timestamp() + make_interval(secs => %s) WHERE id = %s",
            [seconds, lease.account_id],
        )
    return account


@part_of_transaction
def require_many(held: Sequence[AccountLease], *, seconds: float) -> dict[int, ExchangeAccount]:
    """Return the locked accounts of those leases that still hold, by key, and prolong these.

    An account that is missing has been claimed by somebody else.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE exchanges_exchangeaccount AS account"
            " SET lease_until = clock_timestamp() + make_interval(secs => %s)"
            " FROM (SELECT id FROM exchanges_exchangeaccount"
            "   JOIN unnest(%s::bigint[], %s::bigint[]) AS held(account_id, epoch)"
            "   ON held.account_id = id AND held.epoch = exchanges_exchangeaccount.epoch"
            "   ORDER BY id FOR NO KEY UPDATE OF exchanges_exchangeaccount) AS locked"
            " WHERE account.id = locked.id RETURNING account.id",
            [seconds, [each.account_id for each in held], [each.epoch for each in held]],
        )
        ours = [account_id for (account_id,) in cursor.fetchall()]
    return ExchangeAccount.objects.select_related("venue").in_bulk(ours)


@transactional
def prolong(held: Sequence[AccountLease], *, seconds: float) -> None:
    """Prolong those leases that still hold."""
    require_many(held, seconds=seconds)


@transactional
def release(lease: AccountLease) -> None:
    """Give the account back; nothing happens if somebody else has claimed it."""
    ExchangeAccount.objects.filter(pk=lease.account_id, epoch=lease.epoch).update(lease_until=None)


@transactional
def release_many(held: Sequence[AccountLease]) -> None:
    """Give accounts back, except those that somebody else has claimed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE exchanges_exchangeaccount AS account SET lease_until = NULL"
            " FROM (SELECT id FROM exchanges_exchangeaccount"
            "   JOIN unnest(%s::bigint[], %s::bigint[]) AS held(account_id, epoch)"
            "   ON held.account_id = id AND held.epoch = exchanges_exchangeaccount.epoch"
            "   ORDER BY id FOR NO KEY UPDATE OF exchanges_exchangeaccount) AS locked"
            " WHERE account.id = locked.id",
            [[each.account_id for each in held], [each.epoch for each in held]],
        )


@part_of_transaction
def note_reconciled(
    lease: AccountLease,
    *,
    next_at: datetime,
    fills_cursor_at: datetime | None,
    began_at: datetime | None = None,
) -> None:
    """Note when the account has to be compared with its venue again, and up to where fills are known.

    *began_at* is when a comparison began that is complete now, by the database's clock.
    """
    known: dict[str, datetime] = {"next_reconcile_at": next_at}
    if fills_cursor_at is not None:
        known["fills_cursor_at"] = fills_cursor_at
    if began_at is not None:
        known["reconciled_at"] = began_at
    ExchangeAccount.objects.filter(pk=lease.account_id, epoch=lease.epoch).update(**known)


@part_of_transaction
def reconcile_soon(*, account_id: int, at: datetime) -> None:
    """Let an account be compared with its venue at *at* at the latest."""
    ExchangeAccount.objects.filter(pk=account_id).exclude(next_reconcile_at__lt=at).update(
        next_reconcile_at=at
    )


@transactional
def reconcile_all_soon(*, at: datetime) -> None:
    """Let every live account that takes part in trading be compared with its venue at *at* at the latest."""
    ExchangeAccount.objects.filter(
        kind=AccountKind.LIVE, closed_at=None, next_reconcile_at__gt=at
    ).update(next_reconcile_at=at)


def due_for_reconciliation(*, now: datetime, limit: int) -> list[int]:
    """Return live accounts that are to be compared with their venue, the most overdue first."""
    return list(
        ExchangeAccount.objects.filter(
            kind=AccountKind.LIVE,
            closed_at=None,
            connected_at__isnull=False,
            next_reconcile_at__lte=now,
        )
        .order_by("next_reconcile_at", "pk")
        .values_list("pk", flat=True)[:limit]
    )


def in_trading() -> list[int]:
    """Return the connected live accounts that are compared with their venue at all."""
    return list(
        ExchangeAccount.objects.filter(
            kind=AccountKind.LIVE,
            closed_at=None,
            connected_at__isnull=False,
            next_reconcile_at__isnull=False,
        )
        .order_by("pk")
        .values_list("pk", flat=True)
    )


@part_of_transaction
def hold(lease: AccountLease) -> None:
    """Lock the account until the transaction ends; raise AccountLeaseLostError if the lease is lost."""
    mine = ExchangeAccount.objects.select_for_update(of=("self",), no_key=True).filter(
        pk=lease.account_id, epoch=lease.epoch
    )
    if mine.values_list("pk", flat=True).first() is None:
        raise AccountLeaseLostError(lease.account_id)


def owner_of(lease: AccountLease) -> int:
    """Return whose account it is."""
    return ExchangeAccount.objects.values_list("owner_id", flat=True).get(pk=lease.account_id)


def database_now() -> datetime:
    """Return the time by the database's clock, which all processes share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
