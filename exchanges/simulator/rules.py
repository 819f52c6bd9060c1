"""One rule of a fault program: what goes wrong, with which requests, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from exchanges.simulator.calls import Call, is_call, usual_call
from exchanges.simulator.fault_kinds import Carrier, FaultKind
from exchanges.simulator.fault_table import describe
from exchanges.simulator.requests import Request
from exchanges.simulator.wire_faults import WireFault

_LONGEST_DELAY_MS: Final = 600_000
_MOST_REQUESTS: Final = 1_000_000

_COMMON: Final = frozenset(
    {
        *("kind", "call", "method", "path", "account", "symbol", "probability", "count", "skip"),
        *("executes", "delay_ms"),
    }
)
_WIRE_SETTINGS: Final = ("status", "body", "content_type", "retry_after_s", "hold_ms")
_MORE_WIRE_SETTINGS: Final = ("size_bytes", "interval_ms")
_BOUNDS: Final[Mapping[str, tuple[Any, Any]]] = {
    "count": (0, _MOST_REQUESTS),
    "skip": (0, _MOST_REQUESTS),
    "probability": (0, 1),
    "delay_ms": (0, _LONGEST_DELAY_MS),
    "hold_ms": (0, _LONGEST_DELAY_MS),
    "interval_ms": (0, _LONGEST_DELAY_MS),
    "size_bytes": (0, 1 << 30),
    "status": (200, 599),
    "share": (0, 1),
    "lookups": (0, _MOST_REQUESTS),
    "rows": (0, _MOST_REQUESTS),
    "back": (0, _MOST_REQUESTS),
    "factor": (1, 1_000_000),
}
#: Faults that change the exchange from then on, not the request alone.
LASTING: Final = frozenset(
    {
        FaultKind.MINIMUM_NOTIONAL_CHANGED,
        FaultKind.TICK_CHANGED,
        FaultKind.LOT_CHANGED,
        FaultKind.DELISTED,
        FaultKind.KEY_REVOKED,
        FaultKind.PERMISSION_GAINED,
    }
)


class FaultError(ValueError):
    """A rule or program that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``count`` is how often it strikes (0: always), after ``skip`` matching requests.

    It matches requests of ``call``, or of ``method`` and ``path`` if a path is given, from the
    ``account`` with that API key and about that ``symbol``, where these are not empty.
    """

    kind: FaultKind
    call: Call
    method: str
    path: str
    account: str
    symbol: str
    probability: float
    count: int
    skip: int
    executes: bool
    settings: Mapping[str, Any]

    @classmethod
    def parse(cls, document: Any) -> "Rule":
        """Read a JSON object (hence Any); raise FaultError if it is not a rule."""
        try:
            kind = FaultKind(document["kind"])
            rule = cls(
                kind=kind,
                call=Call(document.get("call", usual_call(kind))),
                method=str(document.get("method", "*")).upper(),
                path=str(document.get("path", "")),
                account=str(document.get("account", "")),
                symbol=str(document.get("symbol", "")),
                probability=float(document.get("probability", 1)),
                count=int(document.get("count", 1)),
                skip=int(document.get("skip", 0)),
                executes=bool(document.get("executes", kind is FaultKind.DELAY)),
                settings=_settings(kind, document),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FaultError(f"The rule cannot be read: {error!r}.") from error
        known = _COMMON | set(describe(kind).arguments) | set(_wording(kind))
        if unknown := set(document) - known:
            raise FaultError(f"{kind} knows no {', '.join(sorted(unknown))}.")
        if kind in LASTING and "symbol" in describe(kind).arguments and not rule.symbol:
            raise FaultError(f"{kind} needs the symbol of a market.")
        rule.check()
        return rule

    def check(self) -> None:
        """Raise FaultError unless every number is within its bounds."""
        if describe(self.kind).carrier is Carrier.ADDRESS:
            raise FaultError(f"{self.kind} lives at the client's address; see the addresses.")
        given = {"count": self.count, "skip": self.skip, "probability": self.probability}
        for name, value in (*given.items(), *self.settings.items()):
            lowest, highest = _BOUNDS.get(name, (None, None))
            if value is not None and lowest is not None and not lowest <= value <= highest:
                raise FaultError(f"{name} must lie within {lowest} and {highest}.")
        if self.kind is FaultKind.DELAY and not self.executes:
            raise FaultError("A delayed request is carried out; use CLOSE to drop it.")
        content_type = self.settings.get("content_type", "")
        if "\n" in content_type or "\r" in content_type:
            raise FaultError("content_type must be one line.")

    def matches(self, request: Request) -> bool:
        """Tell whether *request* is one that this rule may strike."""
        if self.path:
            fits = self.path == request.path and self.method in {"*", request.method}
        else:
            fits = is_call(self.call, request.method, request.path)
            fits = fits and self.method in {"*", request.method}
        if self.account:
            fits = fits and request.headers.get("x-mbx-apikey", "") == self.account
        if self.symbol and self.kind not in LASTING:
            fits = fits and request.parameters.peek("symbol") == self.symbol
        return fits

    def wire(self) -> WireFault:
        """Return what to do on the wire."""
        chosen = {name: value for name, value in self.settings.items() if name in _WIRE_NAMES}
        return WireFault(self.kind, executes=self.executes, **chosen)


_WIRE_NAMES: Final = frozenset({*_WIRE_SETTINGS, *_MORE_WIRE_SETTINGS, "delay_ms"})


def _wording(kind: FaultKind) -> tuple[str, ...]:
    return _WIRE_SETTINGS if describe(kind).carrier is Carrier.WIRE else ()


def _settings(kind: FaultKind, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of *kind* with what the rule says about them, and wordings."""
    defaults = describe(kind).arguments
    is_wire = describe(kind).carrier is Carrier.WIRE
    settings = {} if is_wire else dict(defaults)
    for name in (*defaults, *_wording(kind), "delay_ms"):
        if name in document:
            settings[name] = _like(defaults.get(name), document[name])
    return settings


def _like(default: object, value: Any) -> Any:
    """Return *value* as the kind of number that *default* is; raise ValueError if it is none."""
    if isinstance(default, bool) or value is None or isinstance(default, str):
        return value
    if isinstance(default, int):
        return int(value)
    return float(value) if isinstance(default, float) else value
