"""The table of what is proven: every fault of the wire, of the address and of the exchange, at every venue with a pack.

An order that was accepted is never called refused, nothing is sent twice, and what cannot be known is UNKNOWN.
"""

import asyncio
import json
import secrets
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest

from exchanges.adapters import ccxt
from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.packs import offered_packs, pack_of
from exchanges.adapters.protocol import Outcome, OutcomeKind
from exchanges.simulator.addresses import ADDRESSES
from exchanges.simulator.fault_kinds import Carrier, FaultKind
from exchanges.simulator.fault_table import describe, kinds_of
from exchanges.simulator.wire_faults import WireFault, other_id, rewrite
from market.enums import OrderType, Side
from tests.exchanges.adapters.contract import make_order
from tests.exchanges.adapters.loopback import ORDER_FIELDS, Answer, LoopbackVenue
from tests.exchanges.adapters.told import CREDENTIAL

pytestmark = pytest.mark.enable_socket

#: Where the book keeps the answer that is about to be given.
SCRATCH: Final = "a call that nobody makes"
VENUES: Final = [pack.ccxt_id for pack in offered_packs()]

#: Only patience tells these from a good answer; the others say at once what they are.
SLOW: Final = frozenset(
    {
        FaultKind.CONNECT_HANGS,
        FaultKind.ACCEPTED_NO_REPLY,
        FaultKind.ACCEPTED_LATE,
        FaultKind.ACCEPTED_DRIP,
    }
)
#: The truth, late but in time or twice: the order is known to be there.
HARMLESS: Final = frozenset({FaultKind.ACCEPTED_DUPLICATE_ACK, FaultKind.DELAY})
#: What an answer about another order differs in.
MISTAKEN: Final = {
    FaultKind.ACCEPTED_WRONG_ID: ORDER_FIELDS.order_id,
    FaultKind.ACCEPTED_WRONG_CLIENT_ID: ORDER_FIELDS.client_order_id,
    FaultKind.ACCEPTED_WRONG_SYMBOL: ORDER_FIELDS.symbol,
    FaultKind.ACCEPTED_WRONG_SIDE: ORDER_FIELDS.side,
}

#: What becomes of an exchange, or of an account there, while an order is on its way.
STATES: Final = (
    *("FUNDS_GONE", "MINIMUM_NOTIONAL_CHANGED", "TICK_CHANGED", "LOT_CHANGED", "DELISTED"),
    *("MAINTENANCE", "KEY_REVOKED", "PERMISSION_MISSING", "ADDRESS_NOT_ALLOWED"),
    *("DUPLICATE_CLIENT_ID", "POST_ONLY_WOULD_CROSS", "REDUCE_ONLY_REFUSED", "CLOCK_SKEWED"),
    *("RATE_LIMITED", "BANNED"),
)
#: What a cancellation finds instead of an open order.
ENDS: Final = ("ORDER_NOT_FOUND", "ALREADY_CANCELED", "ALREADY_FILLED")


class Cell:
    """One venue on the loopback, with a client that has read its markets; a new one for each venue."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.runner = asyncio.Runner()
        self.venue = LoopbackVenue(code)
        self.create: str = self.venue.case["create"]
        self.runner.run(self._open())

    async def _open(self) -> None:
        await self.venue.__aenter__()
        self.client = CcxtVenueClient(
            ccxt_id=self.code, api_url=self.venue.url, credential=CREDENTIAL, timeout_s=5
        )
        self.client._exchange.enableRateLimit = False
        self.urls = json.dumps(self.client._exchange.urls)
        await self.client.instruments()

    def submit(self, *, timeout_s: float, **fields: Any) -> Outcome:
        case = self.venue.case
        usual = {"order_type": OrderType.LIMIT, "price": Decimal(40_000)}
        order = make_order(
            symbol=case["symbol"],
            quantity=Decimal(case.get("quantity", "0.01")),
            **(usual | fields),
        )
        return self.runner.run(self.client.submit(order, timeout_s=timeout_s))

    def cancel(self) -> Outcome:
        case = self.venue.case
        canceling = self.client.cancel(
            symbol=case["symbol"],
            client_order_id=secrets.token_hex(16),
            venue_order_id=case["order_id"],
            timeout_s=5,
        )
        return self.runner.run(canceling)

    def answer(self, document: Any) -> Answer:
        """Return a documented answer, with its status if it is not 200."""
        self.venue.book[SCRATCH] = {"now": document}
        return self.venue.answer_named(SCRATCH, "now")

    def documented(self, state: str) -> tuple[Answer | None, str, str | None]:
        """Return what the venue answers to an order in a state, what that proves, and our code for it."""
        told = self.venue.case["states"].get(state)
        if told is not None:
            kind, code = told["outcome"]
            return self.answer(told["answer"]), kind, code
        if state == "DUPLICATE_CLIENT_ID":
            # The venue does not say what it would call it, so whatever it says proves nothing.
            return self.venue.answer_named(self.create, "strange"), OutcomeKind.UNKNOWN, None
        # It takes such an order (and ends it at once if it may only make), or has nothing to reduce.
        return None, OutcomeKind.DONE, ""

    def use(self, answers: dict[str, str]) -> None:
        for call, name in answers.items():
            self.venue.use(call, name)

    def point_at(self, address: str) -> None:
        """Send what follows to another address, as when the venue's own has broken."""
        self.client._exchange.urls = json.loads(self.urls.replace(self.venue.url, address))

    def is_plausible(self, document: Any) -> bool:
        """Tell whether the order's id, made wrong, still looks like one of this venue."""
        ids: list[str] = []
        rewrite(document, ORDER_FIELDS.order_id, lambda value: ids.append(str(other_id(value))))
        return all(pack_of(self.code).order_id.fullmatch(text) for text in ids)

    def close(self) -> None:
        async def close() -> None:
            await self.client.close()
            await self.venue.__aexit__()

        self.runner.run(close())
        self.runner.close()
        ccxt.forget(pack_of(self.code), self.venue.url)


@pytest.fixture(scope="module", params=VENUES)
def cell(request: pytest.FixtureRequest) -> Iterator[Cell]:
    found = Cell(request.param)
    yield found
    found.close()


def fault_of(kind: FaultKind) -> WireFault:
    """Return the fault, quicker than in real life where its length says nothing more."""
    delay_ms = {FaultKind.ACCEPTED_LATE: 400, FaultKind.DELAY: 10}.get(kind)
    return WireFault(
        kind,
        executes=True,
        delay_ms=delay_ms,
        hold_ms=400,
        interval_ms=100,
        size_bytes=6_000_000,
        fields=ORDER_FIELDS,
    )


def expected(kind: FaultKind, cell: Cell) -> OutcomeKind:
    """Return what is proven in a cell of the table."""
    if kind in HARMLESS:
        return OutcomeKind.DONE
    if kind not in MISTAKEN:
        return OutcomeKind.UNKNOWN
    told = cell.venue.answer_to_new_order()
    if rewrite(told, MISTAKEN[kind], lambda _: None) == told:
        # The venue's answer says nothing of it, so that nothing can be wrong with it.
        return OutcomeKind.DONE
    if kind is FaultKind.ACCEPTED_WRONG_ID and cell.is_plausible(told):
        # Another id of this venue beside our own: only a look-up by ours finds out.
        return OutcomeKind.DONE
    return OutcomeKind.UNKNOWN


def test_what_is_proven_when_the_wire_fails(cell):
    wrong = {}
    for kind in kinds_of(Carrier.WIRE):
        sent = len(cell.venue.sent(cell.create))
        cell.venue.next(cell.create, fault_of(kind))

        outcome = cell.submit(timeout_s=0.2 if kind in SLOW else 5)

        found = (outcome.kind, len(cell.venue.sent(cell.create)) - sent, outcome.report is None)
        proven = expected(kind, cell)
        if found != (proven, 1, proven is not OutcomeKind.DONE):
            wrong[kind] = outcome

    assert wrong == {}


def test_a_stop_of_another_kind_is_no_less_unknown_when_the_wire_fails(cell):
    # Where a stop is sent like any other order, the table above holds.
    create = cell.venue.case.get("stop_create", "")
    stop = {"order_type": OrderType.STOP_LOSS, "price": None, "trigger_price": Decimal(39_000)}
    wrong = {}
    for kind in kinds_of(Carrier.WIRE) if create else ():
        if kind in SLOW | HARMLESS or kind in MISTAKEN:
            continue
        sent = len(cell.venue.sent(create))
        cell.venue.next(create, fault_of(kind))

        outcome = cell.submit(timeout_s=5, side=Side.SELL, **stop)

        if (outcome.kind, len(cell.venue.sent(create)) - sent) != (OutcomeKind.UNKNOWN, 1):
            wrong[kind] = outcome

    assert wrong == {}


def test_nothing_is_sent_where_there_is_nobody(cell):
    sent, wrong = len(cell.venue.requests), {}
    for kind in kinds_of(Carrier.ADDRESS):
        with ADDRESSES[kind]() as address:
            cell.point_at(address)

            outcome = cell.submit(timeout_s=0.2 if kind in SLOW else 5)

        cell.point_at(cell.venue.url)
        if outcome.kind is not OutcomeKind.NOT_SENT:
            wrong[kind] = outcome

    assert wrong == {}
    assert len(cell.venue.requests) == sent


def test_what_is_proven_when_the_exchange_has_changed(cell):
    cell.use(cell.venue.case["find"]["ACCEPTED"])
    wrong = {}
    for state in STATES:
        sent = len(cell.venue.sent(cell.create))
        answer, kind, code = cell.documented(state)
        if answer is not None:
            cell.venue.next(cell.create, answer)

        outcome = cell.submit(
            timeout_s=5,
            post_only=state == "POST_ONLY_WOULD_CROSS",
            reduce_only=state == "REDUCE_ONLY_REFUSED",
        )

        found = (outcome.kind, len(cell.venue.sent(cell.create)) - sent, outcome.report is None)
        is_right = found == (kind, 1, kind != OutcomeKind.DONE)
        if not is_right or code not in (None, outcome.code):
            wrong[state] = outcome

    assert wrong == {}


def test_canceling_what_has_ended_changes_nothing_and_says_so(cell):
    canceled, wrong = cell.venue.case["cancel"], {}
    for end in ENDS:
        told = cell.venue.case["states"][end]
        for _ in range(2):
            # Some venues are asked about another kind of order as well.
            cell.venue.next(canceled, cell.answer(told["answer"]))

        outcome = cell.cancel()

        cell.venue.forget_next(canceled)
        if [outcome.kind, outcome.code] != told["outcome"]:
            wrong[end] = outcome

    assert wrong == {}


def test_most_states_are_documented_at_every_venue(cell):
    """A state without an answer in the book is one of three that some venues have no word for."""
    silent = {*STATES, *ENDS} - set(cell.venue.case["states"])

    assert silent <= {"DUPLICATE_CLIENT_ID", "POST_ONLY_WOULD_CROSS", "REDUCE_ONLY_REFUSED"}
    assert ("REDUCE_ONLY_REFUSED" in silent) is not pack_of(cell.code).has_swaps


def test_after_all_that_an_order_goes_through(cell):
    assert cell.submit(timeout_s=5).kind is OutcomeKind.DONE


def test_the_table_has_the_kinds_that_an_order_can_meet():
    kinds = [
        kind for kind in FaultKind if describe(kind).carrier in {Carrier.WIRE, Carrier.ADDRESS}
    ]

    assert len(kinds) >= 45
    assert set(kinds) == {*kinds_of(Carrier.WIRE), *ADDRESSES}
    assert len(VENUES) * (len(kinds) + len(STATES) + len(ENDS)) >= 800
