"""What the venues say that accounts hold: told by tests and reconciliations, and asked for once an hour."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from exchanges.adapters import factory, loops
from exchanges.adapters.protocol import BalanceReport, VenueClient
from exchanges.models import Balance, ExchangeAccount
from exchanges.selectors import accounts as accounts_read
from exchanges.services import account_states
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from market.errors import CredentialRejectedError, VenueError

logger = logging.getLogger(__name__)

#: How old a balance may become that nobody else has asked for.
_OLDEST: Final = timedelta(hours=1)


@transactional
def claim_due_refreshes(*, now: datetime) -> int:
    """Send for the balances of the accounts whose turn it is; return how many those are.

    The next turn is set with the claim: a message that is lost costs one turn.
    """
    due = accounts_read.lock_due_for_balances(now=now)
    for account in due:
        enqueue_on_commit("exchanges.refresh_balances", account_id=account.pk)
    ExchangeAccount.objects.filter(pk__in=[account.pk for account in due]).update(
        next_balances_at=now + _OLDEST
    )
    return len(due)


def refresh_balances(*, account_id: int, clock: Callable[[], datetime]) -> None:
    """Ask the venue what an account holds, and store it; a venue that does not answer is asked the next time."""
    if not accounts_read.is_usable(account_id=account_id):
        return
    try:
        reports = loops.run(_ask(factory.venue_client(account_id)))
    except CredentialRejectedError as error:
        account_states.note_refusal(
            account_id=account_id, code=error.code, message=error.message, now=clock()
        )
        return
    except VenueError as error:
        logger.info("balances.unknown", extra={"account_id": account_id, "code": error.code})
        return
    account_states.note_acceptance(account_id=account_id)
    _store(account_id=account_id, reports=reports, now=clock())


async def _ask(client: VenueClient) -> Sequence[BalanceReport]:
    try:
        return await client.balances()
    finally:
        await client.close()


@transactional
def _store(*, account_id: int, reports: Sequence[BalanceReport], now: datetime) -> None:
    # It may have been closed meanwhile, and then holds nothing that is ours to know.
    account = ExchangeAccount.objects.select_for_update(of=("self",)).get(pk=account_id)
    if account.is_usable:
        record_balances(account_id=account_id, reports=reports, now=now)


@transactional
def note_balances(told: Mapping[int, Sequence[BalanceReport]], *, now: datetime) -> None:
    """Store what venues say that accounts hold, by account, in a fixed number of statements."""
    open_accounts = ExchangeAccount.objects.filter(pk__in=list(told), closed_at=None)
    owners = dict(open_accounts.values_list("pk", "owner_id"))
    _record({pk: (owner_id, told[pk]) for pk, owner_id in owners.items()}, now=now)


@part_of_transaction
def record_balances(*, account_id: int, reports: Sequence[BalanceReport], now: datetime) -> None:
    """Store what the venue says that an account holds; a currency that is not named is held no more."""
    account = ExchangeAccount.objects.only("pk", "owner_id").get(pk=account_id)
    _record({account_id: (account.owner_id, reports)}, now=now)


def _record(told: Mapping[int, tuple[int, Sequence[BalanceReport]]], *, now: datetime) -> None:
    rows = [
        Balance(
            account_id=account_id,
            owner_id=owner_id,
            currency=report.currency,
            free=report.free,
            used=report.used,
            venue_at=now,
        )
        # Always in the same order: two who write the same rows do not wait for each other crosswise.
        for account_id, (owner_id, reports) in sorted(told.items())
        for report in sorted(reports, key=lambda each: each.currency)
    ]
    Balance.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "currency"],
        update_fields=["free", "used", "venue_at"],
    )
    due = Q(next_balances_at=None) | Q(next_balances_at__lt=now + _OLDEST / 2)
    ExchangeAccount.objects.filter(due, pk__in=list(told)).update(next_balances_at=now + _OLDEST)
    Balance.objects.filter(account__in=list(told), venue_at__lt=now).delete()


@part_of_transaction
def forget(account: ExchangeAccount) -> None:
    """Delete what a closed account held."""
    Balance.objects.filter(account=account).delete()
