"""Orders to venues: rows first, then the wire without a transaction, then what came of it.

One account is served by one claim at a time. Whatever happens in between, each order has a row with
the id by which reconciliation finds it.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import F, Max, Q

from exchanges.services import leases
from exchanges.services.leases import AccountLease
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue
from market.enums import OrderStatus
from market.timeframes import Timeframe
from trading.domain import turns
from trading.models import IntentStatus, Order, OrderIntent
from trading.services import venues
from trading.services.serving import Service

#: Accounts that are claimed, prepared and sent together, at most.
ACCOUNTS_AT_ONCE: Final = 100

#: The first part of a task's accounts is this small, and each further one twice as large as the one before:
#: the first orders leave at once, and what a part costs whatever its size is still shared by many.
FIRST_ACCOUNTS: Final = 10

#: Tasks that serve the accounts of one moment side by side.
_MOST_TASKS: Final = 8

#: After this many time-outs of a venue no further account is claimed and no further turn begun.
_BEGIN_IN_TIMEOUTS: Final = 1.25


def submit_due_intents(*, now: datetime, calls_others: bool = True) -> int:
    """Send what is due for accounts that nobody serves right now; return the number of calls.

    With *calls_others* more tasks are sent for when there is more than one can serve at once.
    """
    began_s = time.monotonic()
    waiting = due_accounts(now=now)
    if calls_others:
        _call_others(len(waiting))
    calls, size = 0, min(FIRST_ACCOUNTS, ACCOUNTS_AT_ONCE)
    service = Service(now=now, began_s=began_s, until_s=began_s + _patience_s())
    with service:
        while service.goes_on(has_more=bool(waiting)):
            if waiting and service.wants_more():
                part, waiting = waiting[:size], waiting[size:]
                size = min(2 * size, ACCOUNTS_AT_ONCE)
                held = leases.claim_accounts(account_ids=part, seconds=venues.claim_seconds())
                if held:
                    crashpoint("submission.claimed")
                    service.take_on(held)
                continue
            service.turn()
        calls = service.calls
    if service.has_served:
        send_for_more(now=now, began_s=began_s)
    return calls


def send_for_more(*, now: datetime, began_s: float) -> None:
    """Send for what became due while accounts were claimed: whoever came for it then went away.

    *began_s* is what the monotonic clock said at *now*.
    """
    later = now + timedelta(seconds=time.monotonic() - began_s)
    if due_accounts(now=later):
        enqueue("trading.submit_due_intents")


def serve_accounts(held: Sequence[AccountLease], *, now: datetime) -> int:
    """Send everything that is due for claimed accounts, and give them back; return the calls.

    What follows from an answer, such as the stop of an entry that filled, goes out in the next turn.
    """
    began_s = time.monotonic()
    with Service(now=now, began_s=began_s, until_s=began_s + _patience_s()) as service:
        service.take_on(held)
        while service.goes_on(has_more=False):
            service.turn()
    return service.calls


def due_accounts(*, now: datetime) -> list[int]:
    """Return the accounts with decisions to send or orders to cancel, in the order of their turns.

    Whoever has to get out of something comes first; the others go in an order that changes with
    every bar, so that nobody always buys before or after the same people.
    """
    waiting = (
        OrderIntent.objects.filter(status=IntentStatus.NEW, not_before__lte=now)
        .values("account_id", "deployment__timeframe")
        .annotate(
            bar=Max("bar_close_at", filter=Q(reduce_only=False)),
            account_key=F("account__public_id"),
            urgent=Max("not_before", filter=Q(reduce_only=True)),
        )
        .order_by()
    )
    places: dict[int, float] = {}
    for row in waiting:
        account_id = row["account_id"]
        place = -1.0
        if row["urgent"] is None and row["bar"] is not None:
            place = turns.turn_of(
                account=str(row["account_key"]),
                bar_close_at=row["bar"],
                timeframe_s=Timeframe(row["deployment__timeframe"]).milliseconds // 1_000,
                salt=settings.INSTALLATION_SALT,
            )
        places[account_id] = min(place, places.get(account_id, place))
    cancels = Order.objects.filter(status=OrderStatus.PENDING_CANCEL.value, next_check_at__lte=now)
    places |= dict.fromkeys(cancels.values_list("account_id", flat=True), -1.0)
    return sorted(places, key=lambda account_id: (places[account_id], account_id))


def _call_others(waiting: int) -> None:
    """Send for as many tasks as can serve so many accounts; one that finds nothing left just ends."""
    for _ in range(min(waiting // ACCOUNTS_AT_ONCE, _MOST_TASKS - 1)):
        enqueue("trading.submit_due_intents", calls_others=False)


def _patience_s() -> float:
    # A venue that is slow must not bring the task to its time limit: the next one goes on.
    return _BEGIN_IN_TIMEOUTS * settings.HORIZONS.venue_timeout_s
