"""Orders at a venue that have no row here: ours again where that can be proven, else left alone."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from exchanges.adapters.protocol import OrderReport
from foundation.transactions import part_of_transaction
from market.enums import Leg, OrderActor, OrderType, Proof
from market.timeframes import Timeframe, to_milliseconds
from trading.domain import keys, recovery
from trading.domain.recovery import Candidate
from trading.models import (
    Deployment,
    DeploymentInstrument,
    DeploymentRevision,
    ExternalOrder,
    IntentStatus,
    Order,
    OrderIntent,
)
from trading.services import orders
from trading.services.order_plans import Planned

logger = logging.getLogger(__name__)

#: Decisions about a market that are tried as the origin of an order, the newest first.
_MOST_KNOWN: Final = 50
_MOST_REVISIONS: Final = 3

#: How long after a bar's close an order of it may have been sent, at most.
_SENT_WITHIN: Final = timedelta(minutes=2)


@part_of_transaction
def take_back(
    reports: Sequence[OrderReport], *, account_id: int, instrument_id: int, now: datetime
) -> dict[str, int]:
    """Make orders again of those that this installation has sent, their rows lost by a restore.

    Returns the new orders by their ids at the venue. Only an id that follows from a decision of one
    of the account's own deployments is proof; the caller applies the report.
    """
    unseen = [each for each in reports if keys.is_one_of_ours(each.client_order_id)]
    if not unseen:
        return {}
    known_there = set(
        ExternalOrder.objects.filter(
            account_id=account_id,
            instrument_id=instrument_id,
            venue_order_id__in=[report.venue_order_id for report in unseen],
        ).values_list("venue_order_id", flat=True)
    )
    found: dict[str, int] = {}
    for report in unseen:
        # What was looked at once and is somebody else's stays theirs.
        if report.venue_order_id not in known_there:
            order = _take_back(report, account_id, instrument_id, now)
            if order is not None:
                found[report.client_order_id] = order.pk
    return found


@part_of_transaction
def note(
    reports: Sequence[OrderReport],
    *,
    owner_id: int,
    account_id: int,
    instrument_id: int,
    now: datetime,
) -> None:
    """Store the orders of others in a complete list of what rests, and which of them are gone."""
    rows = ExternalOrder.objects.filter(account_id=account_id, instrument_id=instrument_id)
    listed = [report.venue_order_id for report in reports]
    rows.filter(gone_at=None).exclude(venue_order_id__in=listed).update(gone_at=now)
    if not reports:
        return
    ours = set(
        Order.objects.filter(
            account_id=account_id, instrument_id=instrument_id, venue_order_id__in=listed
        ).values_list("venue_order_id", flat=True)
    )
    ExternalOrder.objects.bulk_create(
        [
            ExternalOrder(
                owner_id=owner_id,
                account_id=account_id,
                instrument_id=instrument_id,
                venue_order_id=report.venue_order_id,
                client_order_id=report.client_order_id,
                side=report.side.value,
                status=report.status.value,
                quantity=report.quantity,
                filled_quantity=report.filled_quantity,
                venue_at=report.venue_at,
                seen_at=now,
            )
            for report in reports
            if report.venue_order_id not in ours
        ],
        update_conflicts=True,
        unique_fields=["account", "instrument", "venue_order_id"],
        update_fields=["status", "quantity", "filled_quantity", "venue_at", "seen_at", "gone_at"],
    )


def _take_back(
    report: OrderReport, account_id: int, instrument_id: int, now: datetime
) -> Order | None:
    deployments = Deployment.objects.filter(
        pk__in=DeploymentInstrument.objects.filter(
            account_id=account_id, instrument_id=instrument_id
        ).values("deployment_id")
    )
    for deployment in deployments.order_by("-pk"):
        made_from = recovery.find(
            report.client_order_id,
            salt=settings.INSTALLATION_SALT,
            deployment=deployment.public_id,
            candidates=_candidates(deployment, instrument_id, report.venue_at),
        )
        if made_from is not None:
            return _make_again(deployment, report, *made_from, instrument_id=instrument_id, now=now)
    return None


def _candidates(
    deployment: Deployment, instrument_id: int, venue_at: datetime
) -> Iterator[Candidate]:
    stored = OrderIntent.objects.filter(deployment=deployment, instrument_id=instrument_id)
    revisions = DeploymentRevision.objects.filter(deployment=deployment).order_by("-number")
    timeframe = Timeframe(deployment.timeframe)
    newest = timeframe.open_of(to_milliseconds(venue_at))
    oldest = timeframe.open_of(to_milliseconds(venue_at - _SENT_WITHIN))
    closes = [newest]
    while closes[-1] > oldest:
        closes.append(timeframe.open_of(closes[-1] - 1))
    return recovery.candidates(
        known=[
            Candidate(key, Leg(leg))
            for key, leg in stored.order_by("-pk").values_list("decision_key", "leg")[:_MOST_KNOWN]
        ],
        revision_ids=list(revisions.values_list("pk", flat=True)[:_MOST_REVISIONS]),
        instrument_id=instrument_id,
        bar_closes_ms=closes,
    )


def _make_again(
    deployment: Deployment,
    report: OrderReport,
    origin: Candidate,
    attempt: int,
    *,
    instrument_id: int,
    now: datetime,
) -> Order:
    locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
    newest = DeploymentRevision.objects.filter(deployment=locked).latest("number")
    is_stop = origin.leg is Leg.STOP
    intent, _ = OrderIntent.objects.get_or_create(
        deployment=locked,
        decision_key=origin.key,
        defaults={
            "owner_id": locked.owner_id,
            "revision": newest,
            "account_id": locked.account_id,
            "instrument_id": instrument_id,
            "leg": origin.leg.value,
            "side": report.side.value,
            # It rests, so it is one of these; its price is only known at the venue.
            "order_type": (OrderType.STOP_LOSS if is_stop else OrderType.LIMIT).value,
            "quantity": report.quantity,
            "reduce_only": origin.leg not in {Leg.ENTRY, Leg.LADDER},
            "status": IntentStatus.ORDERED,
            "reason_code": "RECOVERED",
            "epoch": locked.epoch,
            "not_before": now,
        },
    )
    intent.deployment = locked
    planned = Planned(intent, report.quantity, attempt=attempt)
    order = orders.create_many(
        [planned],
        now=now,
        actor=OrderActor.RECONCILER,
        proof=Proof.VENUE_RECORD,
        evidence={"venue_order_id": report.venue_order_id, "recovered": True},
    )[0]
    logger.warning("order.taken_back", extra={"order_id": order.pk})
    return order
