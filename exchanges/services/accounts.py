"""Connecting, changing and closing people's accounts at venues."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import MailKind, NotificationKind, NotificationLevel
from accounts.services.notifications import notify
from billing.services import entitlements
from billing.services.entitlements import Limit
from exchanges.adapters.protocol import BalanceReport
from exchanges.domain.credentials import CleanCredential, PastedCredential, clean_credential
from exchanges.events import ACCOUNT_INVALIDATED
from exchanges.models import (
    AccountKind,
    AccountStatus,
    Balance,
    Credential,
    ExchangeAccount,
    Venue,
)
from exchanges.selectors import instruments, usage
from exchanges.selectors.accounts import ExchangeAccountNotFoundError, Owner
from foundation import audit
from foundation.audit import Actor
from foundation.crypto import SealedSecret, seal
from foundation.events import publish
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from market.errors import ConflictError, FieldProblem, InvalidInputError

logger = logging.getLogger(__name__)

PAPER_LABEL: Final = "Paper"


class VenueTakesNoKeysError(ConflictError):
    """The platform does not trade for people at this venue; its candles and paper accounts need no key."""

    code = "venue_takes_no_keys"

    def __init__(self, venue: Venue) -> None:
        super().__init__(f"{venue.name} cannot be connected yet; a paper account needs no key.")


class LabelTakenError(ConflictError):
    """The person has another open account of that name at the venue."""

    code = "account_label_taken"

    def __init__(self, label: str) -> None:
        message = f"You already have an account named “{label}” there; choose another name."
        super().__init__(message, problems=[FieldProblem("label", self.code, message)])


class InvalidLabelError(InvalidInputError):
    """A name that an account cannot have."""

    code = "invalid_label"

    def __init__(self, message: str) -> None:
        super().__init__(message, problems=[FieldProblem("label", self.code, message)])


class KeylessAccountError(ConflictError):
    """Paper accounts have no key to test or to replace."""

    code = "paper_account_has_no_key"

    def __init__(self) -> None:
        super().__init__("A paper account has no API key.")


class AccountClosedAlreadyError(ConflictError):
    """The account is closed."""

    code = "account_closed"

    def __init__(self) -> None:
        super().__init__("This exchange account is closed.")


class AccountDisabledError(ConflictError):
    """An operator has disabled the account."""

    code = "account_disabled"

    def __init__(self) -> None:
        super().__init__("An operator has disabled this exchange account; ask them about it.")


#: Asked before an account is closed; an app above raises ConflictError while it still trades there.
ClosingCheck = Callable[[ExchangeAccount], None]
_closing_checks: list[ClosingCheck] = []


def ask_before_closing(check: ClosingCheck) -> None:
    """Let *check* refuse to close an account; called from ``AppConfig.ready`` of an app above."""
    if check not in _closing_checks:
        _closing_checks.append(check)


@transactional
def connect_account(
    *,
    owner: Owner,
    venue_code: str,
    label: str,
    api_key: str,
    secret: str,
    passphrase: str = "",
    by: Actor,
    now: datetime,
) -> ExchangeAccount:
    """Store an account with its sealed keys, and have a worker test them.

    Raises UnknownVenueError, VenueTakesNoKeysError, CredentialFormatError, InvalidLabelError, LabelTakenError, or
    PlanLimitError if the person's plan allows no further account.
    """
    venue = instruments.get_venue(venue_code)
    if not venue.takes_live_accounts or not venue.is_active:
        raise VenueTakesNoKeysError(venue)
    clean = clean_credential(PastedCredential(api_key, secret, passphrase))
    label = _clean_label(label, venue=venue)
    entitlements.require(
        owner,
        limit=Limit.EXCHANGE_ACCOUNTS,
        used=lambda: usage.count_accounts(cast(int, owner.pk), now),
        now=now,
    )
    try:
        with transaction.atomic():
            account = ExchangeAccount.objects.create(
                owner_id=cast(int, owner.pk), venue=venue, kind=AccountKind.LIVE, label=label
            )
    except IntegrityError:
        raise LabelTakenError(label) from None
    _store_credential(account, clean, version=1)
    audit.record(
        actor=by,
        verb="exchange_account.connected",
        target=account,
        owner_id=owner.pk,
        detail={"venue": venue.code, "label": label, "last_four": clean.last_four},
    )
    begin_test(account, now=now)
    logger.info("exchange_account.connected", extra={"account_id": account.pk})
    return account


@transactional
def replace_credential(
    *,
    owner: Owner,
    account_public_id: UUID,
    api_key: str,
    secret: str,
    passphrase: str = "",
    by: Actor,
    now: datetime,
) -> ExchangeAccount:
    """Put new keys in the place of the old ones, erase those, and have the new ones tested."""
    account = lock_live_account(owner=owner, public_id=account_public_id)
    clean = clean_credential(PastedCredential(api_key, secret, passphrase))
    last = Credential.objects.filter(account=account).order_by("-version").first()
    _erase_credentials(account, now=now)
    _store_credential(account, clean, version=last.version + 1 if last else 1)
    audit.record(
        actor=by,
        verb="exchange_account.credential_replaced",
        target=account,
        owner_id=owner.pk,
        detail={"last_four": clean.last_four, "was": last.last_four if last else ""},
    )
    begin_test(account, now=now)
    return account


@transactional
def ensure_paper_account(
    *, owner: Owner, venue_code: str, by: Actor | None = None, now: datetime
) -> ExchangeAccount:
    """Return the person's keyless account at a venue, making it the first time."""
    venue = instruments.get_venue(venue_code)
    try:
        with transaction.atomic():
            account = ExchangeAccount.objects.create(
                owner_id=cast(int, owner.pk),
                venue=venue,
                kind=AccountKind.PAPER,
                label=PAPER_LABEL,
                status=AccountStatus.CONNECTED,
                connected_at=now,
            )
    except IntegrityError:
        return ExchangeAccount.objects.select_related("venue").get(
            owner_id=owner.pk, venue=venue, kind=AccountKind.PAPER, closed_at=None
        )
    audit.record(
        actor=by or Actor.person(account.owner_id),
        verb="exchange_account.paper_opened",
        target=account,
        owner_id=owner.pk,
        detail={"venue": venue.code},
    )
    return account


@transactional
def close_account(
    *, owner: Owner, account_public_id: UUID, by: Actor, now: datetime
) -> ExchangeAccount:
    """Close an account for good and erase its keys; what was traded there stays on record.

    An app above may refuse with a ConflictError, as trading does while something runs there.
    """
    account = lock_account(owner=owner, public_id=account_public_id)
    for check in _closing_checks:
        check(account)
    _erase_credentials(account, now=now)
    Balance.objects.filter(account=account).delete()
    account.closed_at = now
    account.connected_at = None
    account.version += 1
    account.save(update_fields=["closed_at", "connected_at", "version"])
    audit.record(
        actor=by, verb="exchange_account.closed", target=account, owner_id=owner.pk, detail={}
    )
    publish(
        ACCOUNT_INVALIDATED,
        occurred_at=now,
        owner_id=owner.pk,
        account_id=account.pk,
        code=AccountClosedAlreadyError.code,
    )
    return account


@transactional
def invalidate_account(*, account_id: int, code: str, message: str, now: datetime) -> None:
    """Note that a venue has refused the key of an account in the middle of trading, and tell the apps above."""
    account = ExchangeAccount.objects.select_for_update().get(pk=account_id)
    if account.connected_at is None or account.kind == AccountKind.PAPER:
        return
    refuse_account(account, code=code, message=message, now=now)


@part_of_transaction
def begin_test(account: ExchangeAccount, *, now: datetime) -> None:
    """Have a worker test the key of an account; one that worked so far keeps working meanwhile.

    Raises AccountDisabledError, for a key that is found to work would put the account back to use.
    """
    if account.disabled_at is not None:
        raise AccountDisabledError
    account.status = AccountStatus.TESTING
    account.status_code, account.status_message = "", ""
    account.test_requested_at = now
    account.version += 1
    account.save(
        update_fields=["status", "status_code", "status_message", "test_requested_at", "version"]
    )
    enqueue_on_commit("exchanges.test_account", account_id=account.pk)


@part_of_transaction
def refuse_account(account: ExchangeAccount, *, code: str, message: str, now: datetime) -> None:
    """Note that the key of a locked account is refused; tell the apps above if it worked until now."""
    was_connected = account.connected_at is not None
    account.status = AccountStatus.REJECTED
    account.status_code, account.status_message = code, message
    account.tested_at, account.connected_at = now, None
    account.version += 1
    account.save(
        update_fields=[
            "status", "status_code", "status_message", "tested_at", "connected_at", "version"
        ]
    )  # fmt: skip
    if was_connected:
        publish(
            ACCOUNT_INVALIDATED,
            occurred_at=now,
            owner_id=account.owner_id,
            account_id=account.pk,
            code=code,
        )
        _tell_owner(account)


@part_of_transaction
def record_balances(*, account_id: int, reports: Sequence[BalanceReport], now: datetime) -> None:
    """Store what the venue says that an account holds; a currency that is not named is held no more."""
    account = ExchangeAccount.objects.only("pk", "owner_id").get(pk=account_id)
    rows = [
        Balance(
            account=account,
            owner_id=account.owner_id,
            currency=report.currency,
            free=report.free,
            used=report.used,
            venue_at=now,
        )
        for report in reports
    ]
    Balance.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "currency"],
        update_fields=["free", "used", "venue_at"],
    )
    held = [report.currency for report in reports]
    Balance.objects.filter(account=account).exclude(currency__in=held).delete()


@part_of_transaction
def lock_account(*, owner: Owner, public_id: UUID) -> ExchangeAccount:
    """Return an open account of *owner*, locked for a change."""
    account = (
        ExchangeAccount.objects.select_for_update(of=("self",))
        .select_related("venue", "owner")
        .filter(owner_id=owner.pk, public_id=public_id)
        .first()
    )
    if account is None:
        raise ExchangeAccountNotFoundError
    if account.closed_at is not None:
        raise AccountClosedAlreadyError
    return account


@part_of_transaction
def lock_live_account(*, owner: Owner, public_id: UUID) -> ExchangeAccount:
    """Return an open account of *owner* that has keys, locked for a change."""
    account = lock_account(owner=owner, public_id=public_id)
    if account.kind == AccountKind.PAPER:
        raise KeylessAccountError
    return account


def _tell_owner(account: ExchangeAccount) -> None:
    """Tell the owner of an account that its key stopped working; each time that it does, once."""
    notify(
        owner_id=account.owner_id,
        kind=NotificationKind.KEY_INVALID,
        key=f"key-invalid:{account.pk}:{account.version}",
        title=f"The key of “{account.label}” was refused",
        body=account.status_message,
        path=reverse("exchanges:detail", args=[account.public_id]),
        level=NotificationLevel.PROBLEM,
        mail=MailKind.KEY_INVALID,
        facts={"exchange": account.venue.name},
    )


def _clean_label(label: str, *, venue: Venue) -> str:
    cleaned = " ".join(label.split()) or venue.name
    longest = ExchangeAccount._meta.get_field("label").max_length or 0  # noqa: SLF001  the documented model API
    if len(cleaned) > longest:
        raise InvalidLabelError(f"The name has {len(cleaned)} characters; at most {longest} fit.")
    if not cleaned.isprintable():
        raise InvalidLabelError("The name has characters that cannot be shown.")
    if cleaned.casefold() == PAPER_LABEL.casefold():
        raise InvalidLabelError(f"“{PAPER_LABEL}” is the name of paper accounts; choose another.")
    return cleaned


def _store_credential(account: ExchangeAccount, clean: CleanCredential, *, version: int) -> None:
    credential = Credential(
        owner=account.owner, account=account, version=version, last_four=clean.last_four
    )
    credential.sealed_api_key = seal(clean.api_key, credential.context("api_key"))
    credential.sealed_secret = seal(clean.secret, credential.context("secret"))
    if clean.passphrase:
        credential.sealed_passphrase = seal(clean.passphrase, credential.context("passphrase"))
    credential.save()


def _erase_credentials(account: ExchangeAccount, *, now: datetime) -> None:
    """Keep the row, for the record of which key was used when, and nothing of the key."""
    Credential.objects.filter(account=account, replaced_at=None).update(
        replaced_at=now,
        sealed_api_key=SealedSecret(b""),
        sealed_secret=SealedSecret(b""),
        sealed_passphrase=SealedSecret(b""),
    )
