"""What follows from a restriction: entries that rest are taken away, and everybody concerned is told."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet
from django.urls import reverse

from accounts.models import MailKind, NotificationKind, NotificationLevel
from accounts.services.notifications import notify
from foundation.queue import enqueue, enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from market.enums import OrderActor
from market.orders import RESTING
from trading.models import (
    IDLE_STATES,
    Deployment,
    Order,
    ReleaseRule,
    RestrictionScope,
    TradingRestriction,
)
from trading.selectors import markets
from trading.services import orders, paper

#: People who are told, and orders that are taken away, in one transaction.
_AT_ONCE: Final = 200

#: A restriction of which nobody has told for so long is told of by the sweeper.
_SWEEP_AFTER: Final = timedelta(seconds=2)
_SWEPT_AT_ONCE: Final = 100


def tell_restriction(*, restriction_id: int, now: datetime) -> None:
    """Carry out what follows from a restriction, once; may be called any number of times."""
    row = TradingRestriction.objects.filter(pk=restriction_id, told_at=None).first()
    if row is None:
        return
    entries = list(_resting_entries(row).values_list("pk", flat=True))
    for part in _parts(entries):
        _cancel(row, part, now=now)
    for part in _parts(_owners(row)):
        _tell(row, part)
    _note_told(row, now=now)


def sweep_restrictions(*, now: datetime) -> int:
    """Send again for what follows from restrictions; return of how many."""
    waiting = TradingRestriction.objects.filter(told_at=None, since_at__lt=now - _SWEEP_AFTER)
    found = list(waiting.order_by("pk").values_list("pk", flat=True)[:_SWEPT_AT_ONCE])
    for restriction_id in found:
        enqueue("trading.tell_restriction", restriction_id=restriction_id)
    return len(found)


@transactional
def _cancel(row: TradingRestriction, order_ids: Sequence[int], *, now: datetime) -> None:
    for order_id in order_ids:
        order = orders.lock_order(order_id)
        if order.status not in RESTING:
            continue
        why = f"{row.get_state_display()} ({row.target_name})"
        if markets.is_paper(order.account):
            paper.cancel(order, now=now, why=why)
        else:
            orders.request_cancel(order, actor=OrderActor.KILL_SWITCH, now=now, why=why)
    enqueue_on_commit("trading.submit_due_intents")


@transactional
def _tell(row: TradingRestriction, owner_ids: Sequence[int]) -> None:
    for owner_id in owner_ids:
        _tell_owner(row, owner_id)


@part_of_transaction
def _tell_owner(row: TradingRestriction, owner_id: int) -> None:
    is_by_owner = row.set_by_kind != "system" and row.set_by_identifier == str(owner_id)
    # Who did it themselves knows; what ends by itself would mail whenever a market is restless.
    needs_mail = not is_by_owner and row.release_rule != ReleaseRule.AUTOMATIC
    notify(
        owner_id=owner_id,
        kind=NotificationKind.TRADING_STATE,
        key=f"trading-state:{row.pk}",
        title=f"{row.target_name}: trading is {row.state.lower()}",
        body=row.reason,
        path=reverse("trading:protections"),
        level=NotificationLevel.INFO if is_by_owner else NotificationLevel.WARNING,
        mail=MailKind.TRADING_STATE if needs_mail else None,
        facts={"ends": row.get_release_rule_display()} if needs_mail else None,
    )


@transactional
def _note_told(row: TradingRestriction, *, now: datetime) -> None:
    TradingRestriction.objects.filter(pk=row.pk, told_at=None).update(told_at=now)


def _owners(row: TradingRestriction) -> list[int]:
    if row.owner_id is not None:
        return [row.owner_id]
    at_work = Deployment.objects.exclude(actual_state__in=IDLE_STATES).filter(
        _concerns(row, prefix="")
    )
    if row.spares_paper:
        at_work = at_work.exclude(account__kind="PAPER")
    return sorted(set(at_work.values_list("owner_id", flat=True)))


def _resting_entries(row: TradingRestriction) -> QuerySet[Order]:
    """Return what may still open something: at venues, and on paper unless that is spared."""
    found = Order.objects.filter(
        _concerns(row, prefix="deployment__"),
        status__in=[status.value for status in RESTING],
        reduce_only=False,
    )
    return found.exclude(account__kind="PAPER") if row.spares_paper else found


def _concerns(row: TradingRestriction, *, prefix: str) -> Q:
    """Return which deployments *row* is about, looked at from a table that reaches them by *prefix*."""
    if row.scope == RestrictionScope.PLATFORM:
        return Q()
    found = Q()
    for part in row.target_key.split("/"):
        what, _, key = part.partition(":")
        if what == "instrument":
            instrument = "instrument_id" if prefix else "instruments__instrument_id"
            found &= Q(**{instrument: int(key)})
        else:
            column = {
                "venue": "account__venue_id",
                "person": "owner_id",
                "account": "account_id",
                "deployment": "pk",
            }[what]
            found &= Q(**{f"{prefix}{column}": int(key)})
    return found


def _parts(found: Sequence[int]) -> list[Sequence[int]]:
    return [found[start : start + _AT_ONCE] for start in range(0, len(found), _AT_ONCE)]
