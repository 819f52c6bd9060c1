"""What a venue pack is: the facts about one venue that order safety rests on, as data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from exchanges.adapters.packs.dialect import Dialect
from exchanges.adapters.packs.words import Word
from market.enums import InstrumentKind, OrderType
from market.timeframes import DAY_MS

_SEGMENT: Final = "{}"

SIMPLE_ORDERS: Final = frozenset({OrderType.MARKET, OrderType.LIMIT})
#: With stops that become market orders.
MARKET_STOPS: Final = SIMPLE_ORDERS | {OrderType.STOP_LOSS}
ALL_ORDERS: Final = frozenset(OrderType)


class Shape(Enum):
    """What a good answer is, below the venue's envelope if it has one."""

    OBJECT = (dict,)
    LIST = (list,)
    EITHER = (dict, list)


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of request that may leave the process; ``{}`` in the path stands for one segment.

    ``weight`` is what the venue counts it for against ``VenuePack.weight_per_minute``.
    """

    method: str
    path: str
    weight: int = 1
    shape: Shape = Shape.OBJECT
    #: The field of a good answer, where it is another than the pack's.
    envelope: str | None = None

    def fits(self, method: str, path: str) -> bool:
        """Tell whether a request is of this kind."""
        if method != self.method:
            return False
        if _SEGMENT not in self.path:
            return path == self.path
        ours, theirs = self.path.split("/"), path.split("/")
        return len(ours) == len(theirs) and all(
            mine in (_SEGMENT, their) and their != ""
            for mine, their in zip(ours[1:], theirs[1:], strict=True)
        )

    def ends_with(self, method: str, ending: str) -> bool:
        """Tell whether a request of which only the end of the path is known may be of this kind."""
        theirs = ending.strip("/").split("/")
        ours = self.path.strip("/").split("/")[-len(theirs) :]
        return (
            method == self.method
            and len(ours) == len(theirs)
            and all(
                mine == their or (mine == _SEGMENT and their.startswith("{"))
                for mine, their in zip(ours, theirs, strict=True)
            )
        )


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where a venue lets strangers practice: another address, or a header at the same one."""

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """What the venue's own codes, as text, prove and mean."""

    #: An order was refused before it could meet the market; codes of keys and clocks always are of this kind.
    refused: frozenset[str] = frozenset()
    #: The venue itself does not know what became of the request.
    unknown: frozenset[str] = frozenset()
    #: There is no such order.
    absent: frozenset[str] = frozenset()
    #: A cancellation finds nothing open.
    closed: frozenset[str] = frozenset()
    key: frozenset[str] = frozenset()
    clock: frozenset[str] = frozenset()
    overload: frozenset[str] = frozenset()
    #: A setting is already as it was asked for.
    settled: frozenset[str] = frozenset()
    #: An order of that client id is there already.
    duplicate: frozenset[str] = frozenset()
    duplicate_text: str = ""
    #: Our codes for refusals, by the venue's code or a part of its text; the first that fits counts.
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuePack:
    """The facts about one market of one venue.

    What a venue does differently from the others is code of its ``dialect``.
    """

    ccxt_id: str
    #: How ccxt names its class, if not as the pack is named.
    ccxt_class: str = ""
    name: str
    kind: InstrumentKind = InstrumentKind.SPOT
    #: Whether orders may be sent; without it the venue serves market data and paper.
    takes_orders: bool = True
    dialect: Dialect = field(default_factory=Dialect)
    #: The address if the venue's row names none.
    address: str
    #: Path of each group of endpoints below the address, nested as in ccxt; what is not named cannot be reached.
    paths: Mapping[str, Any]
    #: Every kind of request that may leave the process; nothing here can move money away.
    calls: tuple[Call, ...]
    #: The field that every good answer has, and that holds what was asked for; empty where there is none.
    envelope: str = ""
    #: What an address may use up in a minute; and a key, where the venue counts that apart.
    weight_per_minute: int
    key_weight_per_minute: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    sandbox: Sandbox | None = None
    needs_passphrase: bool = False
    #: Whether the venue cancels everything when it is not called in time.
    has_dead_man: bool = False

    order_id: re.Pattern[str]
    order_types: frozenset[OrderType] = ALL_ORDERS
    #: Whether a limit order can be kept from taking.
    has_post_only: bool = True
    #: Why no stop can be left there, for people; empty where one can.
    no_stops_because: str = ""
    #: Whether the last price decides which way a new stop waits; one that was passed would wait for the way back.
    stops_by_last_price: bool = False
    submit_parameters: Mapping[str, str] = field(default_factory=dict)
    #: What the answer to a new order names; the rest is not compared, for it is not there.
    echoes: frozenset[str] = frozenset({"client_order_id", "side", "quantity"})
    #: Whether an order is found by our id itself; otherwise only in lists, which may show it late.
    finds_by_client_id: bool = True
    #: How many open orders of a market fit a page; a full one may not be all. 0: there is no end.
    open_orders_page: int = 0
    #: Whether the answer to a cancellation tells how the order ended; otherwise it is looked up.
    cancel_reports: bool = True
    #: Whether a market order to buy names what it may cost; then a limit that is met at once or dropped is sent.
    buys_by_cost: bool = False

    codes: Codes

    #: A search for trades may span at most this long, and a page holds at most so many.
    trade_window_ms: int = DAY_MS
    trade_page: int = 100

    @property
    def has_swaps(self) -> bool:
        """Whether contracts trade there and not the things themselves."""
        return self.kind is not InstrumentKind.SPOT

    @property
    def protects_positions(self) -> bool:
        """Whether a stop can be left at the venue, where it works while the platform does not."""
        return OrderType.STOP_LOSS in self.order_types

    def call_of(self, method: str, path: str) -> Call | None:
        """Return what is known of a request; None if it may not leave the process."""
        return next((call for call in self.calls if call.fits(method, path)), None)

    def weight_of(self, method: str, path: str) -> int:
        """Return what the venue counts a request for; 1 for one that nothing is known of.

        The beginning of *path* may be missing, and its parameters may still have their names, as they are before the
        library signs a request: then the heaviest that ends so counts.
        """
        call = self.call_of(method, path)
        if call is not None:
            return call.weight
        return max((each.weight for each in self.calls if each.ends_with(method, path)), default=1)

    def word_of(self, status: int, document: Any) -> Word | None:
        """Return the venue's own no in an answer, or None: a server's error is nobody's word."""
        if not 200 <= status < 500 or not isinstance(document, Mapping):
            return None
        return self.dialect.word_of(document)

    def may_refuse_with(self, status: int) -> bool:
        """Tell whether the venue says no with this status: with 200 only where every answer comes in an envelope."""
        return 400 <= status < 500 or bool(self.envelope)

    def is_answer(self, call: Call, status: int, document: Any) -> bool:
        """Tell whether an answer is a good one: a success, in the form that was asked for."""
        if not 200 <= status < 300 or self.word_of(status, document) is not None:
            return False
        envelope = self.envelope if call.envelope is None else call.envelope
        if envelope:
            return isinstance(document, Mapping) and document.get(envelope) is not None
        return isinstance(document, call.shape.value)
