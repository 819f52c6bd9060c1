"""What a simulation returns: floats and whole lots inside, decimals at the border."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from market import money
from market.enums import Direction, ExitReason
from market.orders import KernelFill
from market.timeframes import from_milliseconds
from strategies.reasons import ReasonCode
from strategies.state import PositionState


@dataclass(frozen=True, slots=True)
class Trade:
    """One round trip from flat to flat.

    Prices are volume-weighted and in quote, ``pnl`` is net of ``fees``, ``return_fraction`` is
    ``pnl`` over the entry's notional. ``slippage`` is the part of the result that prices moved
    against us while filling. The excursions are how far the price went against and for the trade,
    as fractions of the entry price; of the bar in which it ends only the open and the exit count,
    because the rest may have come later. ``entry_open_ms`` and ``exit_open_ms`` are open times of
    bars. A trade still open at the end has ``closed_lots`` below ``lots`` and the rest marked at
    ``mark_price``.
    """

    number: int
    direction: Direction
    entry_index: int
    exit_index: int
    entry_open_ms: int
    exit_open_ms: int
    lots: int
    entry_lot_ticks: int
    closed_lots: int
    exit_lot_ticks: int
    mark_price: float
    entry_price: float
    exit_price: float
    fees: float
    slippage: float
    pnl: float
    return_fraction: float
    adverse_excursion: float
    favorable_excursion: float
    exit_reason: ExitReason

    @property
    def is_open(self) -> bool:
        """Whether the data ended before the trade did."""
        return self.closed_lots < self.lots

    @property
    def bars(self) -> int:
        """How many bars lie between entry and exit; 0 if both were in the same one."""
        return self.exit_index - self.entry_index

    @property
    def duration_ms(self) -> int:
        """From the bar of the entry to the bar of the exit."""
        return self.exit_open_ms - self.entry_open_ms


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A ``Trade`` as rows and pages hold it; its instants are the open times of bars."""

    number: int
    direction: Direction
    entry_at: datetime
    exit_at: datetime
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    slippage: Decimal
    pnl: Decimal
    return_fraction: Decimal
    adverse_excursion: Decimal
    favorable_excursion: Decimal
    bars: int
    exit_reason: ExitReason
    is_open: bool


@dataclass(frozen=True, slots=True, eq=False)
class SimulationResult:
    """Everything that a run came to.

    ``equity`` (quote, marked at each close), ``position`` (signed lots after each close) and
    ``reasons`` have one entry per bar; ``start_index`` is the first bar at which a position could
    be decided, all before is warm-up. ``fills`` and ``state`` are the kernel's own records, equal
    bit for bit between runs on the same input.
    """

    trades: tuple[Trade, ...]
    fills: tuple[KernelFill, ...]
    reasons: tuple[ReasonCode, ...]
    equity: NDArray[np.float64]
    position: NDArray[np.int64]
    start_index: int
    state: PositionState
    capital: float

    @property
    def final_equity(self) -> float:
        """Equity at the last close; the capital if there was no bar."""
        return float(self.equity[-1]) if len(self.equity) else self.capital

    def to_trades(self, *, tick: Decimal, step: Decimal) -> tuple[TradeRow, ...]:
        """Return the trades in decimals, for an instrument with these exact steps."""
        return tuple(_to_row(trade, tick=tick, step=step) for trade in self.trades)


def _to_row(trade: Trade, *, tick: Decimal, step: Decimal) -> TradeRow:
    with localcontext(money.WIDE):
        entry_worth = tick * trade.entry_lot_ticks
        exit_worth = tick * trade.exit_lot_ticks
        if trade.is_open:
            exit_worth += money.decimal_of(trade.mark_price) * (trade.lots - trade.closed_lots)
        sign = 1 if trade.direction is Direction.LONG else -1
        fees = money.decimal_of(trade.fees)
        pnl = sign * step * (exit_worth - entry_worth) - fees
        return TradeRow(
            number=trade.number,
            direction=trade.direction,
            entry_at=from_milliseconds(trade.entry_open_ms),
            exit_at=from_milliseconds(trade.exit_open_ms),
            quantity=money.from_lots(trade.lots, step=step),
            entry_price=money.quantize_money(entry_worth / trade.lots),
            exit_price=money.quantize_money(exit_worth / trade.lots),
            fees=money.quantize_money(fees),
            slippage=money.quantize_money(money.decimal_of(trade.slippage)),
            pnl=money.quantize_money(pnl),
            return_fraction=money.quantize_money(pnl / (step * entry_worth)),
            adverse_excursion=money.quantize_money(money.decimal_of(trade.adverse_excursion)),
            favorable_excursion=money.quantize_money(money.decimal_of(trade.favorable_excursion)),
            bars=trade.bars,
            exit_reason=trade.exit_reason,
            is_open=trade.is_open,
        )
