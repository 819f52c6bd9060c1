"""Rules that stop trading by themselves, and let it go on once their cause is over.

They look at rows only and are looked at every few seconds. On paper none of them holds: nothing can
happen to it at an exchange, and it is to do what a backtest does.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet

from exchanges.selectors import accounts as exchange_accounts
from exchanges.selectors import instruments
from foundation.audit import Actor
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
from trading.services import checks, restrictions
from trading.services.frames import Frame
from trading.services.restrictions import Target

_BY_RULES: Final = Actor.system("triggers")

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

#: A price that moves further within one bar is not traded on until the next but one.
LARGEST_MOVE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """Something that calls for a restriction now."""

    target: Target
    reason: str


def watch(*, now: datetime) -> None:
    """Set what calls for it, end what is over."""
    _keep_in_doubt(now=now)
    _keep_skewed_clocks(now=now)
    _keep_drift(now=now)
    _stop_rejected(now=now)
    _stop_hasty(now=now)
    _end_expired(now=now)


@part_of_transaction
def note_move(frame: Frame, *, now: datetime) -> None:
    """Let nobody enter at a venue for a bar after the price of a market has leapt within one."""
    newest = frame.bars[-1]
    if newest.bar.open <= 0 or abs(newest.bar.close / newest.bar.open - 1) <= LARGEST_MOVE:
        return
    until = newest.closed_at + timedelta(milliseconds=2 * frame.timeframe.milliseconds)
    if until <= now:
        return
    restrictions.restrict(
        target=restrictions.of_instrument(frame.instrument),
        state=RestrictionState.REDUCING,
        cause=RestrictionCause.PRICE_MOVE,
        reason=f"{frame.instrument.symbol} has moved by more than 20 % within one bar.",
        release_rule=ReleaseRule.AUTOMATIC,
        by=_BY_RULES,
        now=now,
        until=until,
        spares_paper=True,
    )


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
    _keep(found.values(), cause=RestrictionCause.ORDER_IN_DOUBT, now=now)


@transactional
def _keep_skewed_clocks(*, now: datetime) -> None:
    """No entries at a venue whose clock is too far from ours."""
    found = [
        Found(
            restrictions.of_venue(venue),
            f"Its clock is {venue.clock_offset_ms} ms ahead of ours.",
        )
        for venue in instruments.venues_with_skew(more_than_ms=checks.MOST_SKEW_MS)
    ]
    _keep(found, cause=RestrictionCause.CLOCK_SKEW, now=now)


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
        _set(each, cause=RestrictionCause.DRIFT, rule=ReleaseRule.OPERATOR, now=now)
    connected = exchange_accounts.connected_count()
    if len(drifting) >= MOST_DRIFTING and len(drifting) >= connected * DRIFTING_SHARE:
        many = f"{len(drifting)} of {connected} accounts hold less than our fills add up to."
        _set(
            Found(restrictions.of_platform(), many),
            cause=RestrictionCause.MANY_DRIFT,
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
    released = dict(
        TradingRestriction.objects.filter(target_key__in=keys, cause=cause, released_at__gt=since)
        .values_list("target_key")
        .annotate(Max("released_at"))
        .order_by()
    )
    for key, deployment in keys.items():
        # What the owner has seen and let go on counts no more.
        after = released.get(key, since)
        own = found.filter(deployment=deployment, submitted_at__gt=after)
        if own.count() >= most:
            target = restrictions.of_deployment(deployment)
            _set(Found(target, reason), cause=cause, rule=ReleaseRule.OWNER, now=now)


@part_of_transaction
def _keep(found: Iterable[Found], *, cause: RestrictionCause, now: datetime) -> None:
    """Let exactly *found* be restricted for *cause*: what is no longer there is over."""
    wanted = {each.target.key: each for each in found}
    rows = TradingRestriction.objects.select_for_update(of=("self",)).filter(
        cause=cause, released_at=None
    )
    known = {row.target_key: row for row in rows}
    for key, each in wanted.items():
        if key not in known:
            _set(each, cause=cause, rule=ReleaseRule.AUTOMATIC, now=now)
    for key, row in known.items():
        if key not in wanted:
            restrictions.end_automatically(row, by=_BY_RULES, note="Its cause is over.", now=now)


@part_of_transaction
def _set(
    found: Found,
    *,
    cause: RestrictionCause,
    rule: ReleaseRule,
    now: datetime,
    state: RestrictionState = RestrictionState.REDUCING,
) -> None:
    restrictions.restrict(
        target=found.target,
        state=state,
        cause=cause,
        reason=found.reason,
        release_rule=rule,
        by=_BY_RULES,
        now=now,
        spares_paper=state is RestrictionState.REDUCING,
    )


@transactional
def _end_expired(*, now: datetime) -> None:
    expired = TradingRestriction.objects.select_for_update(of=("self",), skip_locked=True).filter(
        released_at=None, until_at__lte=now
    )
    for row in expired:
        restrictions.end_automatically(row, by=_BY_RULES, note="Its time is over.", now=now)


def _deployments(ids: Collection[int]) -> list[Deployment]:
    return list(Deployment.objects.filter(pk__in=ids).order_by("pk"))
