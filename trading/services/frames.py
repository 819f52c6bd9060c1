"""What a step of deployments over the bars of their group works on, and what comes of one bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from market.matching import Bar
from market.orders import KernelOrder
from market.timeframes import Timeframe, from_milliseconds
from strategies.reasons import ReasonCode
from strategies.signals import SignalRow
from strategies.state import PositionState
from trading.services.groups import GroupLease

if TYPE_CHECKING:
    from exchanges.models import Instrument


@dataclass(frozen=True, slots=True)
class GroupBar:
    """A closed bar with what the group's strategy says at its close."""

    bar: Bar
    close_ms: int
    signal: SignalRow
    reason: ReasonCode
    is_newest: bool

    @property
    def closed_at(self) -> datetime:
        """When it closed."""
        return from_milliseconds(self.close_ms)


@dataclass(frozen=True, slots=True)
class Frame:
    """What all deployments of a step have in common; *product* is what gives the right to them."""

    lease: GroupLease
    product: str
    instrument: "Instrument"
    timeframe: Timeframe
    bars: Sequence[GroupBar]
    now: datetime


class BarStep(NamedTuple):
    """What one bar has led to for one deployment; *acted* if rows of it have changed."""

    reason: ReasonCode
    state: PositionState
    orders: tuple[KernelOrder, ...]
    acted: bool
