"""What one scenario is made of, drawn from its seed: the same seed is the same scenario."""

import random
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from exchanges.simulator.fault_kinds import Carrier, FaultKind
from exchanges.simulator.fault_table import describe
from exchanges.simulator.rules import LASTING
from tests.crash.points import POINTS, SLEEPING_POINTS

#: Kinds that say nothing about orders in flight, or that only a person can put right.
_LEFT_OUT: Final = frozenset(
    {
        # A key that was revoked is connected anew by its owner; until then nothing can be asked.
        FaultKind.KEY_REVOKED,
        # Building blocks: what they do has names of its own.
        *(FaultKind.ANSWER, FaultKind.CLOSE, FaultKind.DELAY),
    }
)

#: The faults that a scenario may meet: those of the wire and of the exchange. Those of the client's
#: address never reach the exchange, and those of candles never reach an order.
FAULTS: Final = tuple(
    kind
    for kind in FaultKind
    if describe(kind).carrier in {Carrier.WIRE, Carrier.EXCHANGE} and kind not in _LEFT_OUT
)

#: What a fault of the wire strikes, by weight.
_CALLS: Final[Mapping[str, int]] = MappingProxyType(
    {"CREATE": 55, "CANCEL": 12, "FIND": 12, "TRADES": 8, "BALANCES": 8, "OPEN_ORDERS": 5}
)

#: The answers' lateness and the like, in proportion to how long the platform waits here.
_SETTINGS: Final[Mapping[FaultKind, Mapping[str, Any]]] = MappingProxyType(
    {
        FaultKind.ACCEPTED_LATE: {"delay_ms": 1_000},
        FaultKind.ACCEPTED_HUGE_BODY: {"size_bytes": 6_000_000},
        FaultKind.PARTIAL_FILL: {"share": 0.5, "after_ms": 150},
        FaultKind.LATE_FILL: {"after_ms": 150},
        FaultKind.LATE_FILL_AFTER_CANCEL: {"after_ms": 100},
    }
)
_COMMAND_POINTS: Final = frozenset(
    {"commands.recorded", "wire.cancel_sent", "commands.cancel_answered"}
)
#: What only happens once an entry has filled.
_FILL_POINTS: Final = _COMMAND_POINTS | {
    *("fills.inserted", "fills.booked", "protection.stop_decided", "wire.stop_sent")
}
_MOST_HIDDEN: Final = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """One scenario.

    The process dies (or falls asleep, if ``by`` is SIGSTOP) at ``point`` when it comes there for
    the ``visits``-th time. ``entry`` is how the entry is ordered: SIGNAL by the strategy, at the
    MARKET, at a LIMIT that is met, or RESTING at one that is not. ``command`` is what the owner
    says afterwards, if anything; ``falls`` lets the market fall through the stop before that;
    ``stops_meanwhile`` lets the owner stop the deployment while the
    process sleeps; ``submits_first`` lets others send before they decide. ``rules`` go into the exchange's fault program.
    """

    point: str
    seed: int
    by: signal.Signals
    visits: int
    is_swap: bool
    is_short: bool
    entry: str
    command: str
    falls: bool
    stops_meanwhile: bool
    submits_first: bool
    fault: FaultKind | None
    rules: tuple[Mapping[str, Any], ...]

    @property
    def command_line(self) -> str:
        """What repeats the scenario."""
        return f"python -m tests.crash --point {self.point} --seed {self.seed}"


def draw(point: str, seed: int) -> Plan:
    """Return the scenario of a place and a seed."""
    chance = random.Random(f"{point}/{seed}")
    sleeps = point in SLEEPING_POINTS and chance.random() < 0.25
    is_swap = chance.random() < 0.4
    by_signal = point.startswith("evaluation.") or chance.random() < 0.3
    entry = "SIGNAL" if by_signal else chance.choice(_ENTRIES)
    if entry == "RESTING" and point in _FILL_POINTS:
        entry = "LIMIT"
    commands = ("FLATTEN", "STOP") if point in _COMMAND_POINTS else _COMMANDS
    fault, rules = draw_faults(chance, point, seed)
    return Plan(
        point=point,
        seed=seed,
        by=signal.SIGSTOP if sleeps else signal.SIGKILL,
        visits=1 if chance.random() < 0.8 else 2,
        is_swap=is_swap,
        is_short=is_swap and entry != "SIGNAL" and chance.random() < 0.5,
        entry=entry,
        command=chance.choice(commands),
        falls=point not in _COMMAND_POINTS and chance.random() < 0.15,
        stops_meanwhile=sleeps and chance.random() < 0.5,
        submits_first=chance.random() < 0.5,
        fault=fault,
        rules=rules,
    )


_ENTRIES: Final = ("MARKET", "MARKET", "LIMIT", "RESTING")
_COMMANDS: Final = ("", "", "FLATTEN", "STOP", "PAUSE")


def draw_faults(
    chance: random.Random, point: str, seed: int
) -> tuple[FaultKind | None, tuple[Mapping[str, Any], ...]]:
    """Draw what goes wrong at the exchange; over the seeds of a place every kind has its turn."""
    kinds: tuple[FaultKind | None, ...] = (None, *FAULTS)
    # The places begin at different kinds, so that few seeds already meet all of them.
    kind = kinds[(seed + 7 * POINTS.index(point)) % len(kinds)] if point in POINTS else None
    rules: list[Mapping[str, Any]] = []
    hidden = chance.randint(0, _MOST_HIDDEN)
    if hidden:
        rules.append({"kind": "HIDDEN_ORDER", "lookups": hidden, "skip": chance.choice((0, 0, 1))})
    if chance.random() < 0.25 and kind is not FaultKind.PARTIAL_FILL:
        rules.append({"kind": "PARTIAL_FILL", **_SETTINGS[FaultKind.PARTIAL_FILL]})
    if kind is not None:
        rules.append(_rule(chance, kind))
    return kind, tuple(rules)


def _rule(chance: random.Random, kind: FaultKind) -> Mapping[str, Any]:
    rule: dict[str, Any] = {"kind": kind.value, **_SETTINGS.get(kind, {})}
    if describe(kind).carrier is Carrier.WIRE:
        rule["call"] = chance.choices(tuple(_CALLS), weights=tuple(_CALLS.values()))[0]
    if kind is FaultKind.HIDDEN_ORDER:
        rule["lookups"] = chance.randint(1, _MOST_HIDDEN)
    if kind in LASTING:
        rule |= {"call": "CREATE", "symbol": "BTCUSDT"}
    rule["count"] = chance.choice((1, 1, 2))
    rule["skip"] = chance.choice((0, 0, 1))
    return rule
