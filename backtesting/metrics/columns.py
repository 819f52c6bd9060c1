"""The trades of a run as columns: what measures of trades work on."""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from market.costs import Costs
from market.enums import ExitReason

Floats = NDArray[np.float64]

#: What the numbers in ``TradeColumns.exit_reason`` stand for.
EXIT_REASONS: Final = tuple(ExitReason)
#: What the numbers in ``TradeColumns.entry_kind`` stand for, as ``Signals.entry_kind`` has them.
ENTRY_KINDS: Final = ("MARKET", "LIMIT", "STOP")


@dataclass(frozen=True, slots=True, eq=False)
class TradeColumns:
    """One entry for each trade, oldest first, arrays of shape ``(trades,)``.

    ``direction`` is 1 for long and -1 for short; ``pnl`` (net), ``fees``, ``slippage``, ``funding`` and
    ``traded`` (the worth of all that was bought and sold) are in quote; ``return_fraction`` and the
    excursions are fractions; ``exit_reason`` is an index into ``EXIT_REASONS``, ``entry_kind`` one into
    ``ENTRY_KINDS``; ``is_ambiguous`` tells that a bar left open in which order its prices came.
    """

    direction: NDArray[np.int8]
    pnl: Floats
    return_fraction: Floats
    fees: Floats
    slippage: Floats
    funding: Floats
    traded: Floats
    duration_ms: NDArray[np.int64]
    adverse: Floats
    favorable: Floats
    exit_reason: NDArray[np.int8]
    entry_kind: NDArray[np.int8]
    is_ambiguous: NDArray[np.bool_]
    is_open: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pnl)

    @classmethod
    def from_records(cls, trades: NDArray[np.void], fills: NDArray[np.void], costs: Costs) -> Self:
        """Return TRADE records of the engine, which *fills* made and *costs* priced, as columns."""
        worths = fills["lots"].astype(np.float64) * fills["price_ticks"]
        traded = np.add.reduceat(worths, trades["first_fill"]) if len(trades) else worths[:0]
        return cls(
            direction=trades["direction"].astype(np.int8),
            pnl=np.ascontiguousarray(trades["pnl"]),
            return_fraction=np.ascontiguousarray(trades["return_fraction"]),
            fees=np.ascontiguousarray(trades["fees"]),
            slippage=np.ascontiguousarray(trades["slippage"]),
            funding=np.ascontiguousarray(trades["funding"]),
            traded=traded * (costs.tick_size * costs.lot_step),
            duration_ms=trades["exit_open_ms"] - trades["entry_open_ms"],
            adverse=np.ascontiguousarray(trades["adverse"]),
            favorable=np.ascontiguousarray(trades["favorable"]),
            exit_reason=trades["exit_reason"].astype(np.int8),
            entry_kind=fills["kind"][trades["first_fill"]],
            is_ambiguous=trades["is_ambiguous"] != 0,
            is_open=trades["closed_lots"] < trades["lots"],
        )

    def where(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the trades that are *chosen*."""
        return type(self)(*(getattr(self, column.name)[chosen] for column in fields(self)))
