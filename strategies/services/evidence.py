"""Backtests that the catalogue shows: asked for here, computed by the app of backtests above.

A wish is a column of the strategy, so that a lost message or worker is noticed: the sweeper asks again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import IntegrityError, transaction

from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from strategies.models import Evidence, Strategy, StrategyVersion
from strategies.services.entries import EntryNotFoundError, NotInCodeError

#: The task of the app above that computes; named here because the wish is ours.
TASK: Final = "backtesting.record_evidence"
#: After this a message or its worker counts as lost, and after so long nobody is asked any more.
_ASK_AGAIN_AFTER: Final = timedelta(minutes=10)
_GIVE_UP_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Computed:
    """What a backtest came to, as evidence keeps it; ``curve`` as in the table."""

    instrument_id: int
    timeframe: str
    from_at: datetime
    to_at: datetime
    effective_from_at: datetime
    bar_count: int
    parameters: Mapping[str, Any]
    capital: Decimal
    maker_fee_bps: Decimal
    taker_fee_bps: Decimal
    slippage_bps: Decimal
    metrics: Mapping[str, Any]
    curve: Sequence[Sequence[float]]
    engine_version: str
    data_fingerprint: str
    spec_hash: str


@transactional
def request_evidence(*, strategy_id: int, by: Actor, now: datetime) -> Strategy:
    """Have a worker backtest the present version for the catalogue; a wish that stands is asked again."""
    strategy = Strategy.objects.select_for_update().filter(pk=strategy_id).first()
    if strategy is None:
        raise EntryNotFoundError
    if not strategy.is_registered:
        raise NotInCodeError(strategy.name)
    strategy.evidence_requested_at, strategy.evidence_error = now, ""
    strategy.save(update_fields=["evidence_requested_at", "evidence_error"])
    audit.record(actor=by, verb="strategy.evidence_requested", target=strategy)
    enqueue_on_commit(TASK, strategy_id=strategy.pk)
    return strategy


@transactional
def store_evidence(*, version_id: int, computed: Computed, by: Actor) -> Evidence:
    """Write down what the backtest of a version came to; the same one again returns the row there is."""
    version = StrategyVersion.objects.select_related("strategy").get(pk=version_id)
    known = Evidence.objects.filter(version=version, spec_hash=computed.spec_hash)
    _end_wish(version.strategy_id, error="")
    try:
        with transaction.atomic():
            row = _create(version, computed)
    except IntegrityError:
        return known.get()
    audit.record(
        actor=by,
        verb="strategy.evidence_recorded",
        target=version.strategy,
        detail={
            "version": version.number,
            "timeframe": row.timeframe,
            "from": row.from_at.isoformat(),
            "to": row.to_at.isoformat(),
            "total_return": computed.metrics["values"]["total_return"],
        },
    )
    return row


@transactional
def fail_evidence(*, strategy_id: int, message: str) -> None:
    """Note why no evidence could be made, for the operator who asked."""
    _end_wish(strategy_id, error=message[:300])


@transactional
def sweep_wishes(*, now: datetime) -> int:
    """Ask again for what no worker has answered, or give up; return how many there were."""
    overdue = (
        Strategy.objects.select_for_update(skip_locked=True)
        .filter(evidence_requested_at__lt=now - _ASK_AGAIN_AFTER)
        .order_by("pk")
    )
    count = 0
    for strategy in overdue:
        count += 1
        asked_at = strategy.evidence_requested_at
        if asked_at is not None and asked_at < now - _GIVE_UP_AFTER:
            _end_wish(strategy.pk, error="No worker could compute it within an hour.")
        else:
            enqueue_on_commit(TASK, strategy_id=strategy.pk)
    return count


@part_of_transaction
def _end_wish(strategy_id: int, *, error: str) -> None:
    Strategy.objects.filter(pk=strategy_id).update(evidence_requested_at=None, evidence_error=error)


def _create(version: StrategyVersion, computed: Computed) -> Evidence:
    return Evidence.objects.create(
        version=version,
        instrument_id=computed.instrument_id,
        timeframe=computed.timeframe,
        from_at=computed.from_at,
        to_at=computed.to_at,
        effective_from_at=computed.effective_from_at,
        bar_count=computed.bar_count,
        parameters=dict(computed.parameters),
        capital=computed.capital,
        maker_fee_bps=computed.maker_fee_bps,
        taker_fee_bps=computed.taker_fee_bps,
        slippage_bps=computed.slippage_bps,
        metrics=dict(computed.metrics),
        curve=[list(point) for point in computed.curve],
        engine_version=computed.engine_version,
        data_fingerprint=computed.data_fingerprint,
        spec_hash=computed.spec_hash,
    )
