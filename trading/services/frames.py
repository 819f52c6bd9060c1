"""What a step of deployments over the bars of their group works on, and what comes of one bar.

A group's row holds the bars that some shard has still to step, as plain values: numbers survive JSON
bit for bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from market.matching import Bar
from market.orders import KernelOrder
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies.reasons import ReasonCode
from strategies.signals import SignalRow
from strategies.state import PositionState

if TYPE_CHECKING:
    from exchanges.models import Instrument

_UNSAID: Final = SignalRow()
_FLOATS: Final = frozenset({"entry_price", "stop_price", "target_price", "score"})


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

    @property
    def is_quiet(self) -> bool:
        """Whether nobody who holds nothing and waits for nothing acts on it, or remembers it."""
        return not self.reason.acts


@dataclass(frozen=True, slots=True)
class Frame:
    """What the deployments of a shard have in common; *product* is what gives the right to them."""

    group_id: int
    shard_id: int
    product: str
    instrument: "Instrument"
    timeframe: Timeframe
    bars: Sequence[GroupBar]
    now: datetime

    @property
    def is_quiet(self) -> bool:
        """Whether only those who hold something or wait for something have anything to do."""
        return all(each.is_quiet for each in self.bars)


class BarStep(NamedTuple):
    """What one bar has led to for one deployment; *acted* if rows of it have changed."""

    reason: ReasonCode
    state: PositionState
    orders: tuple[KernelOrder, ...]
    acted: bool


def to_json(each: GroupBar, *, instrument_id: int) -> dict[str, Any]:
    """Return a bar of an instrument as a group's row keeps it."""
    said = {
        name: value
        for name, value, unsaid in zip(SignalRow._fields, each.signal, _UNSAID, strict=True)
        # What is not a number is what nobody has said.
        if value != unsaid and value == value
    }
    return {
        "instrument": instrument_id,
        "close_ms": each.close_ms,
        "bar": list(each.bar),
        "signal": said,
        "reason": each.reason.value,
        "is_newest": each.is_newest,
    }


def from_json(data: Mapping[str, Any]) -> GroupBar:
    """Read what ``to_json`` wrote."""
    open_time, *prices = data["bar"]
    said: dict[str, Any] = {
        name: float(value) if name in _FLOATS else value for name, value in data["signal"].items()
    }
    return GroupBar(
        bar=Bar(open_time, *(float(price) for price in prices)),
        close_ms=data["close_ms"],
        signal=SignalRow(**said),
        reason=ReasonCode(data["reason"]),
        is_newest=data["is_newest"],
    )


def still_needed(
    pending: Sequence[Mapping[str, Any]], *, stepped_to: datetime | None
) -> list[Mapping[str, Any]]:
    """Return what some shard has not stepped, when all of them are at *stepped_to* at least."""
    if stepped_to is None:
        return list(pending)
    stepped_ms = to_milliseconds(stepped_to)
    return [each for each in pending if each["close_ms"] > stepped_ms]
