"""The table of what is proven: every fault of the wire and of the address, at every venue with a pack.

An order that was accepted is never called refused, nothing is sent twice, and what cannot be known is UNKNOWN.
"""

import asyncio
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
from market.enums import OrderType
from tests.exchanges.adapters.contract import make_order
from tests.exchanges.adapters.loopback import ORDER_FIELDS, LoopbackVenue
from tests.exchanges.adapters.told import CREDENTIAL

pytestmark = pytest.mark.enable_socket

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
        await self.client.instruments()

    def submit(self, *, timeout_s: float) -> Outcome:
        case = self.venue.case
        order = make_order(
            symbol=case["symbol"],
            quantity=Decimal(case.get("quantity", "0.01")),
            order_type=OrderType.LIMIT,
            price=Decimal(40_000),
        )
        return self.runner.run(self.client.submit(order, timeout_s=timeout_s))

    def point_at(self, address: str) -> None:
        """Send what follows to another address, as when the venue's own has broken."""
        elsewhere = ccxt.make_exchange(pack_of(self.code), address, timeout_s=5)
        self.client._exchange.urls = elsewhere.urls

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


@pytest.mark.parametrize("kind", kinds_of(Carrier.WIRE))
def test_what_is_proven_when_the_wire_fails(cell, kind):
    sent = len(cell.venue.sent(cell.create))
    cell.venue.next(cell.create, fault_of(kind))

    outcome = cell.submit(timeout_s=0.2 if kind in SLOW else 5)

    assert outcome.kind is expected(kind, cell), outcome
    assert len(cell.venue.sent(cell.create)) == sent + 1
    assert (outcome.report is None) == (outcome.kind is not OutcomeKind.DONE)


@pytest.mark.parametrize("kind", kinds_of(Carrier.ADDRESS))
def test_nothing_is_sent_where_there_is_nobody(cell, kind):
    sent = len(cell.venue.requests)
    with ADDRESSES[kind]() as address:
        cell.point_at(address)

        outcome = cell.submit(timeout_s=0.2 if kind in SLOW else 5)

    cell.point_at(cell.venue.url)
    assert outcome.kind is OutcomeKind.NOT_SENT, outcome
    assert len(cell.venue.requests) == sent


def test_after_all_that_an_order_goes_through(cell):
    assert cell.submit(timeout_s=5).kind is OutcomeKind.DONE


def test_the_table_has_the_kinds_that_an_order_can_meet():
    kinds = [
        kind for kind in FaultKind if describe(kind).carrier in {Carrier.WIRE, Carrier.ADDRESS}
    ]

    assert len(kinds) >= 45
    assert set(kinds) == {*kinds_of(Carrier.WIRE), *ADDRESSES}
