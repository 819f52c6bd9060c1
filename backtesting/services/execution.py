"""What a worker does with a run: claim it, compute it, write the result down."""

from collections.abc import Callable
from datetime import datetime

from backtesting.domain.backtest import Backtest, run_backtest
from backtesting.domain.lines import lines_of
from backtesting.domain.portfolio import AnyBacktest, run_portfolio
from backtesting.domain.specification import Specification
from backtesting.engine import TradeRow
from backtesting.models import BacktestRun, BacktestTrade, RunStatus
from backtesting.selectors import specifications
from backtesting.services.claims import Claim
from backtesting.services.specifications import columns_of
from foundation import copying, tenancy
from foundation.transactions import transactional
from market import money
from market.errors import ConflictError


class CandlesChangedError(ConflictError):
    """The stored candles are others than at the request."""

    code = "candles_changed"

    def __init__(self) -> None:
        super().__init__("Candles of this window changed after the request. Run it again.")


def execute_run(*, run_id: int) -> None:
    """Compute a waiting run and store what came of it; do nothing if it does not wait any more."""
    claim = Claim.take(BacktestRun.objects.all(), pk=run_id)
    if claim is None:
        return
    run = BacktestRun.objects.select_related("strategy_version__strategy", "instrument__venue").get(
        pk=run_id
    )
    with tenancy.scope(run.owner_id):
        claim.carry_out(lambda: _store(run=run, claim=claim, backtest=_compute(run, claim)))


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
        lines=_lines_of(backtest),
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


def _compute(run: BacktestRun, claim: Claim) -> AnyBacktest:
    specification = specifications.specification_of(run)
    if specifications.data_version_now(specification) != run.data_version:
        raise CandlesChangedError
    return compute(specification, progress=claim.progress, should_stop=claim.should_stop)


@transactional
def _store(*, run: BacktestRun, claim: Claim, backtest: AnyBacktest) -> None:
    """Write the whole result, or nothing if the claim is void."""
    is_written = claim.finish(
        effective_from_at=backtest.effective_from_at,
        data_fingerprint=backtest.fingerprint(),
        bar_count=backtest.bar_count,
        metrics=backtest.metrics_json(),
        equity=backtest.curve().to_bytes(),
        exposure=_exposure_of(backtest),
        lines=_lines_of(backtest),
    )
    if not is_written:
        return
    rows = [unsaved_trade(trade) for trade in backtest.trades()]
    for row in rows:
        row.run, row.owner_id = run, run.owner_id
    copying.copy_rows(rows)


def _exposure_of(backtest: AnyBacktest) -> bytes | None:
    exposure = backtest.exposure()
    return None if exposure is None else exposure.to_bytes()


def _lines_of(backtest: AnyBacktest) -> bytes | None:
    lines = lines_of(backtest) if isinstance(backtest, Backtest) else None
    return None if lines is None else lines.to_bytes()
