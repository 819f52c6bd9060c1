"""Orders to venues: rows first, then the wire without a transaction, then what came of it.

One account is served by one claim at a time. Whatever happens in between, each order has a row with
the id by which reconciliation finds it.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings

from exchanges.adapters.governor import CallPriority
from exchanges.adapters.protocol import BalanceReport, Outcome, OutcomeKind
from exchanges.services import account_states, leases
from exchanges.services.leases import AccountLease, AccountLeaseLostError
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue
from market.enums import OrderStatus
from market.errors import CredentialRejectedError
from trading.models import IntentStatus, Order, OrderIntent
from trading.services import preparation, settlement, venues
from trading.services.venues import Call, VenueSession

logger = logging.getLogger(__name__)

#: Accounts that one task serves side by side.
_ACCOUNTS_AT_ONCE: Final = 100

#: After this many time-outs of a venue no further turn is begun.
_BEGIN_IN_TIMEOUTS: Final = 1.25

#: An entry, its stop, a cancellation, an exit: more turns than any of it takes.
_ROUNDS: Final = 8


def submit_due_intents(*, now: datetime) -> int:
    """Send what is due for accounts that nobody serves right now; return the number of calls."""
    due = due_accounts(now=now)
    held = leases.claim_accounts(
        account_ids=due[:_ACCOUNTS_AT_ONCE], seconds=venues.claim_seconds()
    )
    if not held:
        return 0
    crashpoint("submission.claimed")
    began_s = time.monotonic()
    calls = serve_accounts(held, now=now)
    send_for_more(now=now, began_s=began_s)
    return calls


def send_for_more(*, now: datetime, began_s: float) -> None:
    """Send for what became due while accounts were claimed: whoever came for it then went away.

    *began_s* is what the monotonic clock said at *now*.
    """
    later = now + timedelta(seconds=time.monotonic() - began_s)
    if due_accounts(now=later):
        enqueue("trading.submit_due_intents")


def due_accounts(*, now: datetime) -> list[int]:
    """Return the accounts with decisions to send or orders to cancel."""
    waiting = OrderIntent.objects.filter(status=IntentStatus.NEW, not_before__lte=now)
    cancels = Order.objects.filter(status=OrderStatus.PENDING_CANCEL.value, next_check_at__lte=now)
    ids = waiting.values_list("account_id", flat=True).union(
        cancels.values_list("account_id", flat=True)
    )
    return sorted(ids)


def serve_accounts(held: Sequence[AccountLease], *, now: datetime) -> int:
    """Send everything that is due for claimed accounts, and give them back; return the calls.

    What follows from an answer, such as the stop of an entry that filled, goes out in the next turn.
    """
    calls = 0
    lost: set[int] = set()
    begin_until_s = time.monotonic() + _BEGIN_IN_TIMEOUTS * settings.HORIZONS.venue_timeout_s
    try:
        with VenueSession([lease.account_id for lease in held]) as session:
            for number in range(_ROUNDS):
                if number and time.monotonic() > begin_until_s:
                    # A venue that is slow must not bring the task to its time limit: the next one goes on.
                    break
                turn = _prepare(session, [x for x in held if x.account_id not in lost], lost, now)
                if not turn:
                    break
                calls += len(turn)
                for call, outcome in session.carry_out(turn):
                    settlement.settle(call, outcome=outcome, now=now)
                    crashpoint("submission.settled")
                    _tell_of_key(call, outcome, now)
    finally:
        for lease in held:
            leases.release(lease)
    return calls


def _tell_of_key(call: Call, outcome: Outcome, now: datetime) -> None:
    """Say below that the venue did not take the key, or that it did."""
    if outcome.kind is OutcomeKind.DONE:
        account_states.note_acceptance(account_id=call.account_id)
    elif outcome.code == CredentialRejectedError.code:
        account_states.note_refusal(
            account_id=call.account_id,
            code=outcome.code,
            message="The exchange does not accept this API key.",
            now=now,
        )


def _prepare(
    session: VenueSession, held: Sequence[AccountLease], lost: set[int], now: datetime
) -> list[Call]:
    due = set(due_accounts(now=now))
    busy = [lease for lease in held if lease.account_id in due]
    if not busy:
        return []
    account_ids = [lease.account_id for lease in busy]
    balances = session.balances(account_ids, priorities=_priorities(account_ids, now))
    calls: list[Call] = []
    for lease in busy:
        try:
            calls += preparation.prepare(
                lease=lease, free=_free(balances[lease.account_id]), now=now
            )
        except AccountLeaseLostError:
            logger.warning("submission.lease_lost", extra={"account_id": lease.account_id})
            lost.add(lease.account_id)
    crashpoint("submission.prepared")
    return calls


def _priorities(account_ids: Sequence[int], now: datetime) -> Mapping[int, CallPriority]:
    """Return how urgent it is to serve each account: one that has to get out of something comes first."""
    exits = OrderIntent.objects.filter(
        account_id__in=account_ids,
        status=IntentStatus.NEW,
        not_before__lte=now,
        reduce_only=True,
    )
    getting_out = set(exits.values_list("account_id", flat=True).distinct())
    return {
        each: CallPriority.EXIT if each in getting_out else CallPriority.ENTRY
        for each in account_ids
    }


def _free(balances: Sequence[BalanceReport] | None) -> Mapping[str, Decimal] | None:
    if balances is None:
        return None
    return {balance.currency: balance.free for balance in balances}
