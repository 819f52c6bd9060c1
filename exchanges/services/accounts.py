"""Connecting, changing and closing people's accounts at venues."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from django.db import IntegrityError, transaction

from billing.services import entitlements
from billing.services.entitlements import Limit
from exchanges.adapters import key_guides
from exchanges.domain.credentials import CleanCredential, PastedCredential, clean_credential
from exchanges.models import (
    AccountKind,
    AccountStatus,
    Credential,
    ExchangeAccount,
    Venue,
)
from exchanges.selectors import instruments, usage
from exchanges.selectors.accounts import ExchangeAccountNotFoundError, Owner
from exchanges.services import account_states, balances
from foundation import audit
from foundation.audit import Actor
from foundation.crypto import SealedSecret, seal
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


class DeclarationMissingError(InvalidInputError):
    """The venue does not tell what a key may do, so its owner has to say that it cannot withdraw."""

    code = "declaration_missing"

    def __init__(self, venue: Venue) -> None:
        message = f"{venue.name} does not tell what a key may do. Declare that this one can neither withdraw nor transfer."
        super().__init__(message, problems=[FieldProblem("declares_safe", self.code, message)])


class PassphraseMissingError(InvalidInputError):
    """The venue gives a passphrase with each key, and it was left out."""

    code = "passphrase_missing"

    def __init__(self, venue: Venue) -> None:
        message = f"{venue.name} needs the passphrase that belongs to the key."
        super().__init__(message, problems=[FieldProblem("passphrase", self.code, message)])


class AccountClosedAlreadyError(ConflictError):
    """The account is closed."""

    code = "account_closed"

    def __init__(self) -> None:
        super().__init__("This exchange account is closed.")


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
    declares_safe: bool = False,
    by: Actor,
    now: datetime,
) -> ExchangeAccount:
    """Store an account with its sealed keys, and have a worker test them.

    *declares_safe* is the person's word that the key can neither withdraw nor transfer; a venue that does not tell what
    a key may do asks for it. Raises UnknownVenueError, VenueTakesNoKeysError, CredentialFormatError,
    PassphraseMissingError, DeclarationMissingError, InvalidLabelError, LabelTakenError, or PlanLimitError if the
    person's plan allows no further account.
    """
    venue = instruments.get_venue(venue_code)
    if not venue.takes_live_accounts or not venue.is_active:
        raise VenueTakesNoKeysError(venue)
    clean = _checked(
        PastedCredential(api_key, secret, passphrase), venue, declares_safe=declares_safe
    )
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
    _store_credential(account, clean, version=1, declared_at=now if declares_safe else None)
    audit.record(
        actor=by,
        verb="exchange_account.connected",
        target=account,
        owner_id=owner.pk,
        detail={
            "venue": venue.code,
            "label": label,
            "last_four": clean.last_four,
            "declared_safe": declares_safe,
        },
    )
    account_states.begin_test(account, now=now)
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
    declares_safe: bool = False,
    by: Actor,
    now: datetime,
) -> ExchangeAccount:
    """Put new keys in the place of the old ones, erase those, and have the new ones tested.

    Nothing is opened in the account's name until that is done: the new key could be one that can withdraw.
    """
    account = lock_live_account(owner=owner, public_id=account_public_id)
    if account.disabled_at is not None:
        raise account_states.AccountDisabledError
    clean = _checked(
        PastedCredential(api_key, secret, passphrase), account.venue, declares_safe=declares_safe
    )
    last = Credential.objects.filter(account=account).order_by("-version").first()
    _erase_credentials(account, now=now)
    _store_credential(
        account,
        clean,
        version=last.version + 1 if last else 1,
        declared_at=now if declares_safe else None,
    )
    audit.record(
        actor=by,
        verb="exchange_account.credential_replaced",
        target=account,
        owner_id=owner.pk,
        detail={
            "last_four": clean.last_four,
            "was": last.last_four if last else "",
            "declared_safe": declares_safe,
        },
    )
    account_states.await_verification(account, now=now)
    return account


@transactional
def declare_safe(
    *, owner: Owner, account_public_id: UUID, by: Actor, now: datetime
) -> ExchangeAccount:
    """Take a person's word that the key in use can neither withdraw nor transfer, and have it tested. Once is enough."""
    account = lock_live_account(owner=owner, public_id=account_public_id)
    undeclared = Credential.objects.filter(account=account, replaced_at=None, declared_at=None)
    if undeclared.update(declared_at=now):
        audit.record(
            actor=by, verb="exchange_account.declared_safe", target=account, owner_id=owner.pk
        )
        account_states.begin_test(account, now=now)
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
                status=AccountStatus.ACTIVE,
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
    balances.forget(account)
    account.closed_at = now
    account.connected_at = account.next_test_at = account.test_requested_at = None
    account.version += 1
    account.save(
        update_fields=["closed_at", "connected_at", "next_test_at", "test_requested_at", "version"]
    )
    audit.record(
        actor=by, verb="exchange_account.closed", target=account, owner_id=owner.pk, detail={}
    )
    account_states.tell_apps_above(account, code=AccountClosedAlreadyError.code, now=now)
    return account


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


def _clean_label(label: str, *, venue: Venue) -> str:
    cleaned = " ".join(label.split()) or venue.name
    longest = ExchangeAccount._meta.get_field("label").max_length or 0
    if len(cleaned) > longest:
        raise InvalidLabelError(f"The name has {len(cleaned)} characters; at most {longest} fit.")
    if not cleaned.isprintable():
        raise InvalidLabelError("The name has characters that cannot be shown.")
    if cleaned.casefold() == PAPER_LABEL.casefold():
        raise InvalidLabelError(f"“{PAPER_LABEL}” is the name of paper accounts; choose another.")
    return cleaned


def _checked(pasted: PastedCredential, venue: Venue, *, declares_safe: bool) -> CleanCredential:
    clean = clean_credential(pasted)
    guide = key_guides.guide_for(venue)
    if guide.needs_passphrase and not clean.passphrase:
        raise PassphraseMissingError(venue)
    if not guide.tells_permissions and not declares_safe:
        raise DeclarationMissingError(venue)
    return clean


def _store_credential(
    account: ExchangeAccount,
    clean: CleanCredential,
    *,
    version: int,
    declared_at: datetime | None,
) -> None:
    credential = Credential(
        owner=account.owner,
        account=account,
        version=version,
        last_four=clean.last_four,
        declared_at=declared_at,
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
