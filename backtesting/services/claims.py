"""How a worker has a run or a check to itself, and how it ends.

A message only says where to look: the row decides. A worker claims a waiting row for a while and
counts its ``epoch`` up; whoever comes with an older epoch may write nothing any more.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError
from django.db.models import F
from django.db.models.functions import Now

from backtesting.engine import SimulationStopped
from backtesting.models import ClaimedWork, ClaimedWorkQuerySet, RunStatus
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from market.errors import PlatformError

logger = logging.getLogger(__name__)

#: How often work is begun before it is given up; more than once only if workers die on it.
MAXIMUM_ATTEMPTS: Final = 3
_SWEPT_AT_ONCE: Final = 100
#: Progress is written, and a wish to cancel read, at most this often.
_REPORT_S: Final = 0.5


@dataclass(slots=True)
class Claim:
    """One worker's right to a row."""

    everything: ClaimedWorkQuerySet[Any]
    pk: int
    epoch: int
    _next_report: float = field(default=0.0, init=False)
    _is_unwanted: bool = field(default=False, init=False)

    @classmethod
    def take(cls, everything: ClaimedWorkQuerySet[Any], *, pk: int) -> Self | None:
        """Make a row of *everything* this worker's; return None if it does not wait."""
        # One statement, so that of two messages for the same row only one gets it.
        claimed = everything.raw(
            f"""
            UPDATE {everything.model._meta.db_table}
               SET status = %s, epoch = epoch + 1, attempts = attempts + 1, progress = 0,
                   version = version + 1, started_at = now(),
                   lease_until = now() + make_interval(secs => %s)
             WHERE id = %s AND status = %s AND NOT cancel_requested
            RETURNING id, epoch
            """,  # noqa: S608  the name of a table of ours
            [RunStatus.RUNNING, settings.HORIZONS.lease_s, pk, RunStatus.QUEUED],
        )
        return next((cls(everything, pk, row.epoch) for row in claimed), None)

    def rows(self) -> ClaimedWorkQuerySet[Any]:
        """Return the row, or nothing once the claim is void."""
        return self.everything.claimed_by(pk=self.pk, epoch=self.epoch)

    def should_stop(self) -> bool:
        """Tell whether the last report found that the work is not wanted any more."""
        return self._is_unwanted

    def progress(self, fraction: float) -> None:
        """Write how far the work is and renew the claim, now and then."""
        if time.monotonic() < self._next_report:
            return
        self._next_report = time.monotonic() + _REPORT_S
        still_wanted = (
            self.rows()
            .filter(cancel_requested=False)
            .update(
                # The sweeper may have taken a slow worker for a dead one.
                status=RunStatus.RUNNING,
                progress=int(fraction * 100),
                lease_until=Now() + message_time(),
                version=F("version") + 1,
            )
        )
        self._is_unwanted = not still_wanted

    def progress_or_stop(self, fraction: float) -> None:
        """Report as ``progress`` does; raise SimulationStopped if the work is not wanted any more."""
        self.progress(fraction)
        if self._is_unwanted:
            raise SimulationStopped

    @transactional
    def end(self, status: RunStatus, *, code: str = "", message: str = "") -> None:
        """End the row without a result, unless the claim is void."""
        self.rows().update(
            status=status,
            error_code=code,
            error_message=message[:500],
            lease_until=None,
            finished_at=Now(),
            version=F("version") + 1,
        )

    @part_of_transaction
    def finish(self, **result: Any) -> bool:
        """Write the result down; return False and write nothing if the claim is void."""
        written = self.rows().update(
            status=RunStatus.DONE,
            progress=100,
            lease_until=None,
            finished_at=Now(),
            version=F("version") + 1,
            **result,
        )
        if not written:
            logger.warning("work.claim_lost", extra=self._names())
        return bool(written)

    def carry_out(self, work: Callable[[], None]) -> None:
        """Do the work, and end the row with an answer for the person if it fails.

        A failure that a person can act on is stored as such, and so is a bug, without its details. When the
        database is away the claim runs out and the sweeper sends for another worker.
        """
        try:
            work()
        except SimulationStopped:
            # Either canceled, or another worker has the row; then this writes nothing.
            self.end(RunStatus.CANCELED)
        except PlatformError as error:
            self._fail(error.code, error.message)
        except SoftTimeLimitExceeded:
            self._fail(
                "time_limit", "It took too long. Choose a shorter window or a longer timeframe."
            )
        except DatabaseError:
            raise
        except Exception:
            # The outermost frame of the work: the person gets an answer, the log the reason.
            logger.exception("work.broke", extra=self._names())
            self._fail("internal_error", "Something broke on our side. It has been logged.")

    def _fail(self, code: str, message: str) -> None:
        logger.info("work.failed", extra={**self._names(), "code": code})
        self.end(RunStatus.FAILED, code=code, message=message)

    def _names(self) -> dict[str, Any]:
        return {"work": self.everything.model._meta.model_name, "id": self.pk, "epoch": self.epoch}


@part_of_transaction
def request_end(row: ClaimedWork, *, now: datetime) -> None:
    """End a waiting *row* at once, and ask the worker of a running one to stop soon."""
    if row.status == RunStatus.QUEUED:
        row.status = RunStatus.CANCELED
        row.finished_at = now
    row.cancel_requested = True
    row.version += 1
    row.save(update_fields=["status", "finished_at", "cancel_requested", "version"])


@part_of_transaction
def look_after(
    everything: ClaimedWorkQuerySet[Any], *, task: str, argument: str, now: datetime
) -> int:
    """Look after rows whose message or worker was lost; return how many there were.

    *task* is sent for again with the key of the row as *argument*.
    """
    overdue = list(
        everything.unfinished()
        .filter(lease_until__lt=Now())
        .select_for_update(skip_locked=True)
        .only("pk", "status", "attempts", "cancel_requested")
        .order_by("pk")[:_SWEPT_AT_ONCE]
    )
    for row in overdue:
        changes: dict[str, Any] = {"version": F("version") + 1}
        if row.cancel_requested:
            changes |= {"status": RunStatus.CANCELED, "finished_at": now}
        elif row.attempts >= MAXIMUM_ATTEMPTS:
            message = f"The worker was lost {row.attempts} times. Try a shorter window."
            changes |= {"status": RunStatus.FAILED, "finished_at": now}
            changes |= {"error_code": "gave_up", "error_message": message}
        else:
            changes |= {"status": RunStatus.QUEUED, "progress": 0}
            changes |= {"lease_until": Now() + message_time()}
            enqueue_on_commit(task, **{argument: row.pk})
        everything.filter(pk=row.pk).update(**changes)
        logger.warning(
            "work.swept",
            extra={
                "work": everything.model._meta.model_name,
                "id": row.pk,
                "attempts": row.attempts,
            },
        )
    return len(overdue)


def message_time() -> timedelta:
    """Return how long a message may take before it counts as lost, and a claim without news."""
    return timedelta(seconds=settings.HORIZONS.lease_s)
