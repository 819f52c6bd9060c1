"""What state an account is in: which tests and refusals lead from one to the other, and who is told."""

import logging
from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.urls import reverse

from accounts.models import MailKind, NotificationKind, NotificationLevel
from accounts.services.notifications import notify
from exchanges.domain import testing
from exchanges.events import ACCOUNT_INVALIDATED
from exchanges.models import USABLE_STATUSES, AccountKind, AccountStatus, ExchangeAccount
from foundation import audit
from foundation.audit import Actor
from foundation.events import publish
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from market.errors import ConflictError

logger = logging.getLogger(__name__)

_ACTOR: Final = Actor.system("exchanges.accounts")

_STATE_FIELDS: Final = (
    "status", "status_code", "status_message", "test_requested_at", "tested_at", "next_test_at",
    "authentication_failures", "connected_at", "version",
)  # fmt: skip


class AccountDisabledError(ConflictError):
    """An operator has disabled the account."""

    code = "account_disabled"

    def __init__(self) -> None:
        super().__init__("An operator has disabled this exchange account; ask them about it.")


@part_of_transaction
def begin_test(account: ExchangeAccount, *, now: datetime) -> None:
    """Have a worker test the key of a locked account; one that works goes on working meanwhile.

    Raises AccountDisabledError, for a key that is found to work would put the account back to use.
    """
    if account.disabled_at is not None:
        raise AccountDisabledError
    account.test_requested_at = now
    account.version += 1
    account.save(update_fields=["test_requested_at", "version"])
    enqueue_on_commit("exchanges.test_account", account_id=account.pk)


@part_of_transaction
def await_verification(account: ExchangeAccount, *, now: datetime) -> None:
    """Take a locked account out of use until its new key is tested: it could be one that can withdraw."""
    account.status = AccountStatus.PENDING
    account.status_code = account.status_message = ""
    account.connected_at = None
    account.authentication_failures = 0
    account.save(update_fields=_STATE_FIELDS)
    begin_test(account, now=now)


@part_of_transaction
def accept_key(
    account: ExchangeAccount, *, status: AccountStatus, code: str, message: str, now: datetime
) -> None:
    """Note that the key of a locked account works; *status* is one of the usable ones."""
    if status not in USABLE_STATUSES:
        raise ValueError(f"An account whose key works is not {status}.")
    account.status = status
    account.connected_at = account.connected_at or now
    account.authentication_failures = 0
    _finish_test(account, code=code, message=message, now=now)
    account.next_test_at = testing.next_daily_test(now=now, key=str(account.public_id))
    account.save(update_fields=_STATE_FIELDS)


@part_of_transaction
def note_no_answer(account: ExchangeAccount, *, code: str, message: str, now: datetime) -> None:
    """Note why a locked account could not be tested; its state stays, and it is tested again soon."""
    _finish_test(account, code=code, message=message, now=now)
    refused = account.authentication_failures > 0
    account.next_test_at = now + (testing.AFTER_REFUSAL if refused else testing.AFTER_SILENCE)
    account.save(update_fields=_STATE_FIELDS)


@part_of_transaction
def ask_for_declaration(account: ExchangeAccount, *, message: str, now: datetime) -> None:
    """Keep a locked account out of use until its owner declares what the venue does not tell.

    One that worked until now, while its venue told, is taken out of use; the apps above and the owner are told.
    """
    was_usable = account.is_usable
    account.status, account.connected_at = AccountStatus.PENDING, None
    _finish_test(account, code=testing.DECLARATION_NEEDED, message=message, now=now)
    account.next_test_at = None
    account.save(update_fields=_STATE_FIELDS)
    if was_usable:
        tell_apps_above(account, code=testing.DECLARATION_NEEDED, now=now)
        _tell_owner(account, f"“{account.label}” needs a declaration about its key")


@part_of_transaction
def refuse_account(account: ExchangeAccount, *, code: str, message: str, now: datetime) -> None:
    """Note that the key of a locked account is refused; tell the apps above and the owner if it worked until now."""
    was_usable = account.is_usable
    account.status, account.connected_at = AccountStatus.INVALID, None
    _finish_test(account, code=code, message=message, now=now)
    account.next_test_at = None
    account.save(update_fields=_STATE_FIELDS)
    if was_usable:
        tell_apps_above(account, code=code, now=now)
        _tell_owner(account, f"The key of “{account.label}” was refused")


@part_of_transaction
def count_refusal(account: ExchangeAccount, *, code: str, message: str, now: datetime) -> None:
    """Count that the venue did not accept the key of a locked account; the third time in a row refuses it.

    A key that never worked gets no second chance.
    """
    account.authentication_failures += 1
    if not account.is_usable or account.authentication_failures >= testing.REFUSALS_IN_A_ROW:
        refuse_account(account, code=code, message=message, now=now)
    else:
        note_no_answer(account, code=code, message=message, now=now)


@transactional
def note_refusal(*, account_id: int, code: str, message: str, now: datetime) -> None:
    """Count that a venue did not accept the key of an account in the middle of trading."""
    account = ExchangeAccount.objects.select_for_update(of=("self",)).get(pk=account_id)
    if not account.is_usable or account.kind == AccountKind.PAPER:
        return
    count_refusal(account, code=code, message=message, now=now)
    audit.record(
        actor=_ACTOR,
        verb="exchange_account.key_refused",
        target=account,
        owner_id=account.owner_id,
        detail={"code": code, "in_a_row": account.authentication_failures},
    )
    logger.warning(
        "exchange_account.key_refused",
        extra={"account_id": account_id, "in_a_row": account.authentication_failures},
    )


@transactional
def note_acceptance(*, account_id: int) -> None:
    """Note that a venue has answered a signed call: what it refused before does not count any more."""
    failed = ExchangeAccount.objects.filter(pk=account_id, authentication_failures__gt=0)
    if not failed.exists():
        # By far the most calls: nothing is written, and nothing waits for the row.
        return
    account = failed.select_for_update(of=("self",)).first()
    if account is None or not account.is_usable:
        return
    account.authentication_failures = 0
    account.status_code = account.status_message = ""
    account.version += 1
    account.save(
        update_fields=["authentication_failures", "status_code", "status_message", "version"]
    )


def note_acceptances(*, account_ids: Collection[int]) -> None:
    """Note that venues have answered signed calls of these accounts; one look if none was refused before."""
    refused = ExchangeAccount.objects.filter(pk__in=account_ids, authentication_failures__gt=0)
    for account_id in refused.order_by("pk").values_list("pk", flat=True):
        note_acceptance(account_id=account_id)


@part_of_transaction
def tell_apps_above(account: ExchangeAccount, *, code: str, now: datetime) -> None:
    """Let the apps above hear that nothing can be sent in the name of *account* any more."""
    publish(
        ACCOUNT_INVALIDATED,
        occurred_at=now,
        owner_id=account.owner_id,
        account_id=account.pk,
        code=code,
    )


def _finish_test(account: ExchangeAccount, *, code: str, message: str, now: datetime) -> None:
    account.status_code, account.status_message = code, message[:300]
    account.test_requested_at, account.tested_at = None, now
    account.version += 1


def _tell_owner(account: ExchangeAccount, title: str) -> None:
    """Tell the owner of an account that its key stopped working; each time that it does, once."""
    notify(
        owner_id=account.owner_id,
        kind=NotificationKind.KEY_INVALID,
        key=f"key-invalid:{account.pk}:{account.version}",
        title=title,
        body=account.status_message,
        path=reverse("exchanges:detail", args=[account.public_id]),
        level=NotificationLevel.PROBLEM,
        mail=MailKind.KEY_INVALID,
        facts={"exchange": account.venue.name},
    )
