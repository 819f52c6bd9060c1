"""The trades of a run as columns: what measures of trades work on."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from backtesting.engine.results import Trade
from market.costs import Costs
from market.enums import Direction, ExitReason

Floats = NDArray[np.float64]

#: What the numbers in ``TradeColumns.exit_reason`` stand for.
EXIT_REASONS: Final = tuple(ExitReason)
_CODE_OF: Final = {reason: code for code, reason in enumerate(EXIT_REASONS)}


@dataclass(frozen=True, slots=True, eq=False)
class TradeColumns:
    """One entry for each trade, oldest first, arrays of shape ``(trades,)``.

    ``direction`` is 1 for long and -1 for short; ``pnl`` (net), ``fees``, ``slippage`` and
    ``traded`` (the worth of all that was bought and sold) are in quote; ``return_fraction`` and the
    excursions are fractions; ``exit_reason`` is an index into ``EXIT_REASONS``.
    """

    direction: NDArray[np.int8]
    pnl: Floats
    return_fraction: Floats
    fees: Floats
    slippage: Floats
    traded: Floats
    duration_ms: NDArray[np.int64]
    adverse: Floats
    favorable: Floats
    exit_reason: NDArray[np.int8]
    is_open: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pnl)

    @classmethod
    def from_trades(cls, trades: Sequence[Trade], costs: Costs) -> Self:
        """Return *trades*, which *costs* have priced, as columns."""
        lot_ticks = [trade.entry_lot_ticks + trade.exit_lot_ticks for trade in trades]
        long = Direction.LONG
        return cls(
            direction=np.array([1 if trade.direction is long else -1 for trade in trades], np.int8),
            pnl=np.array([trade.pnl for trade in trades], np.float64),
            return_fraction=np.array([trade.return_fraction for trade in trades], np.float64),
            fees=np.array([trade.fees for trade in trades], np.float64),
            slippage=np.array([trade.slippage for trade in trades], np.float64),
            traded=np.array(lot_ticks, np.float64) * (costs.tick_size * costs.lot_step),
            duration_ms=np.array([trade.duration_ms for trade in trades], np.int64),
            adverse=np.array([trade.adverse_excursion for trade in trades], np.float64),
            favorable=np.array([trade.favorable_excursion for trade in trades], np.float64),
            exit_reason=np.array([_CODE_OF[trade.exit_reason] for trade in trades], np.int8),
            is_open=np.array([trade.is_open for trade in trades], np.bool_),
        )

    def where(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the trades that are *chosen*."""
        return type(self)(*(getattr(self, column.name)[chosen] for column in fields(self)))
