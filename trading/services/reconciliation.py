"""Our orders, fills and positions brought into line with what the venue says.

The venue's reports are the truth. An order whose fate is unknown is looked for by its client order
id and never sent again; one that is proven absent is given up. What we did not know of is external.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q

from exchanges.services import account_states, leases
from exchanges.services.leases import AccountLease, AccountLeaseLostError
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue
from foundation.transactions import transactional
from market.enums import OrderStatus
from market.errors import CredentialRejectedError
from trading.models import (
    AccountPosition,
    ActualState,
    Deployment,
    DeploymentPosition,
    Order,
)
from trading.services import (
    account_plans,
    daily_reports,
    drift,
    health,
    lookups,
    protection,
    submission,
    venues,
)
from trading.services.account_plans import Plan
from trading.services.questions import Answers
from trading.services.venues import VenueSession

logger = logging.getLogger(__name__)

_ACCOUNTS_AT_ONCE: Final = 50

#: Claims of accounts that are still waited for are prolonged after this part of their length.
_PROLONGED_IN: Final = 0.25


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
        plans = {}
        for lease in held:
            with _apart(lease, now):
                plans[lease.account_id] = account_plans.make(
                    lease, now=now, is_complete=lease.account_id in complete, since=report_since
                )
        with VenueSession(list(plans)) as session:
            asked = [plan.lookups for plan in plans.values()]
            for answers in session.ask(asked, within_s=_PROLONGED_IN * venues.claim_seconds()):
                crashpoint("reconciliation.asked")
                for answer in answers:
                    plan = plans.pop(answer.account_id)
                    with _apart(plan.lease, now):
                        _take_in(plan, answer, now, reports=report_since is not None)
                leases.prolong(
                    [plan.lease for plan in plans.values()], seconds=venues.claim_seconds()
                )
    finally:
        leases.release_many(held)
    submission.send_for_more(now=now, began_s=began_s)
    return len(held)


@contextmanager
def _apart(lease: AccountLease, now: datetime) -> Iterator[None]:
    """Keep what goes wrong with one account from the others; it is asked again after the usual pause."""
    try:
        yield
    except AccountLeaseLostError:
        logger.warning("reconciliation.lease_lost", extra={"account_id": lease.account_id})
    except Exception:
        logger.exception("reconciliation.broken", extra={"account_id": lease.account_id})
        _put_off(lease, now)


@transactional
def _put_off(lease: AccountLease, now: datetime) -> None:
    """Say that an account could not be compared because of a mistake of ours, and when it is next."""
    health.degrade_account(
        account_id=lease.account_id,
        code=health.NOT_COMPARED,
        message="The account could not be compared with its exchange; the operator's log says why.",
        now=now,
    )
    next_at = now + timedelta(seconds=settings.HORIZONS.reconcile_s)
    leases.note_reconciled(lease, next_at=next_at, fills_cursor_at=None)


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
    over = {health.EXCHANGE_UNAVAILABLE, health.ACCOUNT_NOT_CONNECTED, health.NOT_COMPARED}
    health.recover_account(account_id=account_id, codes=over, now=now)
    # Executions that a venue shows late are found by what they have moved.
    cursor_at = now
    if answers.balances is not None and drift.compare(
        account_id=account_id,
        instrument_ids=plan.symbols.values(),
        balances=answers.balances,
        positions=answers.positions or (),
        now=now,
    ):
        cursor_at = now - account_plans.LOOK_BACK
    _let_run(account_id, now)
    pause_s = horizons.reconcile_s if plan.is_busy else horizons.reconcile_idle_s
    leases.note_reconciled(
        plan.lease,
        next_at=now + timedelta(seconds=pause_s),
        fills_cursor_at=cursor_at,
        began_at=plan.began_at,
    )
    crashpoint("reconciliation.cursor_moved")
