"""Drift reports: asked for as rows, computed by a worker that claims one, stored with their trades.

A message only says where to look. A worker claims a waiting report for a while and counts its ``epoch``
up; whoever comes with an older epoch writes nothing. The sweeper sends again for what was lost.
"""

import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market.errors import PlatformError
from market.timeframes import from_milliseconds
from trading.domain.drift_columns import COLUMNS, PairedTrade, totals
from trading.domain.drift_trades import RoundTrip
from trading.models import Deployment, DriftReport, DriftStatus, DriftTrade
from trading.selectors import deployments as selectors
from trading.selectors.owners import Owner
from trading.services import live_drift_facts
from trading.services.live_drift_facts import Comparison

logger = logging.getLogger(__name__)

#: A report is begun more than once only if workers die on it.
_MOST_ATTEMPTS: Final = 3

#: Reports of a deployment that are kept.
_KEPT: Final = 5

_SWEPT_AT_ONCE: Final = 100

_UNFINISHED: Final = (DriftStatus.QUEUED.value, DriftStatus.RUNNING.value)


@transactional
def request_report(
    *, owner: Owner, deployment_public_id: UUID, by: Actor, now: datetime
) -> DriftReport:
    """Ask for a comparison of a deployment of *owner* with its replay; one at a time.

    Returns the one that is under way, if there is one. A deployment of somebody else is not found.
    """
    deployment = selectors.get_deployment_for(owner, public_id=deployment_public_id)
    try:
        with transaction.atomic():
            report = DriftReport.objects.create(
                owner_id=deployment.owner_id,
                deployment=deployment,
                requested_at=now,
                lease_until=Now() + _message_time(),
            )
    except IntegrityError:
        return DriftReport.objects.get(deployment=deployment, status__in=_UNFINISHED)
    audit.record(
        actor=by, verb="deployment.drift-asked", target=deployment, owner_id=deployment.owner_id
    )
    enqueue_on_commit("trading.compute_drift_report", report_id=report.pk)
    return report


def compute_report(*, report_id: int, now: datetime) -> bool:
    """Compute a waiting report; return whether this call has stored its result.

    May be called any number of times. A failure that a person can act on is stored as such, and so
    is a bug, without its details.
    """
    epoch = _claim(report_id)
    if epoch is None:
        return False
    deployment = _deployment_of(report_id)
    try:
        comparison = live_drift_facts.compare(deployment)
    except PlatformError as error:
        _fail(report_id, epoch, code=error.code, message=error.message, now=now)
        return False
    except DatabaseError:
        raise
    except Exception:
        # The outermost frame of the work: the person gets an answer, the log the reason.
        logger.exception("drift_report.broke", extra={"report_id": report_id})
        text = "Something broke on our side. It has been logged."
        _fail(report_id, epoch, code="internal_error", message=text, now=now)
        return False
    return _store(report_id, epoch, comparison, now=now)


@transactional
def sweep_reports(*, now: datetime) -> int:
    """Look after reports whose message or worker was lost; return how many there were."""
    overdue = list(
        DriftReport.objects.select_for_update(skip_locked=True)
        .filter(status__in=_UNFINISHED, lease_until__lt=Now())
        .order_by("pk")[:_SWEPT_AT_ONCE]
    )
    for report in overdue:
        if report.attempts >= _MOST_ATTEMPTS:
            report.status = DriftStatus.FAILED
            report.error_code = "gave_up"
            report.error_message = f"The worker was lost {report.attempts} times."
            report.lease_until, report.finished_at = None, now
        else:
            report.status = DriftStatus.QUEUED
            report.lease_until = Now() + _message_time()
            enqueue_on_commit("trading.compute_drift_report", report_id=report.pk)
        report.version += 1
        report.save()
        logger.warning(
            "drift_report.swept", extra={"report_id": report.pk, "attempts": report.attempts}
        )
    return len(overdue)


@transactional
def _claim(report_id: int) -> int | None:
    """Make a waiting report this worker's; return its epoch, None if it does not wait."""
    claimed = DriftReport.objects.filter(pk=report_id, status=DriftStatus.QUEUED).update(
        status=DriftStatus.RUNNING,
        epoch=F("epoch") + 1,
        attempts=F("attempts") + 1,
        version=F("version") + 1,
        lease_until=Now() + timedelta(seconds=2 * settings.HORIZONS.lease_s),
    )
    if not claimed:
        return None
    return DriftReport.objects.values_list("epoch", flat=True).get(pk=report_id)


def _deployment_of(report_id: int) -> Deployment:
    return (
        Deployment.objects.select_related("strategy_version__strategy", "account__venue")
        .prefetch_related("instruments__instrument", "positions__instrument")
        .get(drift_reports=report_id)
    )


@transactional
def _fail(report_id: int, epoch: int, *, code: str, message: str, now: datetime) -> None:
    _claimed(report_id, epoch).update(
        status=DriftStatus.FAILED,
        error_code=code[:60],
        error_message=message[:500],
        lease_until=None,
        finished_at=now,
        version=F("version") + 1,
    )


@transactional
def _store(report_id: int, epoch: int, comparison: Comparison, *, now: datetime) -> bool:
    """Write the whole result, or nothing if somebody else has claimed the report meanwhile."""
    written = _claimed(report_id, epoch).update(
        status=DriftStatus.DONE,
        lease_until=None,
        finished_at=now,
        from_at=from_milliseconds(comparison.begin_ms),
        to_at=from_milliseconds(comparison.end_ms),
        live_pnl=comparison.live_pnl,
        replay_pnl=comparison.replay_pnl,
        equity=comparison.equity,
        version=F("version") + 1,
        **totals(comparison.trades),
    )
    if not written:
        logger.warning("drift_report.claim_lost", extra={"report_id": report_id})
        return False
    report = DriftReport.objects.get(pk=report_id)
    DriftTrade.objects.bulk_create(
        [_row(report, number, pair) for number, pair in enumerate(comparison.trades, start=1)],
        batch_size=500,
    )
    kept = DriftReport.objects.filter(deployment_id=report.deployment_id).order_by("-pk")[:_KEPT]
    finished = DriftReport.objects.filter(deployment_id=report.deployment_id).exclude(
        Q(pk__in=[each.pk for each in kept]) | Q(status__in=_UNFINISHED)
    )
    finished.delete()
    return True


def _claimed(report_id: int, epoch: int) -> QuerySet[DriftReport, DriftReport]:
    return DriftReport.objects.filter(pk=report_id, epoch=epoch, status=DriftStatus.RUNNING)


def _row(report: DriftReport, number: int, pair: PairedTrade) -> DriftTrade:
    trip = pair.live or pair.replay
    if trip is None:
        raise ValueError("A pair has a trade on one side at least.")
    return DriftTrade(
        owner_id=report.owner_id,
        report=report,
        number=number,
        symbol=trip.symbol,
        direction=trip.direction,
        decided_at=from_milliseconds(trip.decided_ms),
        **_side("live", pair.live),
        **_side("replay", pair.replay),
        **{name: pair.columns[name] for name in COLUMNS},
    )


def _side(name: str, trip: RoundTrip | None) -> dict[str, object]:
    if trip is None:
        return {}
    return {
        f"{name}_pnl": trip.pnl,
        f"{name}_entry_at": from_milliseconds(trip.entry_ms),
        f"{name}_exit_at": None if trip.is_open else from_milliseconds(trip.exit_ms),
        f"{name}_quantity": trip.quantity,
        f"{name}_entry_price": trip.entry_price,
        f"{name}_exit_price": trip.exit_price,
    }


def _message_time() -> timedelta:
    """Return how long a message may take before it counts as lost."""
    return timedelta(seconds=settings.HORIZONS.lease_s)
