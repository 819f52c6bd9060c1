"""Orders to venues: rows first, then the wire without a transaction, then what came of it.

One account is served by one claim at a time. Whatever happens in between, each order has a row with
the id by which reconciliation finds it.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings

from exchanges.adapters.protocol import BalanceReport
from exchanges.services import leases
from exchanges.services.leases import AccountLease, AccountLeaseLostError
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue
from market.enums import OrderStatus
from trading.models import IntentStatus, Order, OrderIntent
from trading.services import preparation, settlement
from trading.services.venues import Call, VenueSession

logger = logging.getLogger(__name__)

#: Accounts that one task serves side by side.
_ACCOUNTS_AT_ONCE: Final = 10

#: An entry, its stop, a cancellation, an exit: more turns than any of it takes.
_ROUNDS: Final = 8


def lease_seconds() -> float:
    """Return how long a claim on an account lasts without being prolonged: two calls and a bit."""
    return 2.5 * settings.HORIZONS.venue_timeout_s


def submit_due_intents(*, now: datetime) -> int:
    """Send what is due for accounts that nobody serves right now; return the number of calls."""
    due = due_accounts(now=now)
    held = leases.claim_accounts(account_ids=due[:_ACCOUNTS_AT_ONCE], seconds=lease_seconds())
    if not held:
        return 0
    crashpoint("submission.claimed")
    calls = serve_accounts(held, now=now)
    if len(due) > _ACCOUNTS_AT_ONCE:
        enqueue("trading.submit_due_intents")
    return calls


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
    try:
        with VenueSession([lease.account_id for lease in held]) as session:
            for _ in range(_ROUNDS):
                turn = _prepare(session, [x for x in held if x.account_id not in lost], lost, now)
                if not turn:
                    break
                calls += len(turn)
                for call, outcome in session.carry_out(turn):
                    settlement.settle(call, outcome=outcome, now=now)
                    crashpoint("submission.settled")
    finally:
        for lease in held:
            leases.release(lease)
    return calls


def _prepare(
    session: VenueSession, held: Sequence[AccountLease], lost: set[int], now: datetime
) -> list[Call]:
    due = set(due_accounts(now=now))
    busy = [lease for lease in held if lease.account_id in due]
    if not busy:
        return []
    balances = session.balances([lease.account_id for lease in busy])
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


def _free(balances: Sequence[BalanceReport] | None) -> Mapping[str, Decimal] | None:
    if balances is None:
        return None
    return {balance.currency: balance.free for balance in balances}
