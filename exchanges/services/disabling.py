"""What operators may do about a person's exchange account: take it out of use, and give it back."""

from datetime import datetime

from django.urls import reverse

from accounts.models import MailKind, NotificationKind, NotificationLevel
from accounts.services.notifications import notify
from exchanges.models import AccountKind, AccountStatus, ExchangeAccount
from exchanges.selectors.accounts import ExchangeAccountNotFoundError
from exchanges.services import account_states
from exchanges.services.account_states import AccountDisabledError
from exchanges.services.accounts import AccountClosedAlreadyError
from foundation import audit
from foundation.audit import Actor
from foundation.transactions import part_of_transaction, transactional

_MESSAGE = "An operator has disabled this account. Nothing is sent to the exchange in its name."


@transactional
def disable_account(
    *, account_id: int, note: str = "", by: Actor, now: datetime
) -> ExchangeAccount:
    """Let nothing trade in the name of an account; its keys stay sealed and its rows stay. A repeat changes nothing.

    Raises ExchangeAccountNotFoundError or AccountClosedAlreadyError.
    """
    account = _lock(account_id)
    if account.disabled_at is not None:
        return account
    account.disabled_at, account.connected_at = now, None
    account.next_test_at = account.test_requested_at = None
    account.status = AccountStatus.DISABLED
    account.status_code, account.status_message = AccountDisabledError.code, _MESSAGE
    _save(account)
    audit.record(
        actor=by,
        verb="exchange_account.disabled",
        target=account,
        owner_id=account.owner_id,
        detail={"note": note.strip()[:300]},
    )
    notify(
        owner_id=account.owner_id,
        kind=NotificationKind.KEY_INVALID,
        key=f"account-disabled:{account.pk}:{account.version}",
        title=f"“{account.label}” was disabled by an operator",
        body=_MESSAGE,
        path=reverse("exchanges:detail", args=[account.public_id]),
        level=NotificationLevel.PROBLEM,
        mail=MailKind.KEY_INVALID,
        facts={"exchange": account.venue.name},
    )
    account_states.tell_apps_above(account, code=AccountDisabledError.code, now=now)
    return account


@transactional
def enable_account(*, account_id: int, by: Actor, now: datetime) -> ExchangeAccount:
    """Give an account back: a key is tested first, a paper account works at once. A repeat changes nothing."""
    account = _lock(account_id)
    if account.disabled_at is None:
        return account
    account.disabled_at = None
    account.status, account.authentication_failures = AccountStatus.PENDING, 0
    account.status_code, account.status_message = "", ""
    if account.kind == AccountKind.PAPER:
        account.status, account.connected_at = AccountStatus.ACTIVE, now
    _save(account)
    audit.record(
        actor=by,
        verb="exchange_account.enabled",
        target=account,
        owner_id=account.owner_id,
    )
    if account.kind != AccountKind.PAPER:
        account_states.begin_test(account, now=now)
    return account


@part_of_transaction
def _lock(account_id: int) -> ExchangeAccount:
    account = (
        ExchangeAccount.objects.select_for_update(of=("self",))
        .select_related("venue", "owner")
        .filter(pk=account_id)
        .first()
    )
    if account is None:
        raise ExchangeAccountNotFoundError
    if account.closed_at is not None:
        raise AccountClosedAlreadyError
    return account


def _save(account: ExchangeAccount) -> None:
    account.version += 1
    account.save(
        update_fields=[
            "disabled_at", "connected_at", "status", "status_code", "status_message", "next_test_at",
            "test_requested_at", "authentication_failures", "version",
        ]
    )  # fmt: skip
