"""Our orders, fills and positions brought into line with what the venue says.

The venue's reports are the truth. An order whose fate is unknown is looked for by its client order
id and never sent again; one that is proven absent is given up. What we did not know of is external.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Q

from exchanges.services import account_states, leases
from exchanges.services.leases import AccountLease, AccountLeaseLostError
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue
from foundation.transactions import transactional
from market.enums import OrderStatus
from market.errors import CredentialRejectedError
from market.orders import WORKING
from trading.models import (
    AccountPosition,
    ActualState,
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    Order,
)
from trading.selectors import markets
from trading.services import (
    daily_reports,
    drift,
    health,
    lookups,
    protection,
    submission,
    venues,
)
from trading.services.questions import Answers, Lookups
from trading.services.venues import VenueSession

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount

logger = logging.getLogger(__name__)

#: Executions are asked for again from this long before the last known one: they may appear late.
_OVERLAP: Final = timedelta(minutes=5)

#: Orders that are looked at in one turn of one account.
_MOST_ORDERS: Final = 200

#: An abandoned order is still looked for this long.
_WATCH: Final = timedelta(hours=24)

_ACCOUNTS_AT_ONCE: Final = 50


#: Somebody waits to hear what became of these.
_IN_DOUBT: Final = frozenset(
    {OrderStatus.UNKNOWN, OrderStatus.PENDING_CANCEL, OrderStatus.MANUAL_REVIEW}
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of one account in a turn.

    A turn is either a comparison of everything, or only about orders whose fate nobody knows.
    ``orders`` are their keys by their ids at the venue, ``began_at`` is by the database's clock.
    """

    lease: AccountLease
    lookups: Lookups
    orders: Mapping[str, int]
    symbols: Mapping[str, int]
    is_busy: bool
    is_complete: bool
    began_at: datetime


def reconcile_due_accounts(*, now: datetime) -> int:
    """Reconcile the accounts whose turn it is; return how many.

    Whole comparisons every 15 or 60 seconds; in between only what is in doubt is asked for.
    """
    due = leases.due_for_reconciliation(now=now, limit=_ACCOUNTS_AT_ONCE)
    in_doubt = _accounts_in_doubt(now)
    wanted = [*due, *(each for each in in_doubt if each not in set(due))]
    done = _reconcile(wanted[:_ACCOUNTS_AT_ONCE], now, complete=frozenset(due))
    if len(wanted) > _ACCOUNTS_AT_ONCE and done:
        # After a start everybody is due: the next ones do not wait for the clock.
        enqueue("trading.reconcile_due_accounts")
    return done


def reconcile_account(*, account_id: int, now: datetime) -> bool:
    """Reconcile one account; False if somebody else is acting for it right now."""
    return _reconcile([account_id], now, complete=frozenset({account_id})) == 1


def report_daily(*, now: datetime) -> int:
    """Compare accounts over two days, once a day, and store what is wrong with each; return how many."""
    due = daily_reports.due_accounts(now=now, limit=_ACCOUNTS_AT_ONCE)
    done = _reconcile(due, now, complete=frozenset(due), report_since=now - daily_reports.SPAN)
    if done and len(due) == _ACCOUNTS_AT_ONCE:
        enqueue("trading.report_daily")
    return done


def _reconcile(
    account_ids: Sequence[int],
    now: datetime,
    *,
    complete: frozenset[int],
    report_since: datetime | None = None,
) -> int:
    held = leases.claim_accounts(account_ids=account_ids, seconds=venues.claim_seconds())
    if not held:
        return 0
    crashpoint("reconciliation.claimed")
    began_s = time.monotonic()
    try:
        plans = [
            _plan(
                lease,
                now=now,
                is_complete=lease.account_id in complete,
                since=report_since,
            )
            for lease in held
        ]
        with VenueSession() as session:
            session.open([plan.lease.account_id for plan in plans])
            answers = session.ask([plan.lookups for plan in plans])
        crashpoint("reconciliation.asked")
        for plan, answer in zip(plans, answers, strict=True):
            try:
                _take_in(plan, answer, now, reports=report_since is not None)
            except AccountLeaseLostError:
                logger.warning(
                    "reconciliation.lease_lost", extra={"account_id": plan.lease.account_id}
                )
    finally:
        for lease in held:
            leases.release(lease)
    submission.send_for_more(now=now, began_s=began_s)
    return len(held)


def _take_in(plan: Plan, answers: Answers, now: datetime, *, reports: bool) -> None:
    """Apply what a venue said; where the report of the day is due, store what that changed or left."""
    account_id, symbols = plan.lease.account_id, plan.symbols
    is_complete = answers.problem is None
    missed: list[daily_reports.Finding] = []
    if reports and is_complete:
        missed = daily_reports.missed_fills(account_id, answers=answers, symbols=symbols, now=now)
    _apply(plan, answers, now)
    _tell_of_key(plan, answers, now)
    if reports and is_complete:
        daily_reports.store(
            lease=plan.lease, answers=answers, symbols=symbols, missed=missed, now=now
        )


def _tell_of_key(plan: Plan, answers: Answers, now: datetime) -> None:
    """Say below whether the venue took the key: three refusals in a row end its use."""
    account_id = plan.lease.account_id
    if isinstance(answers.problem, CredentialRejectedError):
        account_states.note_refusal(
            account_id=account_id,
            code=answers.problem.code,
            message=answers.problem.message,
            now=now,
        )
    elif answers.problem is None:
        account_states.note_acceptance(account_id=account_id)


def _accounts_in_doubt(now: datetime) -> list[int]:
    """Return the accounts with an order that somebody has to look at now, the longest in doubt first."""
    slow_cancel = now - timedelta(seconds=settings.HORIZONS.in_flight_s)
    orders = Order.objects.filter(
        Q(status__in=[OrderStatus.SUBMITTING.value, OrderStatus.UNKNOWN.value])
        | Q(status=OrderStatus.PENDING_CANCEL.value, active_at__lte=slow_cancel),
        next_check_at__lte=now,
    )
    found = orders.order_by("next_check_at").values_list("account_id", flat=True)
    return list(dict.fromkeys(found[: 10 * _ACCOUNTS_AT_ONCE]))


@transactional
def _plan(lease: AccountLease, *, now: datetime, is_complete: bool, since: datetime | None) -> Plan:
    """Return what to ask of an account's venue; orders that a dead worker left become UNKNOWN."""
    began_at = leases.database_now()
    account = leases.require(lease, seconds=venues.claim_seconds())
    lookups.doubt_left_behind(account_id=account.pk, now=now)
    wanted: list[Order] = []
    symbols: dict[str, int] = {}
    if not markets.is_paper(account):
        wanted = _unfinished(account, now)
        if is_complete:
            symbols = _symbols(account)
        else:
            wanted = [order for order in wanted if order.status in _IN_DOUBT]
            symbols = {order.instrument.symbol: order.instrument_id for order in wanted}
    fills_since = _fills_since(account, now)
    return Plan(
        lease=lease,
        lookups=Lookups(
            account_id=account.pk,
            orders=[(order.instrument.symbol, order.client_order_id) for order in wanted],
            symbols=sorted(symbols),
            fills_since=fills_since if since is None else min(since, fills_since),
            stops=frozenset(
                order.client_order_id for order in wanted if order.trigger_price is not None
            ),
        ),
        orders={order.client_order_id: order.pk for order in wanted},
        symbols=symbols,
        is_busy=bool(wanted) or _holds_something(account),
        is_complete=is_complete,
        began_at=began_at,
    )


def _unfinished(account: "ExchangeAccount", now: datetime) -> list[Order]:
    """Return the orders to ask about, those in doubt first, then the one that has waited longest."""
    due = (
        Order.objects.filter(account=account)
        .filter(
            Q(status__in=[status.value for status in WORKING if status != OrderStatus.SUBMITTING])
            | Q(status=OrderStatus.ABANDONED.value, submitted_at__gt=now - _WATCH)
            # An operator wants to hear once more what the venue says of it.
            | Q(status=OrderStatus.MANUAL_REVIEW.value)
        )
        .filter(next_check_at__lte=now)
        .select_related("instrument")
        .order_by("next_check_at", "pk")[:_MOST_ORDERS]
    )
    return sorted(due, key=lambda order: order.status not in _IN_DOUBT)


def _symbols(account: "ExchangeAccount") -> dict[str, int]:
    """Return the instruments of an account that our orders or positions are in, by symbol."""
    traded = DeploymentInstrument.objects.filter(account=account, is_active=True)
    held = DeploymentPosition.objects.filter(deployment__account=account).exclude(quantity=0)
    unsettled = [status.value for status in (*WORKING, OrderStatus.MANUAL_REVIEW)]
    open_orders = Order.objects.filter(account=account, status__in=unsettled)
    found: dict[str, int] = {}
    for rows in (traded, held, open_orders):
        found |= dict(rows.values_list("instrument__symbol", "instrument_id").distinct())
    return found


def _let_run(account_id: int, now: datetime) -> None:
    """Let what waited for this comparison run, and protect what it holds from before.

    One that began again with a position which the account does not hold any more goes on waiting.
    """
    starting = Deployment.objects.select_for_update(of=("self",)).filter(
        account_id=account_id, actual_state=ActualState.STARTING
    )
    for deployment in starting.select_related("account__venue").order_by("pk"):
        held = DeploymentPosition.objects.filter(deployment=deployment).exclude(quantity=0)
        instrument_ids = list(held.order_by("pk").values_list("instrument_id", flat=True))
        is_short = AccountPosition.objects.filter(
            account_id=account_id, instrument_id__in=instrument_ids, drift_seen__gt=0
        )
        if is_short.exists():
            continue
        deployment.actual_state = ActualState.RUNNING
        deployment.version += 1
        deployment.save(update_fields=["actual_state", "version"])
        for instrument_id in instrument_ids:
            protection.follow(deployment, instrument_id=instrument_id, now=now)


def _fills_since(account: "ExchangeAccount", now: datetime) -> datetime:
    oldest = (
        Order.objects.filter(account=account)
        .filter(
            Q(status__in=[status.value for status in WORKING])
            | Q(status=OrderStatus.MANUAL_REVIEW.value, next_check_at__lte=now)
        )
        .order_by("submitted_at")
        .values_list("submitted_at", flat=True)
        .first()
    )
    since = account.fills_cursor_at or oldest or now
    return min(since, oldest or since) - _OVERLAP


def _holds_something(account: "ExchangeAccount") -> bool:
    return (
        Order.objects.filter(
            account=account, status__in=[status.value for status in WORKING]
        ).exists()
        or DeploymentPosition.objects.filter(deployment__account=account)
        .exclude(quantity=0)
        .exists()
    )


def _apply(plan: Plan, answers: Answers, now: datetime) -> None:
    """Apply what was answered, each piece in a transaction that holds the account's lease."""
    lease = plan.lease
    for client_order_id, order_id in plan.orders.items():
        if client_order_id in answers.orders:
            lookups.apply_lookup(lease=lease, order_id=order_id, answers=answers, now=now)
        elif not answers.lists(client_order_id):
            lookups.tell_long_doubt(order_id=order_id, now=now)
    for symbol, fills in answers.fills.items():
        lookups.apply_fills(lease=lease, instrument_id=plan.symbols[symbol], reports=fills, now=now)
    for symbol, reports in answers.open_orders.items():
        lookups.apply_open_orders(
            lease=lease, instrument_id=plan.symbols[symbol], reports=reports, now=now
        )
    crashpoint("reconciliation.applied")
    if plan.is_complete:
        _conclude(plan, answers, now)


@transactional
def _conclude(plan: Plan, answers: Answers, now: datetime) -> None:
    """Compare positions, note balances and health, and say when the next turn is."""
    account_id = plan.lease.account_id
    leases.require(plan.lease, seconds=venues.claim_seconds())
    horizons = settings.HORIZONS
    if answers.problem is not None:
        logger.warning(
            "reconciliation.failed", extra={"account_id": account_id, "code": answers.problem.code}
        )
        health.degrade_account(
            account_id=account_id,
            code=health.EXCHANGE_UNAVAILABLE,
            message=answers.problem.message,
            now=now,
        )
        next_at = now + timedelta(seconds=horizons.lookup_interval_s)
        leases.note_reconciled(plan.lease, next_at=next_at, fills_cursor_at=None)
        return
    over = {health.EXCHANGE_UNAVAILABLE, health.ACCOUNT_NOT_CONNECTED}
    health.recover_account(account_id=account_id, codes=over, now=now)
    if answers.balances is not None:
        drift.compare(
            account_id=account_id,
            instrument_ids=plan.symbols.values(),
            balances=answers.balances,
            positions=answers.positions or (),
            now=now,
        )
    _let_run(account_id, now)
    pause_s = horizons.reconcile_s if plan.is_busy else horizons.reconcile_idle_s
    leases.note_reconciled(
        plan.lease,
        next_at=now + timedelta(seconds=pause_s),
        fills_cursor_at=now,
        began_at=plan.began_at,
    )
    crashpoint("reconciliation.cursor_moved")
