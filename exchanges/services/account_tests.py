"""Testing the key of an account: asked for by a person, done by a worker, recorded for the page."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.conf import settings

from exchanges.adapters import factory, loops
from exchanges.adapters.protocol import BalanceReport, KeyPermissions, VenueClient
from exchanges.models import AccountStatus, Credential, ExchangeAccount
from exchanges.selectors import accounts as accounts_read
from exchanges.selectors.accounts import Owner
from exchanges.services import account_states, accounts, balances
from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue
from foundation.transactions import transactional
from market.errors import CredentialRejectedError, VenueError, VenueRejectedError

logger = logging.getLogger(__name__)

_ACTOR: Final = Actor.system("exchanges.test_account")

#: Bars and deadlines go by the clock, so a machine that is off by more cannot trade.
_LARGEST_CLOCK_OFFSET_S: Final = 30.0


class Finding(StrEnum):
    """What a test can find out about a key."""

    GOOD = "GOOD"
    #: It works, and the venue does not tell what else it may do.
    UNTOLD = "UNTOLD"
    #: The venue does not accept it.
    NOT_ACCEPTED = "NOT_ACCEPTED"
    #: It may do too much or too little.
    WRONG_PERMISSIONS = "WRONG_PERMISSIONS"
    NO_ANSWER = "NO_ANSWER"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The answer of a test; ``balances`` only if the key works."""

    finding: Finding
    code: str = ""
    message: str = ""
    balances: Sequence[BalanceReport] = ()


@transactional
def request_test(
    *, owner: Owner, account_public_id: UUID, by: Actor, now: datetime
) -> ExchangeAccount:
    """Have the key of an account tested; while a test is under way this changes nothing."""
    account = accounts.lock_live_account(owner=owner, public_id=account_public_id)
    if account.is_being_tested:
        return account
    account_states.begin_test(account, now=now)
    audit.record(
        actor=by, verb="exchange_account.test_requested", target=account, owner_id=owner.pk
    )
    return account


def run_test(*, account_id: int, clock: Callable[[], datetime]) -> None:
    """Ask the venue whether the key works and what it may do, and record the answer.

    Does nothing for an account that does not wait for a test, so that a repeated message is harmless.
    """
    account = accounts_read.find_account_under_test(account_id=account_id)
    if account is None:
        return
    credential = accounts_read.credential_in_use(account)
    version = credential.version if credential else 0
    result = _ask_venue(account_id=account_id, clock=clock)
    record_test_result(
        account_id=account_id, credential_version=version, result=result, now=clock()
    )


@transactional
def record_test_result(
    *, account_id: int, credential_version: int, result: ProbeResult, now: datetime
) -> None:
    """Record the result of a test, unless the key was replaced or the account closed meanwhile."""
    account = ExchangeAccount.objects.select_for_update(of=("self",)).get(pk=account_id)
    credential = Credential.objects.filter(
        account=account, version=credential_version, replaced_at=None
    ).first()
    if not account.is_being_tested or credential is None:
        logger.info("exchange_account.test_outdated", extra={"account_id": account_id})
        return
    _apply(account, credential, result, now=now)
    audit.record(
        actor=_ACTOR,
        verb="exchange_account.tested",
        target=account,
        owner_id=account.owner_id,
        detail={"status": account.status, "code": result.code},
    )
    logger.info(
        "exchange_account.tested",
        extra={"account_id": account_id, "status": account.status, "code": result.code},
    )


def sweep_tests(*, now: datetime) -> int:
    """Ask again for tests whose message was lost, and give up those that cannot be done; return how many waited."""
    horizons = settings.HORIZONS
    lost_before = now - timedelta(seconds=horizons.redeliver_s)
    given_up_before = now - timedelta(seconds=2 * horizons.lease_s)
    hopeless = set(accounts_read.accounts_waiting_since(before=given_up_before))
    waiting = accounts_read.accounts_waiting_since(before=lost_before)
    for account_id in waiting:
        if account_id in hopeless:
            give_up_test(account_id=account_id, now=now)
        else:
            enqueue("exchanges.test_account", account_id=account_id)
    return len(waiting)


@transactional
def give_up_test(*, account_id: int, now: datetime) -> None:
    """End a test that no worker has finished in time."""
    account = ExchangeAccount.objects.select_for_update(of=("self",)).get(pk=account_id)
    if account.is_being_tested:
        account_states.note_no_answer(
            account,
            code="test_not_finished",
            message="The key could not be tested in time. Try again in a minute.",
            now=now,
        )


@transactional
def start_due_tests(*, now: datetime) -> int:
    """Begin the daily test of the accounts whose turn it is; return how many those are."""
    due = accounts_read.lock_due_for_test(now=now)
    for account in due:
        account_states.begin_test(account, now=now)
    return len(due)


def _apply(
    account: ExchangeAccount, credential: Credential, result: ProbeResult, *, now: datetime
) -> None:
    code, message = result.code, result.message
    match result.finding:
        case Finding.NO_ANSWER:
            account_states.note_no_answer(account, code=code, message=message, now=now)
            return
        case Finding.NOT_ACCEPTED:
            account_states.count_refusal(account, code=code, message=message, now=now)
            return
        case Finding.WRONG_PERMISSIONS:
            account_states.refuse_account(account, code=code, message=message, now=now)
            return
        case Finding.UNTOLD if credential.declared_at is None:
            account_states.ask_for_declaration(account, message=message, now=now)
            return
        case Finding.UNTOLD:
            account_states.accept_key(
                account,
                status=AccountStatus.UNVERIFIED_PERMISSIONS,
                code=code,
                message=message,
                now=now,
            )
        case Finding.GOOD:
            account_states.accept_key(
                account, status=AccountStatus.ACTIVE, code=code, message=message, now=now
            )
    balances.record_balances(account_id=account.pk, reports=result.balances, now=now)


def _ask_venue(*, account_id: int, clock: Callable[[], datetime]) -> ProbeResult:
    try:
        client = factory.venue_client(account_id)
        offset_s, permissions, held = loops.run(_probe(client, clock))
    except CredentialRejectedError:
        return ProbeResult(
            Finding.NOT_ACCEPTED,
            CredentialRejectedError.code,
            "The exchange does not accept this key. Check that key and secret belong together, that "
            "the key is not expired, and that it allows this server's address.",
        )
    except VenueRejectedError as error:
        return ProbeResult(Finding.WRONG_PERMISSIONS, error.code, error.message)
    except VenueError as error:
        return ProbeResult(Finding.NO_ANSWER, error.code, error.message)
    return _judge(offset_s, permissions, held)


async def _probe(
    client: VenueClient, clock: Callable[[], datetime]
) -> tuple[float, KeyPermissions, Sequence[BalanceReport]]:
    try:
        before = clock()
        venue_at = await client.server_time()
        after = clock()
        halfway = before + (after - before) / 2
        offset_s = (venue_at.astimezone(UTC) - halfway).total_seconds()
        return offset_s, await client.key_permissions(), await client.balances()
    finally:
        await client.close()


def _judge(
    offset_s: float, permissions: KeyPermissions, held: Sequence[BalanceReport]
) -> ProbeResult:
    if permissions.can_withdraw:
        message = "This key can withdraw. Make one without that permission, and replace this one."
        return ProbeResult(Finding.WRONG_PERMISSIONS, "withdraw_enabled", message)
    if not permissions.can_trade:
        message = "This key may not trade. Allow spot trading for it at the exchange."
        return ProbeResult(Finding.WRONG_PERMISSIONS, "trading_not_allowed", message)
    if abs(offset_s) > _LARGEST_CLOCK_OFFSET_S:
        message = f"This server's clock and the exchange's differ by {abs(offset_s):.0f} seconds."
        return ProbeResult(Finding.NO_ANSWER, "clock_skew", message)
    if permissions.can_withdraw is None:
        message = "The exchange does not tell what this key may do; make sure it cannot withdraw."
        code = "permissions_unverified"
        return ProbeResult(Finding.UNTOLD, code, message, held)
    return ProbeResult(Finding.GOOD, balances=held)
