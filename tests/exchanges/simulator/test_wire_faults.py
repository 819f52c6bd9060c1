"""Every fault of the wire and of the address, as an ordinary HTTP client meets it."""

import asyncio
import gzip
import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
import zlib
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from exchanges.simulator import addresses, fault_table, scripted
from exchanges.simulator.fault_kinds import Carrier, FaultKind, Phase
from exchanges.simulator.fault_table import describe
from exchanges.simulator.requests import Answer
from exchanges.simulator.scripted import ReceivedRequest, Reply, serving
from exchanges.simulator.wire_faults import WIRE_KINDS, OrderFields, WireFault

pytestmark = pytest.mark.enable_socket

ORDER = {"symbol": "BTCUSDT", "orderId": 17, "clientOrderId": "mine-1", "side": "BUY"}

#: Settings that keep the slow kinds quick.
QUICK: dict[str, Any] = {"hold_ms": 50, "interval_ms": 1, "size_bytes": 2_000_000, "delay_ms": 0}


def fault_of(kind: FaultKind, **settings: Any) -> WireFault:
    return WireFault(kind, **{**QUICK, **settings})


def ask(url: str, *, timeout_s: float = 5) -> tuple[HTTPResponse, bytes]:
    """Send one order and read the whole answer."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)
    try:
        connection.request("POST", "/order?symbol=BTCUSDT", body="clientOrderId=mine-1")
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def answered(reply: Reply) -> tuple[HTTPResponse, bytes]:
    with serving(lambda _: reply) as server:
        return ask(server.url)


def answer_to(kind: FaultKind, **settings: Any) -> tuple[HTTPResponse, bytes]:
    return answered(Reply(Answer.of(ORDER), fault_of(kind, **settings)))


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=5)


def document_of(kind: FaultKind, **settings: Any) -> object:
    return json.loads(answer_to(kind, **settings)[1])


class TestTheTable:
    def test_there_are_more_kinds_than_the_platform_must_survive(self):
        assert len(fault_table.TABLE) == len(FaultKind) >= 45
        assert list(fault_table.TABLE) == list(FaultKind)

    def test_each_kind_is_described_and_its_name_agrees_with_its_phase(self):
        for kind, entry in fault_table.TABLE.items():
            assert entry.kind is kind
            assert entry.sees.endswith(".")
            is_after = entry.phase is Phase.AFTER_ACCEPTING
            assert kind.value.startswith("ACCEPTED_") == is_after

    def test_every_carrier_has_its_kinds_and_no_kind_has_two(self):
        counted = [len(fault_table.kinds_of(carrier)) for carrier in Carrier]

        assert all(counted)
        assert sum(counted) == len(FaultKind)


NOTHING = (
    HTTPException,
    ConnectionError,
)


@pytest.mark.parametrize("kind", WIRE_KINDS)
def test_only_what_is_accepted_is_carried_out_and_nothing_is_received_twice(kind):
    with serving(lambda _: Reply(Answer.of(ORDER), fault_of(kind))) as server:
        try:
            response, content = ask(server.url)
        except NOTHING:
            seen = None
        else:
            seen = (response.status, content)
        received = list(server.received)

    assert len(received) == 1
    assert received[0].is_complete
    assert received[0].form == {"clientOrderId": "mine-1"}
    assert received[0].executed == (describe(kind).phase is Phase.AFTER_ACCEPTING)
    truthful = {
        FaultKind.DELAY,
        FaultKind.ACCEPTED_LATE,
        FaultKind.ACCEPTED_DRIP,
        FaultKind.ACCEPTED_DUPLICATE_ACK,
    }
    assert (seen == (200, Answer.of(ORDER).content)) == (kind in truthful)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.RESET, ConnectionResetError),
        (FaultKind.ACCEPTED_RESET, ConnectionResetError),
        (FaultKind.CLOSED, http.client.RemoteDisconnected),
        (FaultKind.ACCEPTED_CLOSED, http.client.RemoteDisconnected),
        (FaultKind.ACCEPTED_NO_REPLY, http.client.RemoteDisconnected),
        (FaultKind.ACCEPTED_TRUNCATED, http.client.IncompleteRead),
        (FaultKind.ACCEPTED_BROKEN_CHUNK, http.client.IncompleteRead),
        (FaultKind.ACCEPTED_GARBAGE_STATUS, http.client.BadStatusLine),
    ],
)
def test_what_breaks_the_connection(kind, error):
    with pytest.raises(error):
        answer_to(kind)


def test_a_client_that_gets_no_reply_gives_up_by_itself():
    script = Reply(Answer.of(ORDER), WireFault(FaultKind.ACCEPTED_NO_REPLY))
    with serving(lambda _: script) as server, pytest.raises(TimeoutError):
        ask(server.url, timeout_s=0.1)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (FaultKind.ACCEPTED_EMPTY, b""),
        (FaultKind.ACCEPTED_EMPTY_OBJECT, b"{}"),
        (FaultKind.ACCEPTED_EMPTY_LIST, b"[]"),
        (FaultKind.ACCEPTED_HTML, b"<html><body>One moment, please.</body></html>"),
    ],
)
def test_success_without_the_truth(kind, content):
    response, received = answer_to(kind)

    assert (response.status, received) == (200, content)


def test_content_that_cannot_be_read():
    _, broken = answer_to(FaultKind.ACCEPTED_INVALID_JSON)
    response, squeezed = answer_to(FaultKind.ACCEPTED_BAD_GZIP)

    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)
    assert response.getheader("Content-Encoding") == "gzip"
    with pytest.raises(zlib.error):
        gzip.decompress(squeezed)


def test_a_huge_answer_is_valid_and_as_long_as_it_says():
    response, content = answer_to(FaultKind.ACCEPTED_HUGE_BODY, size_bytes=3_000_000)

    assert int(response.getheader("Content-Length") or 0) == len(content) == 3_000_000
    assert set(json.loads(content)) == {"padding"}
    assert describe(FaultKind.ACCEPTED_HUGE_BODY).arguments == {"size_bytes": 50_000_000}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (FaultKind.ACCEPTED_WRONG_ID, "orderId"),
        (FaultKind.ACCEPTED_WRONG_CLIENT_ID, "clientOrderId"),
        (FaultKind.ACCEPTED_WRONG_SYMBOL, "symbol"),
        (FaultKind.ACCEPTED_WRONG_SIDE, "side"),
    ],
)
def test_the_truth_but_for_one_field(kind, name):
    changed = document_of(kind)

    assert isinstance(changed, dict)
    assert {field for field in ORDER if changed[field] != ORDER[field]} == {name}
    assert type(changed[name]) is type(ORDER[name])


def test_the_fields_of_any_protocol_can_be_named():
    other = {"result": [{"oid": "aB3", "cl": "mine", "pair": "XBT/EUR", "buySell": "sell"}]}
    names = OrderFields(*(frozenset({name}) for name in ("oid", "cl", "pair", "buySell")))
    seen = []
    for kind in (FaultKind.ACCEPTED_WRONG_ID, FaultKind.ACCEPTED_WRONG_SIDE):
        reply = Reply(Answer.of(other), fault_of(kind, fields=names))
        seen.append(json.loads(answered(reply)[1])["result"][0])

    assert seen[0] == {**other["result"][0], "oid": "3Ba0"}
    assert seen[1] == {**other["result"][0], "buySell": "buy"}


def test_a_doubled_answer_meets_the_next_request_of_the_connection():
    def respond(request: ReceivedRequest) -> Reply:
        fault = fault_of(FaultKind.ACCEPTED_DUPLICATE_ACK) if request.number == 0 else None
        return Reply(Answer.of({"number": request.number}), fault)

    with (
        serving(respond) as server,
        connected(server.url) as connection,
    ):
        seen = b""
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while b'"number":1' not in seen:
            seen += connection.recv(65_536)

    assert seen.count(b'{"number":0}') == 2


def test_a_redirect_leads_a_client_that_follows_it_to_send_again():
    def respond(request: ReceivedRequest) -> Reply:
        fault = fault_of(FaultKind.ACCEPTED_REDIRECT) if request.number < 3 else None
        return Reply(Answer.of(ORDER), fault)

    with serving(respond) as server:
        with urllib.request.urlopen(f"{server.url}/order?x=1", timeout=5) as response:
            response.read()
        executed = server.executed("GET", "/order")

    assert len(executed) == 4
    assert {request.query["x"] for request in executed} == {"1"}


@pytest.mark.parametrize("kind", [kind for kind in WIRE_KINDS if fault_table.status_of(kind)])
def test_each_status_has_its_number_and_its_retry_after(kind):
    response, content = answer_to(kind)

    assert response.status == fault_table.status_of(kind)
    wait = response.getheader("Retry-After")
    assert (wait is not None) == kind.value.endswith("RETRY_AFTER")
    assert str(response.status).encode() in content


def test_the_words_of_an_answer_are_the_rule_s():
    settings = {"status": 418, "body": "{}", "content_type": "text/plain", "retry_after_s": 7}

    response, content = answer_to(FaultKind.ANSWER, **settings)

    assert (response.status, content, response.getheader("Retry-After")) == (418, b"{}", "7")
    assert response.getheader("Content-Type") == "text/plain"
    assert document_of(FaultKind.ACCEPTED_ERROR_BODY) == {
        "code": -2010,
        "msg": "New order rejected.",
    }


@pytest.mark.parametrize(
    "sent", [b"POST /order HT", b"POST /o HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"]
)
def test_a_request_that_breaks_off_is_kept_as_incomplete(sent):
    with serving(lambda _: Reply(Answer.of(ORDER))) as server:
        with connected(server.url) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""
        received = list(server.received)

    assert [request.is_complete for request in received] == [False]
    assert received[0].method == "POST"
    assert not received[0].executed


def test_the_server_also_runs_in_the_loop_of_its_client():
    async def talk() -> bytes:
        server = scripted.ScriptedServer(lambda _: Reply(Answer.of(ORDER)))
        await server.start()
        reader, writer = await asyncio.open_connection(*urlsplit(server.url).netloc.split(":"))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        seen = await reader.read()
        writer.close()
        await server.stop()
        return seen

    assert b'"orderId":17' in asyncio.run(talk())


class TestAddresses:
    def test_each_kind_of_the_address_has_one(self):
        assert set(addresses.ADDRESSES) == set(fault_table.kinds_of(Carrier.ADDRESS))

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            (FaultKind.CONNECTION_REFUSED, ConnectionRefusedError),
            (FaultKind.CONNECT_HANGS, TimeoutError),
            (FaultKind.NAME_UNRESOLVABLE, socket.gaierror),
            (FaultKind.CERTIFICATE_UNTRUSTED, ssl.SSLCertVerificationError),
        ],
    )
    def test_what_a_client_meets_there(self, kind, reason):
        with addresses.ADDRESSES[kind]() as url, pytest.raises(urllib.error.URLError) as caught:
            urllib.request.urlopen(url, timeout=0.5)

        assert isinstance(caught.value.reason, reason)
