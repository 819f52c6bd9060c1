"""A run without a person and without a row: computed here and now, from the same specification."""

from collections.abc import Callable

from backtesting.domain.backtest import Backtest, run_backtest
from backtesting.domain.specification import Specification
from backtesting.selectors import specifications


def try_out(
    specification: Specification, *, progress: Callable[[float], None] | None = None
) -> Backtest:
    """Compute *specification* on the stored candles; nothing is written.

    Raises NoCandlesError or WindowTooShortError if gaps leave too few bars.
    """
    candles = specifications.candles_of(specification)
    return run_backtest(specification, candles, progress=progress)
