"""What is carried from bar to bar: the position, what waits for it and what is remembered."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from market.enums import Leg, OrderType, Side
from market.kernel.records import AT_LIMIT, AT_STOP, STATE
from market.orders import KernelOrder

#: The layout of ``PositionState.to_json``; raised when a field changes its meaning.
STATE_VERSION: Final = 2

_KINDS: Final = {AT_LIMIT: OrderType.LIMIT, AT_STOP: OrderType.STOP_LOSS}


class PositionState(NamedTuple):
    """Everything that a decision knows beside the bar and the signal; the face of a STATE record.

    Levels are whole ticks, 0 for none; flags are 0 or 1; times are bars' opens in ms UTC.

    Parameters
    ----------
    lots, average_price, cash, capital
        ``lots`` is signed. ``cash`` (quote) includes what has been paid for the position, so equity
        is ``cash + lots x lot_step x price``. ``capital`` is the allocated amount.
    entry_fees
        Fees paid for what is open.
    stop_ticks, stop_trails, target_ticks, targets_done, last_target_ticks, first_target_ticks
        What protects the position: the stop (and whether a trail has moved it), the next target,
        how many were reached, the last one if the signal asked for it, the first one reached.
    trail_mark
        The best price since the trail was armed, 0 before.
    ladder_base, ladder_step, ladder_ticks, ladder_lots
        The first fill's price; the next order of the ladder: its number, price and size.
    exit_lots, exit_reason
        A market exit that waits for the next price, and why.
    entry_side, entry_kind, entry_lots, entry_ticks, entry_stop_ticks, entry_target_ticks
        An entry that waits: 1 buys, -1 sells, 0 is none; see ``market.kernel.records`` for kinds.
    entry_budget, entry_bars_left
        The most that a buy may spend, fee included; how many bars it may rest, 0 for no end.
    awaits_venue
        Whether orders of a real venue may still fill: then nothing new is decided.
    seen_lots, was_closed, entered_inside
        The position at the last decision, which is how an exit is noticed wherever it came from;
        whether a bar closed it since; whether it was entered in the middle of the last bar.
    entered_ms, bars_held, exit_armed
        The bar of the entry, decisions since, and whether the signals have armed their exit.
    cooldown_until_ms, day_ms, trades_of_day, trades
        Limits: the day (or session) that is counted, its entries, and those of the whole run.
    """

    lots: int
    average_price: float
    cash: float
    capital: float
    entry_fees: float = 0.0
    stop_ticks: int = 0
    stop_trails: int = 0
    target_ticks: int = 0
    targets_done: int = 0
    last_target_ticks: int = 0
    first_target_ticks: int = 0
    trail_mark: float = 0.0
    ladder_base: float = 0.0
    ladder_step: int = 0
    ladder_ticks: int = 0
    ladder_lots: int = 0
    exit_lots: int = 0
    exit_reason: int = 0
    entry_side: int = 0
    entry_kind: int = 0
    entry_lots: int = 0
    entry_ticks: int = 0
    entry_stop_ticks: int = 0
    entry_target_ticks: int = 0
    entry_budget: float = 0.0
    entry_bars_left: int = 0
    awaits_venue: int = 0
    seen_lots: int = 0
    was_closed: int = 0
    entered_inside: int = 0
    entered_ms: int = 0
    bars_held: int = 0
    exit_armed: int = 0
    cooldown_until_ms: int = 0
    day_ms: int = 0
    trades_of_day: int = 0
    trades: int = 0

    @classmethod
    def fresh(cls, capital: float) -> Self:
        """Return the state of a run that has not traded."""
        return cls(lots=0, average_price=0.0, cash=capital, capital=capital)

    @classmethod
    def of_position(
        cls,
        *,
        lots: int,
        average_price: float,
        cash: float,
        capital: float,
        memory: Mapping[str, Any] | None = None,
        awaits_venue: bool = False,
    ) -> Self:
        """Return the state of a position that booked fills have made, with what is remembered.

        ``cash`` is capital plus realized PnL, less fees, less ``lots x lot_step x average_price``.
        With *awaits_venue* nothing is decided until the orders on their way are settled.
        """
        state = cls(lots, average_price, cash, capital)._replace(**(memory or {}))
        return state._replace(awaits_venue=int(awaits_venue))

    @classmethod
    def of_record(cls, record: NDArray[np.void]) -> Self:
        """Return the values of a STATE record, an array of shape ``(1,)``."""
        return cls(*record.item())

    def to_record(self) -> NDArray[np.void]:
        """Return the STATE record with these values, an array of shape ``(1,)``."""
        return np.array([tuple(self)], dtype=STATE)

    def memory(self) -> dict[str, Any]:
        """Return by name what a position's fills do not tell, as far as it is not as at first."""
        return {
            name: value
            for name, value in zip(_MEMORY, self[_POSITION_FIELDS:], strict=True)
            if value and name != "awaits_venue"
        }

    @property
    def is_idle(self) -> bool:
        """Whether neither a position is open nor anything waits."""
        return not (self.lots or self.entry_side or self.exit_lots or self.awaits_venue)

    def protection(self) -> tuple[KernelOrder, ...]:
        """Return stop and next target of the position as orders, each for all of it."""
        if not self.lots:
            return ()
        side = Side.SELL if self.lots > 0 else Side.BUY
        levels = (
            (Leg.STOP, OrderType.STOP_LOSS, self.stop_ticks),
            (Leg.TARGET, OrderType.LIMIT, self.target_ticks),
        )
        return tuple(
            KernelOrder(leg, side, kind, abs(self.lots), ticks, reduce_only=True)
            for leg, kind, ticks in levels
            if ticks
        )

    def exit_order(self) -> KernelOrder | None:
        """Return the market exit that waits, or None."""
        if not self.exit_lots:
            return None
        side = Side.SELL if self.lots > 0 else Side.BUY
        return KernelOrder(Leg.EXIT, side, OrderType.MARKET, self.exit_lots, reduce_only=True)

    def entry_order(self) -> KernelOrder | None:
        """Return the entry that waits, or None."""
        if not self.entry_side:
            return None
        return KernelOrder(
            Leg.ENTRY,
            Side.BUY if self.entry_side > 0 else Side.SELL,
            _KINDS.get(self.entry_kind, OrderType.MARKET),
            self.entry_lots,
            price_ticks=self.entry_ticks,
            budget=self.entry_budget,
            expires_after_bars=self.entry_bars_left,
        )

    def equity(self, price: float, lot_step: float) -> float:
        """Return cash plus the position marked at *price*."""
        return self.cash + self.lots * lot_step * price

    def to_json(self) -> dict[str, Any]:
        """Return plain values that survive JSON bit for bit, with their version."""
        return {"version": STATE_VERSION, **self._asdict()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote; raise ValueError for another version."""
        if data.get("version") != STATE_VERSION:
            raise ValueError(f"Position state of version {data.get('version')} cannot be read.")
        return cls(**{name: data[name] for name in cls._fields})


_POSITION_FIELDS: Final = 4
_MEMORY: Final = PositionState._fields[_POSITION_FIELDS:]
