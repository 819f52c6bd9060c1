"""Rules that stop trading by themselves, and let it go on once their cause is over.

They look at rows only and are looked at every few seconds. On paper none of them holds: nothing can
happen to it at an exchange, and it is to do what a backtest does.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet

from exchanges.selectors import accounts as exchange_accounts
from foundation.transactions import part_of_transaction, transactional
from market.enums import OrderStatus
from trading.models import (
    IDLE_STATES,
    AccountPosition,
    Deployment,
    Order,
    ReleaseRule,
    RestrictionCause,
    RestrictionState,
    TradingRestriction,
)
from trading.selectors import entry_rates
from trading.services import causes, market_triggers, orders, restored, restrictions
from trading.services.causes import Found

#: So many orders that a venue rejects within the window are no accident.
MOST_REJECTIONS: Final = 3
REJECTION_WINDOW: Final = timedelta(minutes=5)

#: No strategy of a bar sends so many orders a minute on purpose.
MOST_ORDERS_A_MINUTE: Final = 10

#: Two looks in a row that miss something are drift.
DRIFT_LOOKS: Final = 2

#: So many accounts that drift, and this share of all, are our mistake and not theirs.
MOST_DRIFTING: Final = 3
DRIFTING_SHARE: Final = Decimal("0.05")

#: So many orders that were sent twice within the window are a mistake of ours.
MOST_DUPLICATES: Final = 3
DUPLICATE_WINDOW: Final = timedelta(days=1)
_SENT_TWICE: Final = ("duplicate_order_id", orders.SECOND_ORDER)

#: Entries of a day beyond so many times the usual ones are none that the strategy means; fewer than
#: ``LEAST_UNUSUAL`` say nothing.
MOST_TIMES_USUAL: Final = 5
LEAST_UNUSUAL: Final = 10
_DAY: Final = timedelta(days=1)


def watch(*, now: datetime) -> None:
    """Set what calls for it, end what is over."""
    restored.halt_if_restored(now=now)
    market_triggers.watch(now=now)
    _keep_in_doubt(now=now)
    _keep_drift(now=now)
    _halt_duplicates(now=now)
    _stop_rejected(now=now)
    _stop_hasty(now=now)
    _stop_unusual(now=now)
    _end_expired(now=now)


@transactional
def _keep_in_doubt(*, now: datetime) -> None:
    """No entries in a market of an account with an order of which nobody knows what became of it."""
    long_ago = now - timedelta(seconds=settings.HORIZONS.absence_s)
    doubtful = Order.objects.filter(
        Q(status=OrderStatus.MANUAL_REVIEW.value)
        | Q(status=OrderStatus.UNKNOWN.value, active_at__lt=long_ago),
        account__kind="LIVE",
    ).select_related("account", "instrument")
    found = {
        (order.account_id, order.instrument_id): Found(
            restrictions.of_instrument(order.instrument, account=order.account),
            f"The exchange does not say what became of order {order.client_order_id}.",
        )
        for order in doubtful.order_by("pk")
    }
    causes.keep(found.values(), cause=RestrictionCause.ORDER_IN_DOUBT, now=now)


@transactional
def _keep_drift(*, now: datetime) -> None:
    """Exits only on accounts that hold less than was bought; all is halted if that is many accounts."""
    drifting = {
        row.account_id: Found(
            restrictions.of_account(row.account),
            "The account holds less than our fills add up to, at two looks in a row.",
        )
        for row in AccountPosition.objects.filter(drift_seen__gte=DRIFT_LOOKS)
        .exclude(account__kind="PAPER")
        .select_related("account")
    }
    for each in drifting.values():
        causes.impose(each, cause=RestrictionCause.DRIFT, rule=ReleaseRule.OPERATOR, now=now)
    connected = exchange_accounts.connected_count()
    if len(drifting) >= MOST_DRIFTING and len(drifting) >= connected * DRIFTING_SHARE:
        many = f"{len(drifting)} of {connected} accounts hold less than our fills add up to."
        causes.impose(
            Found(restrictions.of_platform(), many),
            cause=RestrictionCause.MANY_DRIFT,
            rule=ReleaseRule.TWO_OPERATORS,
            state=RestrictionState.HALTED,
            now=now,
        )


@transactional
def _halt_duplicates(*, now: datetime) -> None:
    """Halt everything once the venues know of several orders that were sent twice: that is our mistake."""
    since = now - DUPLICATE_WINDOW
    released_at = TradingRestriction.objects.filter(
        cause=RestrictionCause.DUPLICATE_ORDERS, released_at__gt=since
    ).aggregate(last=Max("released_at"))["last"]
    doubled = Order.objects.filter(
        # What the operators have seen and let go on counts no more.
        submitted_at__gt=released_at or since,
        reason_code__in=_SENT_TWICE,
        account__kind="LIVE",
    ).count()
    if doubled >= MOST_DUPLICATES:
        found = Found(
            restrictions.of_platform(),
            f"The exchanges know of {doubled} orders of a day that were sent twice.",
        )
        causes.impose(
            found,
            cause=RestrictionCause.DUPLICATE_ORDERS,
            rule=ReleaseRule.TWO_OPERATORS,
            state=RestrictionState.HALTED,
            now=now,
        )


@transactional
def _stop_rejected(*, now: datetime) -> None:
    """Exits only for a deployment whose orders the venue keeps rejecting."""
    rejected = Order.objects.filter(status=OrderStatus.REJECTED.value)
    _stop_frequent(
        rejected,
        since=now - REJECTION_WINDOW,
        most=MOST_REJECTIONS,
        cause=RestrictionCause.REJECTIONS,
        reason="The exchange has rejected three orders or more within five minutes.",
        now=now,
    )


@transactional
def _stop_hasty(*, now: datetime) -> None:
    """Exits only for a deployment that sends more orders than any strategy means to."""
    _stop_frequent(
        Order.objects.filter(reduce_only=False),
        since=now - timedelta(minutes=1),
        most=MOST_ORDERS_A_MINUTE,
        cause=RestrictionCause.ORDER_RATE,
        reason="It has sent ten entries or more within a minute.",
        now=now,
    )


@transactional
def _stop_unusual(*, now: datetime) -> None:
    """Exits only for a deployment that enters far more often in a day than it did, or its backtest."""
    since = now - _DAY
    recent = entry_rates.entries_since(since, least=LEAST_UNUSUAL)
    if not recent:
        return
    deployments = {each.pk: each for each in _deployments(recent)}
    keys = {restrictions.of_deployment(each).key: pk for pk, each in deployments.items()}
    released = _released(keys, cause=RestrictionCause.UNUSUAL_RATE, since=since)
    usual = entry_rates.usual_a_day(deployments.values(), before=since)
    for key, pk in keys.items():
        number = recent[pk]
        if key in released:
            number = entry_rates.count_of(deployments[pk], since=released[key])
        often = usual.get(pk)
        if often is None or number < LEAST_UNUSUAL or number <= MOST_TIMES_USUAL * often:
            continue
        reason = (
            f"It has entered {number} times within a day; {often.normalize():f} times are usual."
        )
        causes.impose(
            Found(restrictions.of_deployment(deployments[pk]), reason),
            cause=RestrictionCause.UNUSUAL_RATE,
            rule=ReleaseRule.OWNER,
            now=now,
        )


@part_of_transaction
def _stop_frequent(
    found: QuerySet[Order],
    *,
    since: datetime,
    most: int,
    cause: RestrictionCause,
    reason: str,
    now: datetime,
) -> None:
    recent = (
        found.filter(submitted_at__gt=since, account__kind="LIVE")
        .exclude(deployment__actual_state__in=IDLE_STATES)
        .values_list("deployment_id")
        .annotate(number=Count("pk"))
        .filter(number__gte=most)
        .order_by()
    )
    ids = [deployment_id for deployment_id, _ in recent]
    if not ids:
        return
    keys = {restrictions.of_deployment(each).key: each for each in _deployments(ids)}
    released = _released(keys, cause=cause, since=since)
    for key, deployment in keys.items():
        # What the owner has seen and let go on counts no more.
        after = released.get(key, since)
        own = found.filter(deployment=deployment, submitted_at__gt=after)
        if own.count() >= most:
            target = restrictions.of_deployment(deployment)
            causes.impose(Found(target, reason), cause=cause, rule=ReleaseRule.OWNER, now=now)


@transactional
def _end_expired(*, now: datetime) -> None:
    expired = TradingRestriction.objects.select_for_update(of=("self",), skip_locked=True).filter(
        released_at=None, until_at__lte=now
    )
    for row in expired:
        restrictions.end_automatically(row, by=causes.BY_RULES, note="Its time is over.", now=now)


def _released(
    keys: Collection[str], *, cause: RestrictionCause, since: datetime
) -> dict[str, datetime]:
    """Return when what was restricted for *cause* was last let go on, where that is after *since*."""
    rows = TradingRestriction.objects.filter(
        target_key__in=keys, cause=cause, released_at__gt=since
    )
    return dict(rows.values_list("target_key").annotate(Max("released_at")).order_by())


def _deployments(ids: Collection[int]) -> list[Deployment]:
    return list(Deployment.objects.filter(pk__in=ids).order_by("pk"))
