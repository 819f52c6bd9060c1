"""The fault program: rules that say what goes wrong, when and how often, seeded and repeatable.

A rule strikes the requests that match it. Whether it does is drawn from the seed, the place of the
rule and the number of requests that it has matched, so that the same program and the same requests
give the same faults, also after a restart. Every rule that strikes a request has its effect; of the
faults of the wire, the first one counts.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from exchanges.simulator.database import Database
from exchanges.simulator.fault_kinds import Carrier, FaultKind, Phase
from exchanges.simulator.fault_table import describe
from exchanges.simulator.mishaps import NO_MISHAPS, Mishaps
from exchanges.simulator.requests import Request
from exchanges.simulator.rules import LASTING, FaultError, Rule
from exchanges.simulator.wire_faults import WireFault

_MOST_RULES: Final = 1_000
_FACT: Final = "fault_program"


@dataclass(frozen=True, slots=True)
class Strike:
    """What goes wrong with one request: ``rules`` in their order."""

    rules: Sequence[Rule] = ()

    @property
    def kinds(self) -> list[str]:
        """The names of the faults."""
        return [rule.kind.value for rule in self.rules]

    @property
    def wire(self) -> WireFault | None:
        """What happens on the wire: the first such fault."""
        carried = (r for r in self.rules if describe(r.kind).carrier is Carrier.WIRE)
        return next((rule.wire() for rule in carried), None)

    @property
    def lasting(self) -> Sequence[Rule]:
        """What changes the exchange from now on."""
        return [rule for rule in self.rules if rule.kind in LASTING]

    @property
    def views(self) -> Sequence[Rule]:
        """What is done to a list or to candles after they were read."""
        return [
            rule
            for rule in self.rules
            if describe(rule.kind).phase is Phase.FEED or rule.kind in _LIST_FAULTS
        ]

    @property
    def mishaps(self) -> Mishaps:
        """What the exchange itself does wrong to the request."""
        found: dict[str, Any] = {}
        for rule in self.rules:
            found |= _MISHAPS[rule.kind](rule.settings) if rule.kind in _MISHAPS else {}
        return Mishaps(**found) if found else NO_MISHAPS


_LIST_FAULTS: Final = frozenset(
    {FaultKind.TRADES_OUT_OF_ORDER, FaultKind.TRADES_DUPLICATED, FaultKind.LIST_TRUNCATED}
)


def _later(settings: Mapping[str, Any]) -> int | None:
    after_ms = int(settings["after_ms"])
    return None if after_ms < 0 else after_ms


_MISHAPS: Final[Mapping[FaultKind, Any]] = {
    FaultKind.PARTIAL_FILL: lambda s: {
        "first_share": Decimal(str(s["share"])),
        "later_ms": _later(s),
    },
    FaultKind.LATE_FILL: lambda s: {"first_share": Decimal(0), "later_ms": _later(s)},
    FaultKind.DUST: lambda _: {"leaves_dust": True},
    FaultKind.HIDDEN_ORDER: lambda s: {"hidden_lookups": int(s["lookups"])},
    FaultKind.FUNDS_GONE: lambda _: {"funds_gone": True},
    FaultKind.FEE_IN_THIRD_CURRENCY: lambda s: {
        "fee_asset": str(s["asset"]),
        "fee_rate": Decimal(str(s["rate"])),
    },
    FaultKind.LATE_FILL_AFTER_CANCEL: lambda s: {"fills_after_cancel_ms": int(s["after_ms"])},
    FaultKind.CLOCK_SKEWED: lambda s: {"clock_offset_ms": int(s["offset_ms"])},
    FaultKind.MAINTENANCE: lambda _: {"under_maintenance": True},
}


@dataclass(slots=True)
class _Running:
    """A rule and how often it was looked at and has struck."""

    rule: Rule
    document: Mapping[str, Any]
    matched: int = 0
    struck: int = 0

    @property
    def is_used_up(self) -> bool:
        return 0 < self.rule.count <= self.struck


@dataclass(slots=True)
class Faults:
    """The running program; it is kept, so that a restarted simulator goes on with it."""

    database: Database
    seed: str = "0"
    _running: list[_Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Go on with the program that was kept."""
        kept = self.database.find_fact(_FACT)
        if kept is not None:
            self.seed = kept["seed"]
            self._running = [
                _Running(
                    Rule.parse(entry["rule"]), entry["rule"], entry["matched"], entry["struck"]
                )
                for entry in kept["rules"]
            ]

    def __len__(self) -> int:
        """Return how many rules may still strike."""
        return sum(not running.is_used_up for running in self._running)

    def program(self, document: Any) -> None:
        """Add one rule, or the ``rules`` of a whole program with its ``seed``. Raise FaultError.

        The type is Any because it comes from JSON or TOML.
        """
        is_program = isinstance(document, dict) and "rules" in document
        entries = document["rules"] if is_program else [document]
        if not isinstance(entries, list) or len(self._running) + len(entries) > _MOST_RULES:
            raise FaultError(f"A program is a list of at most {_MOST_RULES} rules.")
        self._running += [_Running(Rule.parse(entry), entry) for entry in entries]
        if is_program and "seed" in document:
            self.seed = str(document["seed"])
        self._keep()

    def clear(self) -> None:
        """Let everything work again."""
        self._running.clear()
        self._keep()

    def strike(self, request: Request) -> Strike:
        """Return what goes wrong with *request*, and count it."""
        struck: list[Rule] = []
        matched = is_wired = False
        for place, running in enumerate(self._running):
            is_wire = describe(running.rule.kind).carrier is Carrier.WIRE
            # A request can go wrong on the wire in one way only; later rules wait for their turn.
            if running.is_used_up or (is_wire and is_wired):
                continue
            if not running.rule.matches(request):
                continue
            running.matched += 1
            matched = True
            if running.matched > running.rule.skip and self._draw(place, running):
                running.struck += 1
                struck.append(running.rule)
                is_wired = is_wired or is_wire
        if matched:
            self._keep()
        return Strike(struck)

    def _draw(self, place: int, running: _Running) -> bool:
        # Not for secrets: the same seed must give the same faults.
        drawn = random.Random(f"{self.seed}/{place}/{running.matched}").random()  # noqa: S311
        return drawn < running.rule.probability

    def _keep(self) -> None:
        rules = [
            {"rule": dict(running.document), "matched": running.matched, "struck": running.struck}
            for running in self._running
        ]
        with self.database.without_sync():
            self.database.remember(_FACT, {"seed": self.seed, "rules": rules})
