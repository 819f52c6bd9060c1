"""Fills gathered into trades: round trips from flat to flat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backtesting.engine.results import Trade
from market.candles import Candles
from market.costs import Costs
from market.enums import Direction, ExitReason, Leg, Side
from market.matching import Bar
from market.orders import KernelFill

_REASONS: Final = {
    Leg.STOP: ExitReason.STOP,
    Leg.TARGET: ExitReason.TARGET,
    Leg.EXIT: ExitReason.SIGNAL,
}


@dataclass(slots=True)
class _OpenTrip:
    """A trade that has begun; amounts in lots, lot-ticks (lots x ticks) and quote."""

    direction: Direction
    entry_index: int
    entry_open_ms: int
    entered_at_open: bool
    lots: int = 0
    entry_lot_ticks: int = 0
    closed_lots: int = 0
    exit_lot_ticks: int = 0
    fees: float = 0.0
    slippage: float = 0.0
    lowest: float = float("inf")
    highest: float = float("-inf")

    def see(self, *prices: float) -> None:
        """Widen the range of prices that the trade has lived through."""
        self.lowest = min(self.lowest, *prices)
        self.highest = max(self.highest, *prices)


class RoundTrips:
    """Collects trades while bars pass; at most one is open."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._trip: _OpenTrip | None = None
        self._trades: list[Trade] = []

    def pass_bar(self, index: int, bar: Bar, fills: Sequence[KernelFill]) -> None:
        """Take in bar *index* and what filled in it."""
        for fill in fills:
            self._take(index, bar, fill)
        trip = self._trip
        if trip is None:
            return
        if trip.entry_index < index or trip.entered_at_open:
            trip.see(bar.low, bar.high)
        else:
            # Where the bar went before the entry is unknown; only its end is surely part of the
            # trade.
            trip.see(bar.close)

    def finish(self, candles: Candles) -> tuple[Trade, ...]:
        """Return all trades; an open one is marked at the last close, without a fee for leaving."""
        if self._trip is not None:
            last = len(candles) - 1
            close = float(candles.close[last])
            open_ms = int(candles.open_time[last])
            self._close(last, open_ms, ExitReason.END_OF_DATA, mark=close)
        return tuple(self._trades)

    def _take(self, index: int, bar: Bar, fill: KernelFill) -> None:
        price = self._costs.price_of(fill.price_ticks)
        direction = Direction.LONG if fill.side is Side.BUY else Direction.SHORT
        if self._trip is None:
            self._trip = _OpenTrip(direction, index, bar.open_time, fill.at_open)
        trip = self._trip
        trip.fees += fill.fee
        trip.slippage += fill.slippage
        trip.see(price)
        if trip.direction is direction:
            trip.lots += fill.lots
            trip.entry_lot_ticks += fill.lots * fill.price_ticks
            return
        if trip.entry_index < index or trip.entered_at_open:
            trip.see(bar.open)
        trip.closed_lots += fill.lots
        trip.exit_lot_ticks += fill.lots * fill.price_ticks
        if trip.closed_lots == trip.lots:
            self._close(index, bar.open_time, _REASONS[fill.leg])

    def _close(self, index: int, open_ms: int, reason: ExitReason, mark: float = 0.0) -> None:
        trip = self._trip
        if trip is None:
            return
        self._trip = None
        costs = self._costs
        sign = 1 if trip.direction is Direction.LONG else -1
        still_open = trip.lots - trip.closed_lots
        entry = trip.entry_lot_ticks * costs.tick_size / trip.lots
        exit_worth = trip.exit_lot_ticks * costs.tick_size + still_open * mark
        exit_price = exit_worth / trip.lots
        pnl = costs.notional(sign * trip.lots, exit_price - entry) - trip.fees
        falls, rises = (entry - trip.lowest) / entry, (trip.highest - entry) / entry
        adverse, favorable = (falls, rises) if sign > 0 else (rises, falls)
        self._trades.append(
            Trade(
                number=len(self._trades) + 1,
                direction=trip.direction,
                entry_index=trip.entry_index,
                exit_index=index,
                entry_open_ms=trip.entry_open_ms,
                exit_open_ms=open_ms,
                lots=trip.lots,
                entry_lot_ticks=trip.entry_lot_ticks,
                closed_lots=trip.closed_lots,
                exit_lot_ticks=trip.exit_lot_ticks,
                mark_price=mark,
                entry_price=entry,
                exit_price=exit_price,
                fees=trip.fees,
                slippage=trip.slippage,
                pnl=pnl,
                return_fraction=pnl / costs.notional(trip.lots, entry),
                adverse_excursion=max(adverse, 0.0),
                favorable_excursion=max(favorable, 0.0),
                exit_reason=reason,
            )
        )
