"""What is carried from bar to bar: the position, its orders and what is remembered of the past."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from market.enums import Leg, OrderType, Side
from market.orders import KernelOrder

#: The layout of ``PositionState.to_json``; raised when a field changes its meaning.
STATE_VERSION: Final = 1


class Marks(NamedTuple):
    """What is remembered from bar to bar beside the position; times are bars' opens in ms UTC.

    ``stop_ticks`` and ``target_ticks`` are the levels that protect the position, 0 for none.
    ``seen_lots`` is the position at the last decision, which is how an exit is noticed wherever it
    came from. ``day_ms`` and ``trades_of_day`` count entries.
    """

    stop_ticks: int = 0
    target_ticks: int = 0
    seen_lots: int = 0
    cooldown_until_ms: int = 0
    day_ms: int = 0
    trades_of_day: int = 0


class PositionState(NamedTuple):
    """Everything that a decision knows beside the bar and the signal.

    ``lots`` is signed; ``average_price`` and ``cash`` are float64 in quote; ``cash`` includes what
    has been paid for the position, so equity is ``cash + lots x lot_step x price``. ``capital`` is
    the allocated amount.
    """

    lots: int
    average_price: float
    cash: float
    capital: float
    working: tuple[KernelOrder, ...] = ()
    marks: Marks = Marks()

    @classmethod
    def fresh(cls, capital: float) -> Self:
        """Return the state of a run that has not traded."""
        return cls(lots=0, average_price=0.0, cash=capital, capital=capital)

    @classmethod
    def live(
        cls,
        *,
        lots: int,
        average_price: float,
        cash: float,
        capital: float,
        marks: Marks | None = None,
        working: Sequence[KernelOrder] = (),
    ) -> Self:
        """Return the state of a position that real fills have made.

        ``cash`` is capital plus realized PnL, less fees, less ``lots x lot_step x average_price``.
        Pass *working* only if entry or exit orders may still fill: the decision then waits for
        them.
        """
        return cls(lots, average_price, cash, capital, tuple(working), marks or Marks())

    def equity(self, price: float, lot_step: float) -> float:
        """Return cash plus the position marked at *price*."""
        return self.cash + self.lots * lot_step * price

    def to_json(self) -> dict[str, Any]:
        """Return plain values that survive JSON bit for bit, with their version."""
        return {
            "version": STATE_VERSION,
            "lots": self.lots,
            "average_price": self.average_price,
            "cash": self.cash,
            "capital": self.capital,
            "working": [order._asdict() for order in self.working],
            "marks": self.marks._asdict(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote; raise ValueError for another version."""
        if data.get("version") != STATE_VERSION:
            raise ValueError(f"Position state of version {data.get('version')} cannot be read.")
        return cls(
            lots=data["lots"],
            average_price=data["average_price"],
            cash=data["cash"],
            capital=data["capital"],
            working=tuple(_order_from_json(order) for order in data["working"]),
            marks=Marks(**data["marks"]),
        )


def _order_from_json(data: Mapping[str, Any]) -> KernelOrder:
    words = {
        "leg": Leg(data["leg"]),
        "side": Side(data["side"]),
        "kind": OrderType(data["kind"]),
    }
    return KernelOrder(**{**data, **words})
