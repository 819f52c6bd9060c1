"""What a deployment did at each bar, or why it did nothing.

The group's row says it for everybody; a deployment has a row of its own only where it differs.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

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


#: Of older revisions the decisions are not shown any more.
_REVISIONS_READ: Final = 20

_Row = TypeVar("_Row", DeploymentDecision, GroupDecision)


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One decision; ``sentence`` is its line for a person, ``is_own`` whether it is not the group's."""

    bar_close_at: datetime
    instrument_id: int
    symbol: str
    reason: ReasonCode
    sentence: str
    is_own: bool


def decisions_for(
    owner: Owner,
    *,
    deployment: Deployment,
    limit: int = 50,
    reason: str = "",
    below: tuple[datetime, int] | None = None,
) -> Sequence[DecisionView]:
    """Return the last decisions of a deployment of *owner*, newest first.

    Of *reason* only, if one is named; *below* is the key of a decision that has been seen.
    """
    own = _narrowed(_own_rows(owner, deployment), reason, below)[:limit]
    shared = _narrowed(_group_rows(owner, deployment), reason, below)[:limit]
    own_keys = {(row.bar_close_at, row.instrument_id) for row in own}
    both: list[DeploymentDecision | GroupDecision] = [*own, *shared]
    newest = sorted(both, key=lambda row: (row.bar_close_at, row.instrument_id), reverse=True)[
        :limit
    ]
    denied = _denied(deployment, [row.bar_close_at for row in newest])
    views = []
    for row in newest:
        key = (row.bar_close_at, row.instrument_id)
        code = ReasonCode(row.reason)
        text = sentence(code, symbol=row.instrument.symbol, bar_close_at=row.bar_close_at)
        if code.acts and key in denied:
            beginning = text.split(": ", maxsplit=1)[0]
            text = f"{beginning}: no order, {_DENIALS.get(denied[key], denied[key])}"
        views.append(
            DecisionView(
                row.bar_close_at,
                row.instrument_id,
                row.instrument.symbol,
                code,
                text,
                key in own_keys,
            )
        )
    return views


def reason_counts(
    owner: Owner, *, deployment: Deployment, since: datetime
) -> Mapping[ReasonCode, int]:
    """Return how often a deployment of *owner* decided for which reason since then, the most frequent first."""
    counts: Counter[ReasonCode] = Counter()
    for rows in (_own_rows(owner, deployment), _group_rows(owner, deployment)):
        found = rows.filter(bar_close_at__gt=since).order_by().values_list("reason")
        for code, number in found.annotate(number=Count("pk")):
            counts[ReasonCode(code)] += number
    return dict(counts.most_common())


def _own_rows(
    owner: Owner, deployment: Deployment
) -> QuerySet[DeploymentDecision, DeploymentDecision]:
    """Return what is not as the group's rows say."""
    return DeploymentDecision.objects.filter(owner_id=owner.pk, deployment=deployment)


def _group_rows(owner: Owner, deployment: Deployment) -> QuerySet[GroupDecision, GroupDecision]:
    """Return the groups' decisions of the times in which the deployment belonged to them and had none of its own."""
    times = Q(pk__in=[])
    revisions = DeploymentRevision.objects.filter(owner_id=owner.pk, deployment=deployment)
    for revision in revisions.order_by("-number")[:_REVISIONS_READ]:
        time = Q(group_id=revision.group_id, bar_close_at__gt=revision.from_bar_at)
        if revision.to_bar_at is not None:
            time &= Q(bar_close_at__lte=revision.to_bar_at)
        times |= time
    own = _own_rows(owner, deployment).filter(
        instrument_id=OuterRef("instrument_id"), bar_close_at=OuterRef("bar_close_at")
    )
    return GroupDecision.objects.filter(times).exclude(Exists(own))


def _narrowed(
    rows: QuerySet[_Row, _Row], reason: str, below: tuple[datetime, int] | None
) -> QuerySet[_Row, _Row]:
    if reason:
        rows = rows.filter(reason=reason)
    if below is not None:
        at, instrument_id = below
        rows = rows.filter(
            Q(bar_close_at__lt=at) | Q(bar_close_at=at, instrument_id__lt=instrument_id)
        )
    return rows.select_related("instrument").order_by("-bar_close_at", "-instrument_id")


def _denied(
    deployment: Deployment, closes: Sequence[datetime]
) -> Mapping[tuple[datetime, int], str]:
    rows = OrderIntent.objects.filter(
        deployment=deployment, bar_close_at__in=closes, status=IntentStatus.DENIED
    ).values_list("bar_close_at", "instrument_id", "reason_code")
    return {(at, instrument_id): code for at, instrument_id, code in rows if at is not None}
