"""The JSON API of trading: its shapes, its pages and its refusals."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchanges.models import AccountKind, Instrument, Venue
from foundation.models import IdempotentRequest
from strategies.services import catalogue
from tests.factories import accounts as people
from tests.factories import billing
from tests.factories import exchanges as exchange_factory
from tests.factories import trading as factory
from tests.trading.rows import Traded, make_traded_deployment
from trading.models import Deployment, DeploymentCommand, DesiredState

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return people.make_person()


@pytest.fixture
def person(owner) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def traded(owner) -> Traded:
    return make_traded_deployment(owner)


def at(traded: Traded, name: str) -> str:
    return reverse(f"trading-api:{name}", args=[traded.deployment.public_id])


class TestStartingADeployment:
    @pytest.fixture
    def wish(self, owner, now):
        catalogue.sync_catalogue(now=now)
        billing.subscribe(owner)
        account = factory.make_account(
            owner, factory.make_memory_instrument(), kind=AccountKind.PAPER, now=now
        )
        return {
            "name": "Mine",
            "strategy": "ema-crossover",
            "account": str(account.public_id),
            "symbol": "BTC/USDT",
            "timeframe": "1m",
            "parameters": {"short_ema_period": 3, "long_ema_period": 6},
            "capital": "1000",
            "stop_policy": "PROTECT",
        }

    def test_a_market_that_does_not_trade_is_a_conflict_and_nothing_is_made(self, person, wish):
        Instrument.objects.update(is_active=False)

        response = self.send(person, wish)

        assert (response.status_code, response.json()["code"]) == (409, "market_inactive")
        assert [each["field"] for each in response.json()["errors"]] == ["symbol"]
        assert not Deployment.objects.exists()

    def send(self, person: Client, wish: dict[str, object], key: str = ""):
        return person.post(
            reverse("trading-api:deployments"),
            json.dumps(wish),
            content_type="application/json",
            headers={"Idempotency-Key": key or str(uuid4())},
        )

    def test_it_answers_the_new_deployment_and_where_it_is(self, person, wish):
        response = self.send(person, wish)

        body = response.json()
        assert response.status_code == 201
        assert response["Location"] == f"/api/v1/deployments/{body['id']}"
        assert (body["name"], body["strategy"], body["symbol"]) == (
            "Mine",
            "ema-crossover",
            "BTC/USDT",
        )
        assert (body["desired_state"], body["actual_state"]) == ("RUNNING", "STARTING")
        assert body["position"]["quantity"] == "0"
        assert set(body["pnl"].values()) == {"0"}
        parameters = person.get(response["Location"]).json()["parameters"]
        assert parameters["long_ema_period"] == 6
        assert parameters["stop_loss_percent"] == 2.0

    def test_the_same_key_again_answers_the_deployment_that_it_made(self, person, wish):
        key = str(uuid4())

        first, again = self.send(person, wish, key), self.send(person, wish, key)
        other = self.send(person, wish)

        assert first.json() == again.json()
        assert again["Location"] == first["Location"]
        assert (again["Idempotency-Replayed"], again.status_code) == ("true", 201)
        assert other.json()["id"] != first.json()["id"]
        assert Deployment.objects.count() == 2

    def test_the_same_key_for_something_else_is_refused(self, person, wish):
        key = str(uuid4())
        self.send(person, wish, key)

        response = self.send(person, {**wish, "capital": "2000"}, key)

        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
        assert Deployment.objects.count() == 1

    def test_a_process_that_died_before_its_answer_neither_loses_nor_doubles(self, person, wish):
        key = str(uuid4())
        made = self.send(person, wish, key).json()["id"]
        # The answer was not written: the row is that of a process that was killed two minutes ago.
        IdempotentRequest.objects.update(
            answered_at=None,
            answer=None,
            status_code=None,
            requested_at=timezone.now() - timedelta(minutes=2),
        )

        response = self.send(person, wish, key)

        assert (response.status_code, response.json()["id"]) == (201, made)
        assert Deployment.objects.count() == 1

    def test_without_a_key_nothing_starts(self, person, wish):
        response = person.post(
            reverse("trading-api:deployments"), json.dumps(wish), content_type="application/json"
        )

        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
        assert not Deployment.objects.exists()

    @pytest.mark.parametrize(
        ("change", "status", "code", "field"),
        [
            ({"tenant": 1}, 400, "unknown_field", "tenant"),
            ({"capital": 1000.5}, 400, "wrong_type", "capital"),
            ({"capital": "1,5"}, 400, "invalid_decimal", "capital"),
            ({"capital": "-1"}, 400, "out_of_range", "capital"),
            ({"name": ""}, 400, "blank", "name"),
            ({"name": None}, 400, "null_not_allowed", "name"),
            ({"account": "not-an-id"}, 400, "invalid_id", "account"),
            ({"account": 7}, 400, "invalid_id", "account"),
            ({"symbol": "BTC/USTD"}, 400, "unknown_symbol", "symbol"),
            ({"timeframe": "7m"}, 400, "unknown_timeframe", "timeframe"),
            ({"stop_policy": "PANIC"}, 400, "unknown_choice", "stop_policy"),
            ({"parameters": []}, 400, "wrong_type", "parameters"),
            ({"parameters": {"speed": 1}}, 400, "unknown_field", "speed"),
            ({"parameters": {"short_ema_period": "3"}}, 400, "wrong_type", "short_ema_period"),
            ({"parameters": {"short_ema_period": 50}}, 400, "inconsistent", "short_ema_period"),
        ],
    )
    def test_each_wrong_field_is_named(self, person, wish, change, status, code, field):
        response = self.send(person, {**wish, **change})

        errors = response.json()["errors"]
        assert response.status_code == status
        assert any(
            (each["field"].removeprefix("parameters."), each["code"]) == (field, code)
            for each in errors
        ), errors
        assert not Deployment.objects.exists()

    def test_capital_below_the_smallest_order_is_unprocessable(self, person, wish):
        response = self.send(person, {**wish, "capital": "3"})

        assert (response.status_code, response.json()["code"]) == (422, "capital_too_small")

    def test_a_strategy_that_looks_at_many_needs_a_universe_of_the_same_venue(self, person, wish):
        many = {**wish, "strategy": "top-movers-macd", "parameters": {}}
        elsewhere = exchange_factory.make_venue("elsewhere", name="Elsewhere")
        for symbol in ("BTC/USDT", "ETH/USDT"):
            exchange_factory.make_instrument(symbol, venue=elsewhere)

        nothing = self.send(person, many)
        wrong = self.send(person, {**many, "universe": "elsewhere:BTC/USDT,ETH/USDT"})

        told = [response.json()["errors"][0] for response in (nothing, wrong)]
        assert [(each["field"], each["code"]) for each in told] == [
            ("universe", "required"),
            ("universe", "wrong_venue"),
        ]
        assert not Deployment.objects.exists()

    def test_a_universe_shares_one_wallet(self, person, owner, wish):
        venue = Venue.objects.get(code=factory.VENUE_CODE)
        for symbol in ("ETH/USDT", "SOL/USDT"):
            exchange_factory.make_instrument(symbol, venue=venue)
        billing.subscribe(owner, "top-movers-macd")
        many = {
            **wish,
            "strategy": "top-movers-macd",
            "parameters": {},
            "universe": f"{venue.code}:SOL/USDT,BTC/USDT,ETH/USDT",
        }

        del many["symbol"]

        response = self.send(person, many)

        told = response.json()
        assert response.status_code == 201, told
        assert (told["symbol"], told["position"]) == (None, None)
        assert told["symbols"] == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
        assert [each["symbol"] for each in told["positions"]] == told["symbols"]

    def test_the_whole_ladder_must_be_paid_for(self, person, wish):
        ladder = {**wish, "strategy": "dca-ladder", "parameters": {}, "capital": "59.99"}

        response = self.send(person, ladder)

        (problem,) = response.json()["errors"]
        assert response.status_code == 400
        assert (problem["field"], problem["code"]) == ("capital", "below_least_capital")
        assert "60" in problem["message"]

    @pytest.mark.parametrize(("change", "code"), [({"strategy": "none"}, "unknown_strategy")])
    def test_what_does_not_exist_is_not_found(self, person, wish, change, code):
        response = self.send(person, {**wish, **change})

        assert (response.status_code, response.json()["code"]) == (404, code)

    def test_an_account_of_somebody_else_is_not_found(self, person, wish, now):
        stranger = people.make_person("mallory@example.com")
        foreign = factory.make_account(
            stranger, Instrument.objects.get(), kind=AccountKind.LIVE, now=now
        )

        response = self.send(person, {**wish, "account": str(foreign.public_id)})

        assert response.status_code == 404
        assert not Deployment.objects.exists()


class TestReading:
    def test_a_deployment_tells_position_and_result_as_text(self, person, traded):
        body = person.get(at(traded, "deployment")).json()

        assert body["position"]["quantity"] == "0.0999"
        assert body["position"]["average_price"] == "40000"
        assert body["position"]["stop_price"] == "39200"
        assert body["pnl"]["fees"] == "11.996"
        assert body["health"] == "OK"
        assert body["account"]["kind"] == "LIVE"
        assert body["account"]["real_money"] is False

    def test_orders_have_their_ids_and_steps(self, person, traded):
        orders = person.get(at(traded, "orders")).json()["results"]

        entry = orders[-1]
        assert (entry["leg"], entry["side"], entry["type"]) == ("ENTRY", "BUY", "MARKET")
        assert (entry["status"], entry["filled_quantity"]) == ("FILLED", "0.1")
        assert len(entry["client_order_id"]) == 32
        assert entry["venue_order_id"]
        assert entry["transitions"][0]["to"] == "SUBMITTING"
        assert {"leg": "STOP", "status": "ACCEPTED"}.items() <= orders[0].items()

    def test_fills_tell_their_fee_in_its_own_currency(self, person, traded):
        fills = person.get(at(traded, "fills")).json()["results"]

        assert [fill["side"] for fill in fills] == ["BUY", "SELL", "BUY"]
        assert (fills[0]["fee"], fills[0]["fee_currency"]) == ("0.0001", "BTC")
        assert fills[0]["at"].endswith("Z")

    def test_lists_go_on_where_the_page_before_ended(self, person, traded):
        whole = person.get(at(traded, "orders")).json()
        pages, url = [], f"{at(traded, 'orders')}?limit=2"
        while url:
            page = person.get(url).json()
            pages.append(page["results"])
            url = page["next"]

        assert whole["next"] is None
        assert [len(page) for page in pages] == [2, 2, 1]
        assert [order for page in pages for order in page] == whole["results"]

    def test_decisions_are_sentences_newest_first(self, person, traded):
        first = person.get(f"{at(traded, 'decisions')}?limit=3").json()
        second = person.get(first["next"]).json()["results"]

        times = [each["bar_close_at"] for each in first["results"] + second]
        assert times == sorted(times, reverse=True)
        assert len(set(times)) == len(times)
        assert first["results"][0]["sentence"].startswith("BTC/USDT ")
        assert first["results"][0]["reason"] in {"NO_SIGNAL", "SHORT_NOT_ALLOWED", "DATA_STALE"}

    @pytest.mark.parametrize(
        "query",
        [
            "limit=0",
            "limit=201",
            "limit=x",
            "limit=1&limit=2",
            "cursor=made-up",
            "page=2",
            "status=GONE",
            "since=yesterday",
            "since=2026-01-01T00:00:00",
            "symbol=",
        ],
    )
    def test_a_parameter_that_makes_no_sense_is_refused(self, person, traded, query):
        response = person.get(f"{at(traded, 'orders')}?{query}")

        assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")

    def test_a_cursor_of_another_list_is_refused(self, person, traded):
        more = person.get(f"{at(traded, 'orders')}?limit=1").json()["next"]

        response = person.get(more.replace("/orders?", "/fills?"))

        assert response.json()["code"] == "invalid_parameter"

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("status=FILLED", 3),
            ("status=ACCEPTED", 1),
            ("symbol=BTC/USDT", 5),
            ("symbol=ETH/USDT", 0),
            ("since=2000-01-01T00:00:00Z", 5),
            ("since=2200-01-01T00:00:00Z", 0),
        ],
    )
    def test_orders_are_filtered(self, person, traded, query, count):
        assert len(person.get(f"{at(traded, 'orders')}?{query}").json()["results"]) == count

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("actual_state=RUNNING", 1),
            ("actual_state=STOPPED", 0),
            ("mode=LIVE", 1),
            ("mode=PAPER", 0),
            ("strategy=ema-crossover", 1),
            ("strategy=other", 0),
        ],
    )
    def test_deployments_are_filtered(self, person, traded, query, count):
        url = f"{reverse('trading-api:deployments')}?{query}"

        assert len(person.get(url).json()["results"]) == count

    def test_the_next_page_keeps_the_filter(self, person, traded):
        first = person.get(f"{at(traded, 'orders')}?status=FILLED&limit=2").json()
        second = person.get(first["next"]).json()

        assert [len(page["results"]) for page in (first, second)] == [2, 1]
        assert {each["status"] for page in (first, second) for each in page["results"]} == {
            "FILLED"
        }

    def test_the_list_holds_a_persons_own_only(self, person, traded):
        stranger = Client()
        stranger.force_login(people.make_person("mallory@example.com"))
        url = reverse("trading-api:deployments")

        assert [each["name"] for each in person.get(url).json()["results"]] == ["Crossover"]
        assert stranger.get(url).json()["results"] == []


class TestCommands:
    def send(self, person: Client, traded: Traded, kind: str = "STOP", **headers: str):
        return person.post(
            at(traded, "commands"),
            json.dumps({"kind": kind}),
            content_type="application/json",
            headers=headers,
        )

    def test_a_command_is_accepted_and_listed(self, person, traded):
        response = self.send(person, traded, **{"Idempotency-Key": str(uuid4())})

        traded.deployment.refresh_from_db()
        body = response.json()
        assert response.status_code == 202
        assert (body["kind"], body["status"], body["done_at"]) == ("STOP", "OPEN", None)
        assert traded.deployment.desired_state == DesiredState.STOPPED
        assert person.get(at(traded, "commands")).json() == {"results": [body], "next": None}

    def test_the_same_key_is_the_same_command(self, person, traded):
        key = str(uuid4())

        first = self.send(person, traded, "PAUSE", **{"Idempotency-Key": key})
        again = self.send(person, traded, "PAUSE", **{"Idempotency-Key": key})

        assert first.json()["id"] == again.json()["id"]
        assert DeploymentCommand.objects.count() == 1

    def test_a_key_for_another_command_is_refused(self, person, traded):
        key = str(uuid4())
        self.send(person, traded, "PAUSE", **{"Idempotency-Key": key})

        response = self.send(person, traded, "STOP", **{"Idempotency-Key": key})

        assert response.json()["code"] == "idempotency_key_reused"

    def test_without_a_key_nothing_happens(self, person, traded):
        response = self.send(person, traded)

        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
        assert not DeploymentCommand.objects.exists()

    def test_an_unknown_kind_is_refused(self, person, traded):
        response = self.send(person, traded, "EXPLODE", **{"Idempotency-Key": str(uuid4())})

        assert response.status_code == 400
        assert response.json()["errors"][0]["field"] == "kind"

    def test_an_ended_deployment_takes_no_command(self, person, traded):
        Deployment.objects.update(actual_state="STOPPED", desired_state="STOPPED")

        response = self.send(person, traded, **{"Idempotency-Key": str(uuid4())})

        assert (response.status_code, response.json()["code"]) == (409, "deployment_ended")
