"""What a simulation returns: floats and whole lots inside, decimals at the border."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market import money
from market.enums import Direction, ExitReason
from market.orders import KernelFill
from market.timeframes import from_milliseconds
from strategies.decide import fills_of
from strategies.reasons import CODES, ReasonCode
from strategies.state import PositionState

_EXIT_REASONS: Final = tuple(ExitReason)


@dataclass(frozen=True, slots=True)
class Trade:
    """One round trip from flat to flat.

    Prices are volume-weighted and in quote, ``pnl`` is net of ``fees`` and ``funding``, ``return_fraction`` is
    ``pnl`` over the entry's notional. ``slippage`` is the part of the result that prices moved
    against us while filling. The excursions are how far the price went against and for the trade,
    as fractions of the entry price; of the bar in which it ends only the open and the exit count,
    because the rest may have come later. ``entry_open_ms`` and ``exit_open_ms`` are open times of
    bars. A trade still open at the end has ``closed_lots`` below ``lots`` and the rest marked at the
    last close. ``funding`` is what was paid for holding it, ``is_ambiguous`` tells that a bar did not
    say in which order its prices came and that it mattered.
    """

    number: int
    direction: Direction
    entry_index: int
    exit_index: int
    entry_open_ms: int
    exit_open_ms: int
    lots: int
    closed_lots: int
    entry_price: float
    exit_price: float
    fees: float
    slippage: float
    funding: float
    pnl: float
    return_fraction: float
    adverse_excursion: float
    favorable_excursion: float
    exit_reason: ExitReason
    is_ambiguous: bool

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
    """A ``Trade`` as rows and pages hold it; its instants are the open times of bars.

    ``symbol`` is empty unless the run was over many markets.
    """

    number: int
    direction: Direction
    entry_at: datetime
    exit_at: datetime
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    slippage: Decimal
    funding: Decimal
    pnl: Decimal
    return_fraction: Decimal
    adverse_excursion: Decimal
    favorable_excursion: Decimal
    bars: int
    exit_reason: ExitReason
    is_open: bool
    symbol: str = ""


@dataclass(frozen=True, eq=False)
class SimulationResult:
    """Everything that a run came to.

    ``equity`` (quote, marked at each close) and ``reasons`` (numbers of ``ReasonCode``) have one
    entry per bar; ``start_index`` is the first bar at which a position could be decided, all before
    is warm-up. ``lots_before`` is the position that the run began with. ``fill_columns`` (FILL),
    ``trade_columns`` (TRADE) and ``state`` are the kernel's own records, equal bit for bit between
    runs on the same input.
    """

    trade_columns: NDArray[np.void]
    fill_columns: NDArray[np.void]
    reasons: NDArray[np.uint8]
    equity: NDArray[np.float64]
    start_index: int
    state: PositionState
    capital: float
    last_close: float
    lots_before: int = 0

    @cached_property
    def position(self) -> NDArray[np.int64]:
        """Signed lots after each close, shape ``(n,)``: what the fills have added up to."""
        bars, held = self._holdings()
        return np.repeat(held, np.diff(bars, append=len(self.equity)))

    def bars_invested(self, start: int) -> int:
        """Return how many bars from *start* on ended with an open position."""
        bars, held = self._holdings()
        lengths = np.diff(np.maximum(bars, start), append=max(len(self.equity), start))
        return int(lengths[held != 0].sum())

    def _holdings(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return bars, the first of them 0, and what is held from the close of each on."""
        fills = self.fill_columns
        bars = np.concatenate([[0], fills["bar"]])
        held = self.lots_before + np.cumsum(np.concatenate([[0], fills["side"] * fills["lots"]]))
        return bars, held

    @cached_property
    def trades(self) -> tuple[Trade, ...]:
        """The round trips, oldest first."""
        return tuple(
            Trade(
                number=number,
                direction=Direction.LONG if row["direction"] > 0 else Direction.SHORT,
                entry_index=int(row["entry_bar"]),
                exit_index=int(row["exit_bar"]),
                entry_open_ms=int(row["entry_open_ms"]),
                exit_open_ms=int(row["exit_open_ms"]),
                lots=int(row["lots"]),
                closed_lots=int(row["closed_lots"]),
                entry_price=float(row["entry_price"]),
                exit_price=float(row["exit_price"]),
                fees=float(row["fees"]),
                slippage=float(row["slippage"]),
                funding=float(row["funding"]),
                pnl=float(row["pnl"]),
                return_fraction=float(row["return_fraction"]),
                adverse_excursion=float(row["adverse"]),
                favorable_excursion=float(row["favorable"]),
                exit_reason=_EXIT_REASONS[row["exit_reason"]],
                is_ambiguous=bool(row["is_ambiguous"]),
            )
            for number, row in enumerate(self.trade_columns, start=1)
        )

    @cached_property
    def fills(self) -> tuple[KernelFill, ...]:
        """The executions, oldest first."""
        return fills_of(self.fill_columns)

    @property
    def final_equity(self) -> float:
        """Equity at the last close; the capital if there was no bar."""
        return float(self.equity[-1]) if len(self.equity) else self.capital

    @property
    def ambiguous_bars(self) -> int:
        """In how many bars something mattered that the bar does not say."""
        bars = self.fill_columns["bar"][self.fill_columns["is_ambiguous"] != 0]
        return len(np.unique(bars))

    def reason_counts(self) -> dict[ReasonCode, int]:
        """Return how often each decision was made from ``start_index`` on, most frequent first."""
        counts = np.bincount(self.reasons[self.start_index :], minlength=len(CODES))
        order = np.argsort(-counts, kind="stable")
        return {CODES[number]: int(counts[number]) for number in order if counts[number]}

    def to_trades(self, *, tick: Decimal, step: Decimal) -> tuple[TradeRow, ...]:
        """Return the trades in decimals, for an instrument with these exact steps."""
        with localcontext(money.WIDE):
            return tuple(
                self._to_row(trade, row, tick=tick, step=step)
                for trade, row in zip(self.trades, self.trade_columns, strict=True)
            )

    def _to_row(self, trade: Trade, row: np.void, *, tick: Decimal, step: Decimal) -> TradeRow:
        sign = 1 if trade.direction is Direction.LONG else -1
        fills = self.fill_columns[row["first_fill"] : row["end_fill"]]
        # Whole numbers of any size: what is bought and sold adds up exactly.
        worth = {1: 0, -1: 0}
        for side, lots, ticks in zip(
            fills["side"].tolist(),
            fills["lots"].tolist(),
            fills["price_ticks"].tolist(),
            strict=True,
        ):
            worth[side] += lots * ticks
        entry_worth, exit_worth = tick * worth[sign], tick * worth[-sign]
        if trade.is_open:
            mark = money.decimal_of(self.last_close)
            exit_worth += mark * (trade.lots - trade.closed_lots)
        fees, funding = money.decimal_of(trade.fees), money.decimal_of(trade.funding)
        pnl = sign * step * (exit_worth - entry_worth) - fees - funding
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
            funding=money.quantize_money(funding),
            pnl=money.quantize_money(pnl),
            return_fraction=money.quantize_money(pnl / (step * entry_worth)),
            adverse_excursion=money.quantize_money(money.decimal_of(trade.adverse_excursion)),
            favorable_excursion=money.quantize_money(money.decimal_of(trade.favorable_excursion)),
            bars=trade.bars,
            exit_reason=trade.exit_reason,
            is_open=trade.is_open,
        )
