"""People's accounts at venues; every read names the owner, but for what workers do across people."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Prefetch, QuerySet

from exchanges.models import USABLE_STATUSES, AccountKind, Balance, Credential, ExchangeAccount
from market.errors import NotFoundError

#: The signed-in person as a request knows them; pages behind the login never meet the anonymous one.
Owner = AbstractBaseUser | AnonymousUser

#: A sweep that finds more leaves the rest to the next one.
_MOST_SWEPT: Final = 100


class ExchangeAccountNotFoundError(NotFoundError):
    """There is no such account, or it is somebody else's."""

    code = "exchange_account_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such exchange account.")


def accounts_for(owner: Owner) -> QuerySet[ExchangeAccount]:
    """Return the open accounts of *owner* with their venues, keys in use and balances, by label."""
    return _complete(ExchangeAccount.objects.filter(owner_id=owner.pk, closed_at=None)).order_by(
        "label", "pk"
    )


def accounts_below(
    owner: Owner, *, venue_code: str | None, below: int | None, limit: int
) -> Sequence[ExchangeAccount]:
    """Return at most *limit* open accounts of *owner*, newest first, below the key of one."""
    found = ExchangeAccount.objects.filter(owner_id=owner.pk, closed_at=None)
    if venue_code is not None:
        found = found.filter(venue__code=venue_code)
    if below is not None:
        found = found.filter(pk__lt=below)
    return list(_complete(found).order_by("-pk")[:limit])


def get_account_for(owner: Owner, *, public_id: UUID) -> ExchangeAccount:
    """Return an account of *owner*, closed ones too; raise ExchangeAccountNotFoundError for any other."""
    account = _complete(
        ExchangeAccount.objects.filter(owner_id=owner.pk, public_id=public_id)
    ).first()
    if account is None:
        raise ExchangeAccountNotFoundError
    return account


def find_account_under_test(*, account_id: int) -> ExchangeAccount | None:
    """Return an account that waits for the result of a test, or None; for workers."""
    waiting = ExchangeAccount.objects.filter(
        pk=account_id, test_requested_at__isnull=False, closed_at=None
    )
    return _complete(waiting).first()


def accounts_waiting_since(*, before: datetime) -> list[int]:
    """Return the ids of accounts whose test was asked for before an instant and has no result; for workers."""
    waiting = ExchangeAccount.objects.filter(test_requested_at__lt=before, closed_at=None)
    return list(waiting.order_by("pk").values_list("pk", flat=True)[:_MOST_SWEPT])


def is_usable(*, account_id: int) -> bool:
    """Tell whether orders may be sent in the name of an account; for workers."""
    return ExchangeAccount.objects.filter(
        pk=account_id, status__in=USABLE_STATUSES, closed_at=None
    ).exists()


def usable_accounts_after(*, key: int, limit: int) -> Sequence[ExchangeAccount]:
    """Return at most *limit* live accounts in whose name orders may be sent, by key, after one; for workers."""
    usable = ExchangeAccount.objects.filter(
        pk__gt=key, kind=AccountKind.LIVE, status__in=USABLE_STATUSES, closed_at=None
    )
    return list(_complete(usable).order_by("pk")[:limit])


def lock_due_for_balances(*, now: datetime) -> list[ExchangeAccount]:
    """Return the accounts whose venue is to be asked by now what they hold, locked; for workers."""
    due = ExchangeAccount.objects.filter(
        next_balances_at__lte=now,
        kind=AccountKind.LIVE,
        status__in=USABLE_STATUSES,
        closed_at=None,
    )
    locked = due.select_for_update(of=("self",), skip_locked=True)
    return list(locked.order_by("next_balances_at", "pk")[:_MOST_SWEPT])


def lock_due_for_test(*, now: datetime) -> list[ExchangeAccount]:
    """Return the accounts whose key is to be tested by now and is not, locked; for workers.

    What somebody else holds is left to the next look.
    """
    due = ExchangeAccount.objects.filter(
        next_test_at__lte=now, test_requested_at=None, closed_at=None, disabled_at=None
    )
    locked = due.select_for_update(of=("self",), skip_locked=True)
    return list(locked.order_by("next_test_at", "pk")[:_MOST_SWEPT])


def credential_in_use(account: ExchangeAccount) -> Credential | None:
    """Return the keys in use of an account that came from this module, without another query."""
    return next(iter(account.credentials.all()), None)


def _complete(accounts: QuerySet[ExchangeAccount]) -> QuerySet[ExchangeAccount]:
    in_use = Credential.objects.filter(replaced_at=None).defer(
        "sealed_api_key", "sealed_secret", "sealed_passphrase"
    )
    return accounts.select_related("venue", "owner").prefetch_related(
        Prefetch("credentials", in_use),
        Prefetch("balances", Balance.objects.order_by("currency")),
    )


def held_by_accounts(
    account_ids: Collection[int],
) -> dict[int, dict[str, tuple[Decimal, datetime]]]:
    """Return what live accounts held of each currency, free or not, and when their venue said so."""
    found: dict[int, dict[str, tuple[Decimal, datetime]]] = {}
    for row in Balance.objects.filter(account_id__in=account_ids):
        found.setdefault(row.account_id, {})[row.currency] = (row.free + row.used, row.venue_at)
    return found


def connected_count() -> int:
    """Return how many accounts orders can be sent for, paper accounts aside."""
    return (
        ExchangeAccount.objects.filter(closed_at=None, status__in=USABLE_STATUSES)
        .exclude(kind=AccountKind.PAPER)
        .count()
    )


def find_by_public_id(public_id: UUID) -> ExchangeAccount | None:
    """Return the account of whoever it is, None if there is none; for operators only."""
    return ExchangeAccount.objects.filter(public_id=public_id).first()
