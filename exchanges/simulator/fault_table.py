"""What is to be known of every kind of fault: its phase, who brings it about, what a client sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from exchanges.simulator.fault_kinds import Carrier, FaultKind, Phase

_Arguments = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Description:
    """One kind of fault: ``sees`` is what a client sees, in words.

    ``arguments`` names the settings that a rule may give for it beside the common ones, each with
    what holds if the rule does not.
    """

    kind: FaultKind
    phase: Phase
    carrier: Carrier
    sees: str
    arguments: _Arguments

    @property
    def executes(self) -> bool:
        """Whether a request that meets this fault is carried out, unless the rule decides it."""
        return self.phase is not Phase.BEFORE_ACCEPTING


def describe(kind: FaultKind) -> Description:
    """Return the entry of *kind*."""
    return TABLE[kind]


def kinds_of(*carriers: Carrier) -> tuple[FaultKind, ...]:
    """Return the kinds that one of *carriers* brings about, in the order of the table."""
    return tuple(kind for kind, entry in TABLE.items() if entry.carrier in carriers)


#: How servers and their proxies word a status that ``http`` does not know.
UNREGISTERED_STATUSES: Final[Mapping[int, str]] = MappingProxyType(
    {520: "Web Server Returned an Unknown Error", 524: "A Timeout Occurred"}
)


def phrase_of(status: int) -> str:
    """Return the words that go with an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return UNREGISTERED_STATUSES.get(status, "Unknown")


def status_of(kind: FaultKind) -> int | None:
    """Return the HTTP status that *kind* is named after, None if it is not named after one."""
    digits = [part for part in kind.value.split("_") if part.isdecimal()]
    return int(digits[0]) if digits else None


_ADDRESS: Final[Mapping[FaultKind, str]] = {
    FaultKind.CONNECTION_REFUSED: "The port is closed: the connection is refused.",
    FaultKind.CONNECT_HANGS: "The connection is never established: its queue is full.",
    FaultKind.NAME_UNRESOLVABLE: "The name of the host has no address.",
    FaultKind.CERTIFICATE_UNTRUSTED: "TLS with a certificate that nobody vouches for.",
}
_RETRY_AFTER: Final[_Arguments] = {"body": "a page", "retry_after_s": 2}
_BEFORE: Final[Mapping[FaultKind, tuple[str, _Arguments]]] = {
    FaultKind.RESET: ("The connection is reset after the request was sent.", {}),
    FaultKind.CLOSED: ("The connection is closed without an answer.", {}),
}
_AFTER: Final[Mapping[FaultKind, tuple[str, _Arguments]]] = {
    FaultKind.ACCEPTED_NO_REPLY: ("Nothing comes back.", {"hold_ms": 60_000}),
    FaultKind.ACCEPTED_RESET: ("The connection is reset instead of an answer.", {}),
    FaultKind.ACCEPTED_CLOSED: ("The connection is closed without an answer.", {}),
    FaultKind.ACCEPTED_LATE: ("The true answer comes late.", {"delay_ms": 10_000}),
    FaultKind.ACCEPTED_TRUNCATED: ("The answer breaks off in the middle, then the end.", {}),
    FaultKind.ACCEPTED_BROKEN_CHUNK: ("A chunked answer whose second chunk has no size.", {}),
    FaultKind.ACCEPTED_BAD_GZIP: ("An answer that says it is compressed and is not.", {}),
    FaultKind.ACCEPTED_GARBAGE_STATUS: ("A status line that is none.", {}),
    FaultKind.ACCEPTED_HTML: ("A web page with status 200.", {}),
    FaultKind.ACCEPTED_EMPTY: ("Status 200 with nothing in it.", {}),
    FaultKind.ACCEPTED_EMPTY_OBJECT: ("Status 200 with an empty JSON object.", {}),
    FaultKind.ACCEPTED_EMPTY_LIST: ("Status 200 with an empty JSON list.", {}),
    FaultKind.ACCEPTED_INVALID_JSON: ("Status 200 with JSON that breaks off, whole by length.", {}),
    FaultKind.ACCEPTED_HUGE_BODY: ("Valid JSON of 50 MB.", {"size_bytes": 50_000_000}),
    FaultKind.ACCEPTED_DRIP: ("The answer byte by byte, one a second.", {"interval_ms": 1_000}),
    FaultKind.ACCEPTED_REDIRECT: (
        "307 to the same address: a client that follows sends again.",
        {},
    ),
    FaultKind.ACCEPTED_WRONG_ID: ("The truth with the venue's id of another order.", {}),
    FaultKind.ACCEPTED_WRONG_SYMBOL: ("The truth with the symbol of another market.", {}),
    FaultKind.ACCEPTED_WRONG_SIDE: ("The truth with the opposite side.", {}),
    FaultKind.ACCEPTED_WRONG_CLIENT_ID: ("The truth with the client id of another order.", {}),
    FaultKind.ACCEPTED_DUPLICATE_ACK: ("The answer twice: the second meets the next request.", {}),
    FaultKind.ACCEPTED_ERROR_BODY: (
        "Status 200 with an error of the venue as its content.",
        {"body": '{"code":-2010,"msg":"New order rejected."}'},
    ),
}
_NEW_RULE: Final[_Arguments] = {"symbol": "", "factor": 10}
_STATE: Final[Mapping[FaultKind, tuple[str, _Arguments]]] = {
    FaultKind.PARTIAL_FILL: (
        "A new order fills in part at once, the rest later (never, if it is negative).",
        {"share": 0.5, "after_ms": 1_000},
    ),
    FaultKind.LATE_FILL: ("A new order that would fill at once fills later.", {"after_ms": 1_000}),
    FaultKind.LATE_FILL_AFTER_CANCEL: (
        "A cancellation is confirmed, and the order fills all the same a moment later.",
        {"after_ms": 1_000},
    ),
    FaultKind.DUST: ("A new order fills but for one lot, and ends as expired.", {}),
    FaultKind.HIDDEN_ORDER: (
        "A new order is accepted; the next so many look-ups find neither it nor its trades.",
        {"lookups": 2},
    ),
    FaultKind.TRADES_OUT_OF_ORDER: ("A list of trades is out of order.", {}),
    FaultKind.TRADES_DUPLICATED: ("A list of trades names each trade twice.", {}),
    FaultKind.LIST_TRUNCATED: ("A list ends after so many rows.", {"rows": 1}),
    FaultKind.FUNDS_GONE: ("A new order is refused: the balance was spent a moment ago.", {}),
    FaultKind.FEE_IN_THIRD_CURRENCY: (
        "The fee of a fill is taken in an asset that was not traded, if the account has some.",
        {"asset": "BNB", "rate": 0.00075},
    ),
    FaultKind.MINIMUM_NOTIONAL_CHANGED: ("From now on orders must be worth more.", _NEW_RULE),
    FaultKind.TICK_CHANGED: ("From now on prices lie on a coarser grid.", _NEW_RULE),
    FaultKind.LOT_CHANGED: ("From now on quantities lie on a coarser grid.", _NEW_RULE),
    FaultKind.DELISTED: (
        "From now on a market takes no orders; what was open has expired.",
        {"symbol": ""},
    ),
    FaultKind.MAINTENANCE: ("Signed requests are refused with 503; the status says why.", {}),
    FaultKind.KEY_REVOKED: ("From now on the key of the request is unknown.", {}),
    FaultKind.PERMISSION_GAINED: ("From now on the key of the request may withdraw.", {}),
    FaultKind.CLOCK_SKEWED: ("The clock of the exchange is wrong.", {"offset_ms": 30_000}),
}
_FEED: Final[Mapping[FaultKind, tuple[str, _Arguments]]] = {
    FaultKind.CANDLE_LATE: (
        "Bars that closed only just now are not there yet.",
        {"late_ms": 10_000},
    ),
    FaultKind.CANDLE_REVISED: (
        "A finished bar has other values than it has later, when the rule is used up.",
        {"back": 0, "bps": 25},
    ),
    FaultKind.CANDLE_MISSING: ("A finished bar is not in the list.", {"back": 1}),
    FaultKind.CANDLE_DUPLICATED: ("A finished bar is there twice.", {"back": 0}),
    FaultKind.CANDLE_FUTURE: ("A bar that opens in the future ends the list.", {"ahead": 2}),
    FaultKind.CANDLE_ZERO_VOLUME: (
        "A finished bar without trades: one price, no volume.",
        {"back": 0},
    ),
    FaultKind.CANDLE_IMPOSSIBLE: ("A finished bar whose high lies below its low.", {"back": 0}),
}
_BLOCKS: Final[Mapping[FaultKind, tuple[str, _Arguments]]] = {
    FaultKind.ANSWER: (
        "Whatever the rule words.",
        {"status": 200, "body": "", "content_type": "text/html", "retry_after_s": None},
    ),
    FaultKind.CLOSE: ("The connection is closed without an answer.", {}),
    FaultKind.DELAY: ("The true answer, later.", {"delay_ms": 0}),
}


def _of_status(kind: FaultKind) -> tuple[str, _Arguments]:
    status = status_of(kind)
    assert status is not None  # noqa: S101 - narrowing: only kinds named after a status come here
    says = f"HTTP {status} {phrase_of(status)} with a page"
    if kind.value.endswith("RETRY_AFTER"):
        return f"{says} and a Retry-After.", _RETRY_AFTER
    return f"{says}.", {"body": "a page"}


def _entry(kind: FaultKind) -> Description:
    for phase, carrier, table in (
        (Phase.BEFORE_ACCEPTING, Carrier.WIRE, _BEFORE),
        (Phase.AFTER_ACCEPTING, Carrier.WIRE, _AFTER),
        (Phase.STATE, Carrier.EXCHANGE, _STATE),
        (Phase.FEED, Carrier.FEED, _FEED),
        (Phase.CHOSEN, Carrier.WIRE, _BLOCKS),
    ):
        if kind in table:
            return Description(kind, phase, carrier, *table[kind])
    if kind in _ADDRESS:
        return Description(kind, Phase.BEFORE_ACCEPTING, Carrier.ADDRESS, _ADDRESS[kind], {})
    accepted = kind.value.startswith("ACCEPTED_")
    phase = Phase.AFTER_ACCEPTING if accepted else Phase.BEFORE_ACCEPTING
    return Description(kind, phase, Carrier.WIRE, *_of_status(kind))


#: Every kind, in the order of the enum.
TABLE: Final[Mapping[FaultKind, Description]] = MappingProxyType(
    {kind: _entry(kind) for kind in FaultKind}
)
