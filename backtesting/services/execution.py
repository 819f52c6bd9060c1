"""What a worker does with a run: claim it, compute it, write the result down."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError
from django.db.models import F
from django.db.models.functions import Now

from backtesting.domain.backtest import run_backtest
from backtesting.domain.portfolio import AnyBacktest, run_portfolio
from backtesting.domain.specification import Specification
from backtesting.engine import SimulationStopped, TradeRow
from backtesting.models import BacktestRun, BacktestTrade, RunStatus
from backtesting.selectors import specifications
from backtesting.services.specifications import columns_of
from foundation import tenancy
from foundation.transactions import transactional
from market import money
from market.errors import ConflictError, PlatformError

logger = logging.getLogger(__name__)

#: Progress is written, and a wish to cancel read, at most this often.
_REPORT_S: Final = 0.5
_TRADES_AT_ONCE: Final = 2_000


class CandlesChangedError(ConflictError):
    """The stored candles are others than at the request."""

    code = "candles_changed"

    def __init__(self) -> None:
        super().__init__("Candles of this window changed after the request. Run it again.")


def execute_run(*, run_id: int) -> None:
    """Compute a waiting run and store what came of it; do nothing if it does not wait any more.

    A failure that a person can act on is stored as such, and so is a bug, without its details. When
    the database is away the claim runs out and the sweeper sends for another worker.
    """
    epoch = _claim(run_id=run_id)
    if epoch is None:
        return
    run = BacktestRun.objects.select_related("strategy_version__strategy", "instrument__venue").get(
        pk=run_id
    )
    watch = _Watch(run_id=run_id, epoch=epoch)
    with tenancy.scope(run.owner_id):
        try:
            backtest = _compute(run, watch)
            _store(run=run, epoch=epoch, backtest=backtest)
        except SimulationStopped:
            # Either canceled, or another worker has the run; then this writes nothing.
            _end(run_id=run_id, epoch=epoch, status=RunStatus.CANCELED)
        except PlatformError as error:
            _fail(run_id=run_id, epoch=epoch, code=error.code, message=error.message)
        except SoftTimeLimitExceeded:
            message = "It took too long. Choose a shorter window or a longer timeframe."
            _fail(run_id=run_id, epoch=epoch, code="time_limit", message=message)
        except DatabaseError:
            raise
        except Exception:
            # The outermost frame of the work: the person gets an answer, the log the reason.
            logger.exception("backtest.broke", extra={"run_id": run_id})
            message = "Something broke on our side. It has been logged."
            _fail(run_id=run_id, epoch=epoch, code="internal_error", message=message)


def unsaved_trade(trade: TradeRow) -> BacktestTrade:
    """Return *trade* as a row that belongs to no run yet."""
    return BacktestTrade(
        number=trade.number,
        symbol=trade.symbol,
        direction=trade.direction.value,
        entry_at=trade.entry_at,
        exit_at=trade.exit_at,
        quantity=trade.quantity,
        entry_price=trade.entry_price,
        exit_price=trade.exit_price,
        fees=trade.fees,
        slippage=trade.slippage,
        funding=trade.funding,
        pnl=trade.pnl,
        return_fraction=money.float_of(trade.return_fraction),
        exit_reason=trade.exit_reason.value,
        is_open=trade.is_open,
        bars=trade.bars,
        mae=money.float_of(trade.adverse_excursion),
        mfe=money.float_of(trade.favorable_excursion),
    )


def unsaved_run(
    *, specification: Specification, backtest: AnyBacktest, now: datetime
) -> BacktestRun:
    """Return what *backtest* came to as a row that is not stored and belongs to nobody."""
    return BacktestRun(
        **columns_of(specification),
        spec_hash=specification.spec_hash(),
        status=RunStatus.DONE,
        progress=100,
        requested_at=now,
        finished_at=now,
        effective_from_at=backtest.effective_from_at,
        data_fingerprint=backtest.fingerprint(),
        bar_count=backtest.bar_count,
        metrics=backtest.metrics_json(),
        equity=backtest.curve().to_bytes(),
        exposure=_exposure_of(backtest),
    )


def compute(
    specification: Specification,
    *,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> AnyBacktest:
    """Return what *specification* comes to on the stored candles of its market or its universe.

    Raises NoCandlesError or WindowTooShortError if gaps leave too few bars.
    """
    if specification.universe:
        universe = specifications.universe_of(specification)
        return run_portfolio(specification, universe, progress=progress, should_stop=should_stop)
    candles = specifications.candles_of(specification)
    return run_backtest(
        specification,
        candles,
        detail=specifications.detail_of(specification),
        progress=progress,
        should_stop=should_stop,
    )


class _Watch:
    """Writes progress, renews the claim and notices that the work is not wanted any more."""

    def __init__(self, *, run_id: int, epoch: int) -> None:
        self._claim = BacktestRun.objects.claimed_by(run_id=run_id, epoch=epoch)
        self._next_report = 0.0
        self._unwanted = False

    def should_stop(self) -> bool:
        return self._unwanted

    def progress(self, fraction: float) -> None:
        if time.monotonic() < self._next_report:
            return
        self._next_report = time.monotonic() + _REPORT_S
        still_wanted = self._claim.filter(cancel_requested=False).update(
            # The sweeper may have taken a slow worker for a dead one.
            status=RunStatus.RUNNING,
            progress=int(fraction * 100),
            lease_until=Now() + timedelta(seconds=settings.HORIZONS.lease_s),
            version=F("version") + 1,
        )
        self._unwanted = not still_wanted


def _claim(*, run_id: int) -> int | None:
    """Make the run this worker's and return the epoch; None if it does not wait."""
    # One statement, so that of two messages for the same run only one gets it.
    claimed = BacktestRun.objects.raw(
        """
        UPDATE backtesting_backtestrun
           SET status = %s, epoch = epoch + 1, attempts = attempts + 1, progress = 0,
               version = version + 1, started_at = now(),
               lease_until = now() + make_interval(secs => %s)
         WHERE id = %s AND status = %s AND NOT cancel_requested
        RETURNING id, epoch
        """,
        [RunStatus.RUNNING, settings.HORIZONS.lease_s, run_id, RunStatus.QUEUED],
    )
    return next((run.epoch for run in claimed), None)


def _compute(run: BacktestRun, watch: _Watch) -> AnyBacktest:
    specification = specifications.specification_of(run)
    if specifications.data_version_now(specification) != run.data_version:
        raise CandlesChangedError
    return compute(specification, progress=watch.progress, should_stop=watch.should_stop)


@transactional
def _store(*, run: BacktestRun, epoch: int, backtest: AnyBacktest) -> None:
    """Write the whole result, or nothing if the claim is void."""
    written = BacktestRun.objects.claimed_by(run_id=run.pk, epoch=epoch).update(
        status=RunStatus.DONE,
        progress=100,
        lease_until=None,
        finished_at=Now(),
        effective_from_at=backtest.effective_from_at,
        data_fingerprint=backtest.fingerprint(),
        bar_count=backtest.bar_count,
        metrics=backtest.metrics_json(),
        equity=backtest.curve().to_bytes(),
        exposure=_exposure_of(backtest),
        version=F("version") + 1,
    )
    if not written:
        logger.warning("backtest.claim_lost", extra={"run_id": run.pk, "epoch": epoch})
        return
    rows = [unsaved_trade(trade) for trade in backtest.trades()]
    for row in rows:
        row.run, row.owner_id = run, run.owner_id
    BacktestTrade.objects.bulk_create(rows, batch_size=_TRADES_AT_ONCE)


def _exposure_of(backtest: AnyBacktest) -> bytes | None:
    exposure = backtest.exposure()
    return None if exposure is None else exposure.to_bytes()


def _fail(*, run_id: int, epoch: int, code: str, message: str) -> None:
    logger.info("backtest.failed", extra={"run_id": run_id, "code": code})
    _end(run_id=run_id, epoch=epoch, status=RunStatus.FAILED, code=code, message=message)


@transactional
def _end(*, run_id: int, epoch: int, status: RunStatus, code: str = "", message: str = "") -> None:
    """End the run without a result, unless the claim is void."""
    BacktestRun.objects.claimed_by(run_id=run_id, epoch=epoch).update(
        status=status,
        error_code=code,
        error_message=message[:500],
        lease_until=None,
        finished_at=Now(),
        version=F("version") + 1,
    )
