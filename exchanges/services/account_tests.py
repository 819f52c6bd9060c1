"""Testing the key of an account: asked for by a person, done by a worker, recorded for the page."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from exchanges.adapters import factory
from exchanges.adapters.protocol import BalanceReport, KeyPermissions, VenueClient
from exchanges.models import AccountStatus, Credential, ExchangeAccount
from exchanges.selectors import accounts as accounts_read
from exchanges.selectors.accounts import Owner
from exchanges.services import accounts
from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue
from foundation.transactions import transactional
from market.errors import CredentialRejectedError, VenueError, VenueRejectedError

logger = logging.getLogger(__name__)

_ACTOR: Final = Actor.system("exchanges.test_account")

#: Bars and deadlines go by the clock, so a machine that is off by more cannot trade.
_LARGEST_CLOCK_OFFSET_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a test found out; ``balances`` only if the key works."""

    status: AccountStatus
    code: str = ""
    message: str = ""
    balances: Sequence[BalanceReport] = ()


@transactional
def request_test(
    *, owner: Owner, account_public_id: UUID, by: Actor, now: datetime
) -> ExchangeAccount:
    """Have the key of an account tested; while a test is under way this changes nothing."""
    account = accounts.lock_live_account(owner=owner, public_id=account_public_id)
    if account.status == AccountStatus.TESTING:
        return account
    accounts.begin_test(account, now=now)
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
    account = ExchangeAccount.objects.select_for_update().get(pk=account_id)
    is_current = Credential.objects.filter(
        account=account, version=credential_version, replaced_at=None
    ).exists()
    if account.status != AccountStatus.TESTING or account.closed_at is not None or not is_current:
        logger.info("exchange_account.test_outdated", extra={"account_id": account_id})
        return
    if result.status == AccountStatus.REJECTED:
        accounts.refuse_account(account, code=result.code, message=result.message, now=now)
    else:
        _note_result(account, result, now=now)
    if result.status == AccountStatus.CONNECTED:
        accounts.record_balances(account_id=account_id, reports=result.balances, now=now)
    audit.record(
        actor=_ACTOR,
        verb="exchange_account.tested",
        target=account,
        owner_id=account.owner_id,
        detail={"status": result.status, "code": result.code},
    )
    logger.info(
        "exchange_account.tested",
        extra={"account_id": account_id, "status": result.status, "code": result.code},
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
    account = ExchangeAccount.objects.select_for_update().get(pk=account_id)
    if account.status != AccountStatus.TESTING:
        return
    message = "The key could not be tested in time. Try again in a minute."
    _note_result(
        account,
        ProbeResult(AccountStatus.UNREACHABLE, "test_not_finished", message),
        now=now,
    )


def _note_result(account: ExchangeAccount, result: ProbeResult, *, now: datetime) -> None:
    account.status = result.status
    account.status_code, account.status_message = result.code, result.message
    account.tested_at = now
    if result.status == AccountStatus.CONNECTED:
        account.connected_at = account.connected_at or now
    account.version += 1
    account.save(
        update_fields=[
            "status", "status_code", "status_message", "tested_at", "connected_at", "version"
        ]
    )  # fmt: skip


def _ask_venue(*, account_id: int, clock: Callable[[], datetime]) -> ProbeResult:
    try:
        client = factory.venue_client(account_id)
        offset_s, permissions, balances = asyncio.run(_probe(client, clock))
    except CredentialRejectedError:
        return ProbeResult(
            AccountStatus.REJECTED,
            CredentialRejectedError.code,
            "The exchange does not accept this key. Check that key and secret belong together, that "
            "the key is not expired, and that it allows this server's address.",
        )
    except VenueRejectedError as error:
        return ProbeResult(AccountStatus.REJECTED, error.code, error.message)
    except VenueError as error:
        return ProbeResult(AccountStatus.UNREACHABLE, error.code, error.message)
    return _judge(offset_s, permissions, balances)


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
    offset_s: float, permissions: KeyPermissions, balances: Sequence[BalanceReport]
) -> ProbeResult:
    if permissions.can_withdraw:
        message = "This key can withdraw. Make one without that permission, and replace this one."
        return ProbeResult(AccountStatus.REJECTED, "withdraw_enabled", message)
    if not permissions.can_trade:
        message = "This key may not trade. Allow spot trading for it at the exchange."
        return ProbeResult(AccountStatus.REJECTED, "trading_not_allowed", message)
    if abs(offset_s) > _LARGEST_CLOCK_OFFSET_S:
        message = f"This server's clock and the exchange's differ by {abs(offset_s):.0f} seconds."
        return ProbeResult(AccountStatus.UNREACHABLE, "clock_skew", message)
    if permissions.can_withdraw is None:
        message = "The exchange does not tell what this key may do; make sure it cannot withdraw."
        code = "permissions_unverified"
        return ProbeResult(AccountStatus.CONNECTED, code, message, balances)
    return ProbeResult(AccountStatus.CONNECTED, balances=balances)
