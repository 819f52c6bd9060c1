"""Many runs over the same bars, of which only a few numbers are kept: what a sweep consists of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtesting.engine.columns import bars_of, detail_columns, entry_columns, or_empty
from market.candles import Candles
from market.costs import Costs, costs_record
from market.kernel.records import RULES
from strategies.decide import rules_record
from strategies.reasons import ReasonCode, number_of
from strategies.rules import Rules
from strategies.signals import Signals
from strategies.state import PositionState

_NOTHING = np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class Tallies:
    """What each of many runs came to.

    ``runs`` has shape ``(runs,)`` and the fields of ``tally_fold.TALLY``. ``levels`` is the equity
    of each run at chosen bars, ``(runs, chosen + 1)``, behind the capital: ``levels[j, k + 1]`` at
    the k-th of them, the capital where the run had not begun.
    """

    runs: NDArray[np.void]
    levels: NDArray[np.float64]


def tally(
    candles: Candles,
    said: Signals | NDArray[np.uint8],
    rules: Sequence[Rules],
    costs: Costs,
    *,
    capital: float,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    funding: NDArray[np.float64] | None = None,
    detail: Candles | None = None,
) -> Tallies:
    """Return what ``simulate`` comes to with each of *rules*, without the course of the runs.

    Other parameters as there.

    Parameters
    ----------
    said
        The signals of all runs, or a row of bits for each run, ``(runs, n)``: see
        ``strategies.guards.guarded_says``.
    starts
        The first bar at which each run may decide on a position, ``(runs,)``.
    ends
        Bars whose equity is wanted, ascending.
    """
    from backtesting.engine import tally_fold  # noqa: PLC0415 - the compiler loads with it

    count = len(rules)
    rates = _NOTHING if funding is None else funding
    found = Tallies(
        np.zeros(count, dtype=tally_fold.TALLY), np.empty((count, len(ends) + 1), dtype=np.float64)
    )
    tally_fold.tally_all(
        PositionState.fresh(capital).to_record(),
        bars_of(candles),
        rates,
        _says(said, rates),
        entry_columns(said if isinstance(said, Signals) else None),
        _records(rules),
        costs_record(costs),
        starts,
        number_of(ReasonCode.WARMING_UP),
        detail_columns(candles, detail),
        ends,
        np.searchsorted(ends, starts),
        found.runs,
        found.levels,
    )
    return found


def _records(rules: Sequence[Rules]) -> NDArray[np.void]:
    """Return *rules* as records, joined as bytes: to join arrays of records takes ages."""
    whole = bytearray().join(rules_record(each).tobytes() for each in rules)
    return np.frombuffer(whole, dtype=RULES)


def _says(said: Signals | NDArray[np.uint8], rates: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return bits as rows: one for all runs where they have the same signals."""
    from backtesting.engine import fold  # noqa: PLC0415 - as above
    from strategies.kernel import FUNDING  # noqa: PLC0415 - as above

    if not isinstance(said, Signals):
        return said | (rates != 0) * np.uint8(FUNDING) if len(rates) else said
    says: NDArray[np.uint8] = fold.pack(
        said.enter_long,
        said.enter_short,
        said.exit_long,
        said.exit_short,
        said.ready,
        or_empty(said.flatten, np.bool_),
        or_empty(said.arm_exit, np.bool_),
        rates,
    )
    return says[np.newaxis]
