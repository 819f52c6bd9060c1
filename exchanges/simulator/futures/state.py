"""What is open for one account of the futures."""

from dataclasses import dataclass, field

from exchanges.simulator.futures.records import FuturesOrder, HeldPosition, StopOrder
from exchanges.simulator.mishaps import ScheduledFill


@dataclass(slots=True)
class AccountState:
    """What is open for one account, and up to which sample it is settled."""

    account_id: int
    seen: int
    funded_ms: int
    orders: dict[int, FuturesOrder] = field(default_factory=dict)
    stops: dict[int, StopOrder] = field(default_factory=dict)
    positions: dict[str, HeldPosition] = field(default_factory=dict)
    countdowns: dict[str, int] = field(default_factory=dict)
    scheduled: dict[int, ScheduledFill] = field(default_factory=dict)

    @property
    def held(self) -> list[HeldPosition]:
        """The positions that are open."""
        return [position for position in self.positions.values() if position.quantity]

    @property
    def is_idle(self) -> bool:
        """Whether the passing of time can do nothing to the account."""
        return not (self.orders or self.stops or self.scheduled or self.countdowns or self.held)

    def orders_by_market(self) -> dict[str, list[FuturesOrder]]:
        """Return the open orders of each market."""
        found: dict[str, list[FuturesOrder]] = {}
        for order in self.orders.values():
            found.setdefault(order.symbol, []).append(order)
        return found
