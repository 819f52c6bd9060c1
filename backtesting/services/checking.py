"""What a worker does with a check: claim it, compute it, write the report down."""

import logging
import time
from datetime import timedelta
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError
from django.db.models import F
from django.db.models.functions import Now

from backtesting.domain.checks import CheckReport
from backtesting.engine import SimulationStopped
from backtesting.models import RunStatus, StrategyCheck
from backtesting.selectors import specifications
from backtesting.services import checks
from backtesting.services.execution import CandlesChangedError
from foundation import tenancy
from foundation.transactions import transactional
from market.errors import PlatformError

logger = logging.getLogger(__name__)

#: Progress is written, and a wish to cancel read, at most this often.
_REPORT_S: Final = 0.5


def execute_check(*, check_id: int) -> None:
    """Compute a waiting check and store its report; do nothing if it does not wait any more.

    Failures end it as those of a run do (see ``execution``); a violation is a result, not a failure.
    """
    epoch = _claim(check_id=check_id)
    if epoch is None:
        return
    check = StrategyCheck.objects.select_related(
        "strategy_version__strategy", "instrument__venue"
    ).get(pk=check_id)
    with tenancy.scope(check.owner_id):
        try:
            report = _compute(check, _Watch(check_id=check_id, epoch=epoch))
            _store(check_id=check_id, epoch=epoch, report=report)
        except SimulationStopped:
            # Either canceled, or another worker has the check; then this writes nothing.
            _end(check_id=check_id, epoch=epoch, status=RunStatus.CANCELED)
        except PlatformError as error:
            _fail(check_id=check_id, epoch=epoch, code=error.code, message=error.message)
        except SoftTimeLimitExceeded:
            message = "It took too long. Choose a shorter window or a longer timeframe."
            _fail(check_id=check_id, epoch=epoch, code="time_limit", message=message)
        except DatabaseError:
            raise
        except Exception:
            # The outermost frame of the work: the person gets an answer, the log the reason.
            logger.exception("check.broke", extra={"check_id": check_id})
            message = "Something broke on our side. It has been logged."
            _fail(check_id=check_id, epoch=epoch, code="internal_error", message=message)


class _Watch:
    """Writes progress, renews the claim, and stops the work once it is not wanted any more."""

    def __init__(self, *, check_id: int, epoch: int) -> None:
        self._claim = StrategyCheck.objects.claimed_by(check_id=check_id, epoch=epoch)
        self._next_report = 0.0

    def progress(self, part: float) -> None:
        if time.monotonic() < self._next_report:
            return
        self._next_report = time.monotonic() + _REPORT_S
        still_wanted = self._claim.filter(cancel_requested=False).update(
            # The sweeper may have taken a slow worker for a dead one.
            status=RunStatus.RUNNING,
            progress=int(part * 100),
            lease_until=Now() + timedelta(seconds=settings.HORIZONS.lease_s),
            version=F("version") + 1,
        )
        if not still_wanted:
            raise SimulationStopped


def _claim(*, check_id: int) -> int | None:
    """Make the check this worker's and return the epoch; None if it does not wait."""
    # One statement, so that of two messages for the same check only one gets it.
    claimed = StrategyCheck.objects.raw(
        """
        UPDATE backtesting_strategycheck
           SET status = %s, epoch = epoch + 1, attempts = attempts + 1, progress = 0,
               version = version + 1, started_at = now(),
               lease_until = now() + make_interval(secs => %s)
         WHERE id = %s AND status = %s AND NOT cancel_requested
        RETURNING id, epoch
        """,
        [RunStatus.RUNNING, settings.HORIZONS.lease_s, check_id, RunStatus.QUEUED],
    )
    return next((check.epoch for check in claimed), None)


def _compute(check: StrategyCheck, watch: _Watch) -> CheckReport:
    specification = specifications.specification_of(check)
    if specifications.data_version_now(specification) != check.data_version:
        raise CandlesChangedError
    return checks.compute(specification, progress=watch.progress)


@transactional
def _store(*, check_id: int, epoch: int, report: CheckReport) -> None:
    """Write the report, unless the claim is void."""
    written = StrategyCheck.objects.claimed_by(check_id=check_id, epoch=epoch).update(
        status=RunStatus.DONE,
        progress=100,
        lease_until=None,
        finished_at=Now(),
        verdict=report.verdict.value,
        results=report.to_json(),
        bar_count=report.bar_count,
        data_fingerprint=report.data_fingerprint,
        version=F("version") + 1,
    )
    if not written:
        logger.warning("check.claim_lost", extra={"check_id": check_id, "epoch": epoch})


def _fail(*, check_id: int, epoch: int, code: str, message: str) -> None:
    logger.info("check.failed", extra={"check_id": check_id, "code": code})
    _end(check_id=check_id, epoch=epoch, status=RunStatus.FAILED, code=code, message=message)


@transactional
def _end(
    *, check_id: int, epoch: int, status: RunStatus, code: str = "", message: str = ""
) -> None:
    """End the check without a report, unless the claim is void."""
    StrategyCheck.objects.claimed_by(check_id=check_id, epoch=epoch).update(
        status=status,
        error_code=code,
        error_message=message[:500],
        lease_until=None,
        finished_at=Now(),
        version=F("version") + 1,
    )
