"""The life of a run: requested, claimed by a worker, and done, failed or canceled.

A message only says where to look: the row decides. A worker claims a waiting run for a while and
counts its ``epoch`` up; whoever comes with an older epoch may write nothing any more.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from backtesting.domain.specification import Specification
from backtesting.models import BacktestRun, RunStatus
from backtesting.selectors import usage
from backtesting.selectors.runs import Owner
from backtesting.services import claims, specifications
from billing.services import entitlements
from billing.services.entitlements import Limit
from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market.errors import ConflictError, UnprocessableError

logger = logging.getLogger(__name__)

#: How many runs of one person may wait or run at the same time.
MAXIMUM_UNFINISHED: Final = 20


class TooManyRunsError(UnprocessableError):
    """The person has too many unfinished runs."""

    code = "too_many_runs"


class RunFinishedError(ConflictError):
    """The run is over, so there is nothing to cancel."""

    def __init__(self, status: str) -> None:
        super().__init__(f"This backtest is over already ({RunStatus(status).label.lower()}).")


@transactional
def request_run(
    *,
    owner: Owner,
    strategy_slug: str,
    market: str = "",
    universe: str = "",
    timeframe: str,
    from_at: datetime,
    to_at: datetime,
    parameters: Mapping[str, object],
    capital: Decimal = specifications.DEFAULT_CAPITAL,
    fee_bps: Decimal | None = None,
    slippage_bps: Decimal = specifications.DEFAULT_SLIPPAGE_BPS,
    funding_bps: Decimal = Decimal(0),
    parameters_are_text: bool = False,
    by: Actor,
    now: datetime,
) -> BacktestRun:
    """Store a run and send for a worker; return the present one if an equal one stands already.

    Arguments as for ``specifications.specify``, which raises InvalidRunError with all problems. A
    run that is returned and was ``requested_at`` another instant than *now* was there before, and
    counts for nothing. Raises PlanLimitError, or TooManyRunsError.
    """
    specification = specifications.specify(
        strategy_slug=strategy_slug,
        market=market,
        universe=universe,
        timeframe=timeframe,
        from_at=from_at,
        to_at=to_at,
        parameters=parameters,
        capital=capital,
        fee_bps=fee_bps,
        slippage_bps=slippage_bps,
        funding_bps=funding_bps,
        parameters_are_text=parameters_are_text,
        now=now,
    )
    spec_hash = specification.spec_hash()
    mine = BacktestRun.objects.filter(owner_id=owner.pk)
    try:
        with transaction.atomic():
            run = _create(owner, specification, spec_hash, now=now)
    except IntegrityError:
        return mine.standing().get(spec_hash=spec_hash)
    # Counted after writing: what is refused here is rolled back with everything else.
    _require_place(owner, bars=specification.asked_bars, now=now)
    if mine.unfinished().count() > MAXIMUM_UNFINISHED:
        raise TooManyRunsError(
            f"{MAXIMUM_UNFINISHED} of your backtests are waiting. Let one finish, or cancel one."
        )
    audit.record(actor=by, verb="backtest.requested", target=run, owner_id=run.owner_id)
    enqueue_on_commit("backtesting.execute_run", run_id=run.pk)
    return run


@transactional
def cancel_run(*, run_id: int, by: Actor, now: datetime) -> BacktestRun:
    """End a waiting run at once, and ask the worker of a running one to stop soon.

    Raises RunFinishedError if it is over.
    """
    run = BacktestRun.objects.select_for_update(of=("self",)).get(pk=run_id)
    if run.is_finished:
        raise RunFinishedError(run.status)
    claims.request_end(run, now=now)
    audit.record(actor=by, verb="backtest.canceled", target=run, owner_id=run.owner_id)
    return run


@transactional
def sweep(*, now: datetime) -> int:
    """Look after runs whose message or worker was lost; return how many there were."""
    return claims.look_after(
        BacktestRun.objects.all(), task="backtesting.execute_run", argument="run_id", now=now
    )


def _require_place(owner: Owner, *, bars: int, now: datetime) -> None:
    """Go on if the person's plan allows the run that was just written; raise PlanLimitError if not."""
    entitlements.require(owner, limit=Limit.BARS_PER_RUN, used=0, asked=bars, now=now)
    entitlements.require(
        owner,
        limit=Limit.BACKTESTS_PER_DAY,
        used=lambda: usage.count_runs_today(cast(int, owner.pk), now) - 1,
        now=now,
    )


def _create(
    owner: Owner, specification: Specification, spec_hash: str, *, now: datetime
) -> BacktestRun:
    return BacktestRun.objects.create(
        owner_id=cast(int, owner.pk),
        **specifications.columns_of(specification),
        spec_hash=spec_hash,
        requested_at=now,
        lease_until=Now() + claims.message_time(),
    )
