"""The fault program: when rules strike, and every fault of state and feed as a client meets it."""

import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from exchanges.simulator.database import Database
from exchanges.simulator.fault_kinds import Carrier, FaultKind, Phase
from exchanges.simulator.fault_table import TABLE, describe, kinds_of
from exchanges.simulator.faults import Faults
from exchanges.simulator.parameters import Parameters
from exchanges.simulator.requests import Request
from exchanges.simulator.rules import FaultError, Rule
from tests.exchanges.simulator.running import RawClient

BTC = {"symbol": "BTCUSDT"}
LOSSES = (HTTPException, ConnectionError, ValueError)


def request_of(method: str = "POST", path: str = "/api/v3/order", **more: Any) -> Request:
    headers = {"x-mbx-apikey": more.pop("key", "KEY")}
    values = {**BTC, **more}
    return Request(method, path, "", "", headers, "127.0.0.1", 0, Parameters(values))


def program_of(*rules: dict[str, Any], seed: object = 1) -> Faults:
    faults = Faults(Database(None))
    faults.program({"seed": seed, "rules": list(rules)})
    return faults


class TestWhenRulesStrike:
    def struck(self, faults: Faults, requests: list[Request]) -> list[list[str]]:
        return [faults.strike(request).kinds for request in requests]

    def test_the_same_seed_and_requests_give_the_same_faults(self):
        rules = (
            {"kind": "ACCEPTED_CLOSED", "call": "CREATE", "probability": 0.3, "count": 0},
            {"kind": "HIDDEN_ORDER", "probability": 0.5, "count": 0},
            {"kind": "STATUS_503", "probability": 0.2, "count": 10},
        )
        requests = [request_of() for _ in range(200)]

        first = self.struck(program_of(*rules, seed="a"), requests)

        assert first == self.struck(program_of(*rules, seed="a"), requests)
        assert first != self.struck(program_of(*rules, seed="b"), requests)
        assert 30 < sum("ACCEPTED_CLOSED" in kinds for kinds in first) < 90
        assert sum("STATUS_503" in kinds for kinds in first) == 10
        assert ["ACCEPTED_CLOSED", "HIDDEN_ORDER"] in first

    def test_a_program_goes_on_after_a_restart_where_it_was(self):
        database = Database(None)
        rule = {"kind": "CLOSED", "probability": 0.5, "count": 0}
        whole = program_of(rule, seed=7)
        faults = Faults(database)
        faults.program({"seed": 7, "rules": [rule]})
        expected = self.struck(whole, [request_of() for _ in range(40)])

        before = self.struck(faults, [request_of() for _ in range(20)])
        after = self.struck(Faults(database), [request_of() for _ in range(20)])

        assert before + after == expected

    def test_skip_and_count_choose_which_of_the_requests(self):
        faults = program_of({"kind": "CLOSED", "skip": 2, "count": 2})

        struck = self.struck(faults, [request_of() for _ in range(6)])

        assert [bool(kinds) for kinds in struck] == [False, False, True, True, False, False]
        assert len(faults) == 0

    @pytest.mark.parametrize(
        ("rule", "strikes"),
        [
            ({"call": "CREATE"}, True),
            ({"call": "CANCEL"}, False),
            ({"path": "/api/v3/order"}, True),
            ({"path": "/api/v3/order", "method": "GET"}, False),
            ({"account": "KEY", "symbol": "BTCUSDT"}, True),
            ({"account": "OTHER"}, False),
            ({"symbol": "ETHUSDT"}, False),
        ],
    )
    def test_a_rule_strikes_what_it_names(self, rule, strikes):
        faults = program_of({"kind": "CLOSED", **rule})

        assert bool(faults.strike(request_of()).kinds) == strikes

    def test_faults_of_state_are_combined_and_the_wire_goes_wrong_once(self):
        faults = program_of(
            {"kind": "ACCEPTED_CLOSED"},
            {"kind": "PARTIAL_FILL", "share": 0.25},
            {"kind": "ACCEPTED_RESET"},
            {"kind": "HIDDEN_ORDER", "lookups": 3},
        )

        first, second = faults.strike(request_of()), faults.strike(request_of())

        assert first.kinds == ["ACCEPTED_CLOSED", "PARTIAL_FILL", "HIDDEN_ORDER"]
        assert (str(first.mishaps.first_share), first.mishaps.hidden_lookups) == ("0.25", 3)
        assert second.kinds == ["ACCEPTED_RESET"]

    @pytest.mark.parametrize("kind", [k for k in FaultKind if k not in kinds_of(Carrier.ADDRESS)])
    def test_every_kind_can_be_programmed_with_the_arguments_of_the_table(self, kind):
        entry = describe(kind)
        document = {"kind": kind.value, **entry.arguments, "symbol": "BTCUSDT"}
        if kind is FaultKind.DELAY:
            document["executes"] = True

        rule = Rule.parse(document)

        executes = rule.wire().carries_out if entry.carrier is Carrier.WIRE else True
        assert executes == (entry.phase is not Phase.BEFORE_ACCEPTING) or not rule.executes

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            (None, "cannot be read"),
            ({"kind": "CONNECTION_REFUSED"}, "client's address"),
            ({"kind": "CLOSED", "probability": 2}, "probability"),
            ({"kind": "CLOSED", "count": -1}, "count"),
            ({"kind": "CLOSED", "lookups": 1}, "knows no lookups"),
            ({"kind": "TICK_CHANGED"}, "needs the symbol"),
            ({"kind": "PARTIAL_FILL", "share": 2}, "share"),
            ({"kind": "CLOSED", "call": "DANCE"}, "cannot be read"),
            ({"rules": {}}, "list"),
        ],
    )
    def test_what_is_no_rule_is_refused_with_a_reason(self, document, reason):
        with pytest.raises(FaultError, match=reason):
            Faults(Database(None)).program(document)


def test_the_guide_lists_every_kind_with_its_phase_and_what_is_seen():
    guide = Path("docs/howto/simulator.md").read_text(encoding="utf-8")
    rows = [line for line in guide.splitlines() if line.startswith("| `")]
    listed = {tuple(cell.strip(" `") for cell in row.strip("|").split("|"))[:2] for row in rows}

    missing = [kind for kind in TABLE if (kind.value, describe(kind).phase.value) not in listed]

    assert missing == []
    assert all(entry.sees in guide for entry in TABLE.values())


@pytest.fixture
def rule(client: RawClient) -> Iterator[Callable[..., None]]:
    """Program one fault for the account of the client."""

    def program(kind: str, **settings: Any) -> None:
        document = {"kind": kind, "account": client.key, **settings}
        status, answer = client.admin("POST", "/simulator/faults", document)
        assert status == 200, answer

    yield program
    client.admin("DELETE", "/simulator/faults")


def find(client: RawClient, client_id: str) -> tuple[int, Any]:
    return client.signed("GET", "/api/v3/order", **BTC, origClientOrderId=client_id)


def free(client: RawClient, asset: str) -> str:
    _, account = client.signed("GET", "/api/v3/account")
    return next(str(row["free"]) for row in account["balances"] if row["asset"] == asset)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.enable_socket
class TestFaultsOfState:
    def test_an_order_fills_in_part_and_the_rest_later(self, client, rule):
        rule("PARTIAL_FILL", share=0.25, after_ms=300)
        _, order = client.order(quantity="0.04", newClientOrderId="parts")
        assert (order["status"], order["executedQty"]) == ("PARTIALLY_FILLED", "0.01000000")

        eventually(lambda: find(client, "parts")[1]["status"] == "FILLED")

        _, trades = client.signed("GET", "/api/v3/myTrades", **BTC)
        assert [trade["qty"] for trade in trades] == ["0.01000000", "0.03000000"]
        assert free(client, "USDT") == "98000.00000000"

    def test_a_partial_fill_can_be_canceled_and_gives_back_the_rest(self, client, rule):
        rule("PARTIAL_FILL", share=0.5, after_ms=-1)
        client.order(quantity="0.04", newClientOrderId="half")

        status, canceled = client.signed("DELETE", "/api/v3/order", **BTC, origClientOrderId="half")

        assert (status, canceled["status"], canceled["executedQty"]) == (
            200,
            "CANCELED",
            "0.02000000",
        )
        assert free(client, "USDT") == "99000.00000000"

    def test_a_canceled_order_fills_all_the_same(self, client, rule):
        rule("LATE_FILL_AFTER_CANCEL", after_ms=200)
        client.order(type="LIMIT", timeInForce="GTC", price="40000", newClientOrderId="late")
        cancel = {**BTC, "origClientOrderId": "late"}
        assert client.signed("DELETE", "/api/v3/order", **cancel)[1]["status"] == "CANCELED"

        eventually(lambda: find(client, "late")[1]["status"] == "FILLED")

        assert free(client, "USDT") == "99600.00000000"

    def test_a_hidden_order_is_found_after_so_many_look_ups_for_it_or_its_trades(
        self, client, rule
    ):
        rule("HIDDEN_ORDER", lookups=3)
        assert client.order(newClientOrderId="hidden")[0] == 200
        _, trades = client.signed("GET", "/api/v3/myTrades", **BTC)

        codes = [find(client, "hidden")[1].get("code") for _ in range(3)]

        assert trades == []
        assert codes == [-2013, -2013, None]
        assert len(client.signed("GET", "/api/v3/myTrades", **BTC)[1]) == 1

    def test_dust_is_left(self, client, rule):
        rule("DUST")

        _, order = client.order(quantity="0.01")

        assert (order["status"], order["executedQty"]) == ("EXPIRED", "0.00999000")

    def test_the_fee_is_taken_in_an_asset_that_was_not_traded(self, client, rule):
        document = {
            "api_key": f"{client.key}-bnb",
            "secret": client.secret,
            "balances": {"USDT": "1000", "BNB": "1"},
        }
        client.admin("POST", "/simulator/accounts", document)
        client.key = document["api_key"]
        rule("FEE_IN_THIRD_CURRENCY", account=client.key)

        _, order = client.order()

        assert [fill["commissionAsset"] for fill in order["fills"]] == ["BNB"]
        assert free(client, "BTC") == "0.01000000"
        assert float(free(client, "BNB")) < 1

    def test_funds_are_gone_a_moment_too_late(self, client, rule):
        rule("FUNDS_GONE")

        assert client.order()[1]["code"] == -2010
        assert client.order()[0] == 200

    def test_lists_are_cut_doubled_and_out_of_order(self, client, rule):
        for _ in range(3):
            client.order()
        ids = [trade["id"] for trade in client.signed("GET", "/api/v3/myTrades", **BTC)[1]]
        seen = []
        for kind in ("LIST_TRUNCATED", "TRADES_DUPLICATED", "TRADES_OUT_OF_ORDER"):
            rule(kind)
            seen.append([t["id"] for t in client.signed("GET", "/api/v3/myTrades", **BTC)[1]])

        assert seen == [ids[:1], [id_ for id_ in ids for _ in range(2)], ids[::-1]]

    def test_the_rules_of_a_market_become_stricter_until_the_program_is_cleared(self, client, rule):
        for kind in ("TICK_CHANGED", "LOT_CHANGED", "MINIMUM_NOTIONAL_CHANGED"):
            rule(kind, symbol="BTCUSDT", factor=100)
            client.signed("GET", "/api/v3/account")

        filters = {f["filterType"]: f for f in self.market(client)["filters"]}
        assert filters["PRICE_FILTER"]["tickSize"] == "1.00000000"
        assert filters["LOT_SIZE"]["stepSize"] == "0.00100000"
        assert client.order(quantity="0.00101")[1]["msg"] == "Filter failure: LOT_SIZE"
        assert client.order(quantity="0.001")[1]["msg"] == "Filter failure: NOTIONAL"
        client.admin("DELETE", "/simulator/faults")
        assert client.order(quantity="0.00101")[0] == 200

    def market(self, client: RawClient) -> Any:
        return client.public("/api/v3/exchangeInfo", **BTC)["symbols"][0]

    def test_a_delisted_market_takes_no_orders_and_its_orders_have_expired(self, client, rule):
        client.order(type="LIMIT", timeInForce="GTC", price="40000", newClientOrderId="open")
        rule("DELISTED", symbol="BTCUSDT")

        assert find(client, "open")[1]["status"] == "EXPIRED"
        assert free(client, "USDT") == "100000.00000000"
        assert self.market(client)["status"] == "BREAK"
        assert client.order()[1]["msg"] == "Market is closed."

    def test_maintenance_refuses_and_the_status_says_why(self, client, rule):
        rule("MAINTENANCE", account="", call="ANY", count=2)

        status, answer = client.order()

        assert (status, answer["code"]) == (503, -1016)
        assert client.public("/sapi/v1/system/status")["msg"] == "system_maintenance"
        assert client.public("/sapi/v1/system/status")["msg"] == "normal"

    def test_a_key_gains_a_permission_and_is_revoked(self, client, rule):
        rule("PERMISSION_GAINED")
        _, restrictions = client.signed("GET", "/sapi/v1/account/apiRestrictions")
        rule("KEY_REVOKED")

        refused = [client.order()[1]["code"] for _ in range(2)]

        assert restrictions["enableWithdrawals"] is True
        assert refused == [-2015, -2015]

    def test_a_wrong_clock_refuses_right_timestamps(self, client, rule):
        rule("CLOCK_SKEWED", account="", count=2, offset_ms=-30_000)

        shown = client.public("/api/v3/time")["serverTime"]

        assert -31_000 < shown - time.time() * 1_000 < -29_000
        assert client.order()[1]["code"] == -1021
        assert client.order()[0] == 200


@pytest.mark.enable_socket
class TestFaultsOfTheFeed:
    WINDOW = {**BTC, "interval": "1s", "limit": 5}

    def rows(self, client: RawClient, kind: str = "", **settings: Any) -> list[Any]:
        # Bars of the past, so that each call asks for the same.
        window = {**self.WINDOW, "endTime": int(time.time() - 10) * 1_000}
        truth = client.public("/api/v3/klines", **window)
        document = {"kind": kind, **settings}
        assert client.admin("POST", "/simulator/faults", document)[0] == 200
        faulty = client.public("/api/v3/klines", **window)
        assert client.public("/api/v3/klines", **window) == truth
        assert faulty != truth
        return [truth, faulty]

    def test_bars_are_missing_doubled_late_or_from_the_future(self, client):
        truth, missing = self.rows(client, "CANDLE_MISSING", back=1)
        assert missing == [*truth[:3], truth[4]]
        truth, doubled = self.rows(client, "CANDLE_DUPLICATED")
        assert doubled == [*truth, truth[4]]
        truth, late = self.rows(client, "CANDLE_LATE", late_ms=12_500)
        assert late == truth[: len(late)]
        assert len(late) < 5
        truth, future = self.rows(client, "CANDLE_FUTURE", ahead=60)
        assert future[:5] == truth
        assert future[5][0] == truth[4][0] + 60_000

    def test_a_bar_is_revised_empty_or_impossible(self, client):
        truth, revised = self.rows(client, "CANDLE_REVISED", bps=100)
        assert revised[:4] == truth[:4]
        assert float(revised[4][4]) == pytest.approx(float(truth[4][4]) * 1.01)
        _, empty = self.rows(client, "CANDLE_ZERO_VOLUME")
        assert (empty[4][5], empty[4][8], len(set(empty[4][1:5]))) == ("0.00000000", 0, 1)
        _, impossible = self.rows(client, "CANDLE_IMPOSSIBLE")
        assert float(impossible[4][2]) < float(impossible[4][3])


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "kind", [k for k in kinds_of(Carrier.WIRE) if not k.value.endswith("DRIP")]
)
def test_the_truth_knows_what_was_carried_out_whatever_the_client_saw(client, rule, kind):
    quick = {
        FaultKind.ACCEPTED_NO_REPLY: {"hold_ms": 10},
        FaultKind.ACCEPTED_LATE: {"delay_ms": 10},
        FaultKind.ACCEPTED_HUGE_BODY: {"size_bytes": 100_000},
    }
    rule(kind.value, call="CREATE", **quick.get(kind, {}))

    try:
        client.order(newClientOrderId="asked")
    except LOSSES:
        client.close()
    if kind is FaultKind.ACCEPTED_DUPLICATE_ACK:
        client.close()

    executes = describe(kind).phase is Phase.AFTER_ACCEPTING or kind is FaultKind.DELAY
    _, truth = client.admin("GET", f"/simulator/truth?account={client.key}")
    assert [order["client_order_id"] for order in truth["spot_orders"]] == ["asked"] * executes
    sent = [entry for entry in truth["requests"] if entry["method"] == "POST"]
    assert [entry["client_order_id"] for entry in sent] == ["asked"]
    assert json.loads(sent[0]["faults"]) == [kind.value]
    assert bool(sent[0]["executed"]) == executes
