"""The dead man's switch of venues: what rests without us is canceled when we do not call any more.

It is armed for accounts with entries that rest and no stop: an entry that filled while the platform
is dead would have nothing to protect it. A switch cancels everything, stops too, so it is never armed
where a stop rests, and is disarmed before one is sent.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Exists, OuterRef

from exchanges.services import abilities, leases
from foundation.transactions import transactional
from market.enums import Leg
from market.orders import WORKING
from trading.models import DeadManSwitch, IntentStatus, Order, OrderIntent
from trading.services import venues
from trading.services.venues import VenueSession

_ACCOUNTS_AT_ONCE: Final = 100


def refresh_dead_men(*, now: datetime) -> int:
    """Arm, call again or disarm the switches that are due for it; return how many calls were made.

    Accounts that somebody acts for are left alone until the next turn.
    """
    resting = _accounts_to_watch()
    fresh = now - timedelta(seconds=settings.HORIZONS.dead_man_refresh_s)
    armed = dict(DeadManSwitch.objects.values_list("account_id", "called_at"))
    due = [each for each in resting if each not in armed or armed[each] <= fresh]
    over = [each for each in armed if each not in set(resting)]
    wanted = [*over, *due][:_ACCOUNTS_AT_ONCE]
    if not wanted:
        return 0
    held = leases.claim_accounts(account_ids=wanted, seconds=venues.claim_seconds())
    try:
        return _set_switches([lease.account_id for lease in held], now=now)
    finally:
        for lease in held:
            leases.release(lease)


def _set_switches(account_ids: Sequence[int], *, now: datetime) -> int:
    if not account_ids:
        return 0
    # Read again under the claims: a stop may have come meanwhile.
    watched = set(_accounts_to_watch(account_ids))
    seconds = {
        each: round(settings.HORIZONS.dead_man_s) if each in watched else 0 for each in account_ids
    }
    # A switch that may be armed has a row, whatever becomes of the call.
    _note_armed([each for each in account_ids if each in watched], now=now)
    with VenueSession(account_ids) as session:
        answered = session.set_dead_men(seconds)
    forget_switches(account_ids=[each for each in answered if each not in watched])
    return len(account_ids)


@transactional
def forget_switches(*, account_ids: Sequence[int]) -> None:
    """Note that the switches of accounts are disarmed."""
    DeadManSwitch.objects.filter(account_id__in=account_ids).delete()


@transactional
def _note_armed(account_ids: Sequence[int], *, now: datetime) -> None:
    owners = dict(
        Order.objects.filter(account_id__in=account_ids).values_list("account_id", "owner_id")
    )
    DeadManSwitch.objects.bulk_create(
        [
            DeadManSwitch(owner_id=owners[each], account_id=each, called_at=now)
            for each in account_ids
        ],
        update_conflicts=True,
        unique_fields=["account"],
        update_fields=["called_at"],
    )


def _accounts_to_watch(account_ids: Sequence[int] | None = None) -> list[int]:
    """Return the accounts with entries at venues that have the switch, and without any stop there."""
    working = [status.value for status in WORKING]
    stops = Order.objects.filter(
        account_id=OuterRef("account_id"), leg=Leg.STOP.value, status__in=working
    )
    coming = OrderIntent.objects.filter(
        account_id=OuterRef("account_id"), leg=Leg.STOP.value, status=IntentStatus.NEW
    )
    entries = Order.objects.filter(
        leg=Leg.ENTRY.value,
        status__in=working,
        account__venue_id__in=abilities.venues_with_dead_man(),
    ).exclude(Exists(stops) | Exists(coming))
    if account_ids is not None:
        entries = entries.filter(account_id__in=account_ids)
    return list(entries.order_by("account_id").values_list("account_id", flat=True).distinct())
