"""What a deployment did at each bar, or why it did nothing.

The group's row says it for everybody; a deployment has a row of its own only where it differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q

from strategies.reasons import ReasonCode, sentence
from trading.models import (
    Deployment,
    DeploymentDecision,
    DeploymentRevision,
    GroupDecision,
    IntentStatus,
    OrderIntent,
)
from trading.selectors.owners import Owner

_DENIALS: Final[Mapping[str, str]] = {
    "DEPLOYMENT_INACTIVE": "the deployment was stopped or paused",
    "OWNER_INACTIVE": "the person's account is deactivated",
    "ENTITLEMENT_ENDED": "the subscription has ended",
    "ACCOUNT_NOT_CONNECTED": "the exchange account is not connected",
    "ACCOUNT_BLOCKED_UNKNOWN_ORDER": "the fate of an earlier order is not known yet",
    "MARKET_INACTIVE": "the market does not trade",
    "DATA_STALE": "the candle was too old",
    "PRECISION_ROUNDED_TO_ZERO": "the size is less than one lot",
    "NOTIONAL_BELOW_MINIMUM": "the order is below the exchange's minimum",
    "BALANCE_UNKNOWN": "the exchange did not tell the balance",
    "INSUFFICIENT_FREE_BALANCE": "the free balance is too small",
    "REDUCE_ONLY_WOULD_INCREASE_POSITION": "there is nothing left to close",
}


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One decision; ``sentence`` is its line for a person, ``is_own`` whether it is not the group's."""

    bar_close_at: datetime
    symbol: str
    reason: ReasonCode
    sentence: str
    is_own: bool


def decisions_for(
    owner: Owner, *, deployment: Deployment, limit: int = 50
) -> Sequence[DecisionView]:
    """Return the last decisions of a deployment of *owner*, newest first."""
    own = {
        (row.bar_close_at, row.instrument_id): row
        for row in DeploymentDecision.objects.filter(owner_id=owner.pk, deployment=deployment)
        .select_related("instrument")
        .order_by("-bar_close_at", "-pk")[:limit]
    }
    shared = {
        (row.bar_close_at, row.instrument_id): row for row in _group_rows(owner, deployment, limit)
    }
    newest = sorted(own.keys() | shared.keys(), reverse=True)[:limit]
    denied = _denied(deployment, [at for at, _ in newest])
    views = []
    for key in newest:
        row = own.get(key) or shared[key]
        reason = ReasonCode(row.reason)
        text = sentence(reason, symbol=row.instrument.symbol, bar_close_at=row.bar_close_at)
        if reason.acts and key in denied:
            beginning = text.split(": ", maxsplit=1)[0]
            text = f"{beginning}: no order, {_DENIALS.get(denied[key], denied[key])}"
        views.append(
            DecisionView(row.bar_close_at, row.instrument.symbol, reason, text, key in own)
        )
    return views


def _group_rows(owner: Owner, deployment: Deployment, limit: int) -> Sequence[GroupDecision]:
    """Return the groups' decisions of the times in which the deployment belonged to them."""
    times = Q(pk__in=[])
    revisions = DeploymentRevision.objects.filter(owner_id=owner.pk, deployment=deployment)
    for revision in revisions.order_by("-number")[:5]:
        time = Q(group_id=revision.group_id, bar_close_at__gt=revision.from_bar_at)
        if revision.to_bar_at is not None:
            time &= Q(bar_close_at__lte=revision.to_bar_at)
        times |= time
    found = GroupDecision.objects.filter(times).select_related("instrument")
    return list(found.order_by("-bar_close_at", "-pk")[:limit])


def _denied(
    deployment: Deployment, closes: Sequence[datetime]
) -> Mapping[tuple[datetime, int], str]:
    rows = OrderIntent.objects.filter(
        deployment=deployment, bar_close_at__in=closes, status=IntentStatus.DENIED
    ).values_list("bar_close_at", "instrument_id", "reason_code")
    return {(at, instrument_id): code for at, instrument_id, code in rows if at is not None}
