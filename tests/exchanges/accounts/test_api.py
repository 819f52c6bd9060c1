"""The JSON API of exchange accounts."""

from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from exchanges.models import ExchangeAccount
from tests.exchanges.accounts.conftest import API_KEY, SECRET, UNTOLD
from tests.exchanges.accounts.connecting import connect, run_test
from tests.factories import exchanges as factory
from tests.factories.exchanges import make_instrument

pytestmark = pytest.mark.django_db

ROOT = "/api/v1/exchange-accounts"


@pytest.fixture
def api(ada, memory_venue):
    client = APIClient()
    client.force_login(ada)
    return client


def body(**fields):
    defaults = {"venue": "memory", "label": "Main", "api_key": API_KEY, "secret": SECRET}
    return defaults | fields


def post(api, **fields):
    return api.post(ROOT, body(**fields), format="json")


class TestConnect:
    def test_the_answer_is_the_account_under_test_and_no_key(self, api):
        response = post(api)

        answer = response.json()
        assert response.status_code == 201
        assert (answer["status"], answer["kind"], answer["venue"]) == ("PENDING", "LIVE", "memory")
        assert answer["is_being_tested"]
        assert answer["api_key_last_four"] == API_KEY[-4:]
        assert answer["notes"] == []
        assert response["Location"] == f"{ROOT}/{answer['id']}"
        assert API_KEY not in response.content.decode()
        assert SECRET not in response.content.decode()

    def test_trimmed_keys_are_noted(self, api):
        assert post(api, api_key=f" {API_KEY}\n").json()["notes"] == [
            "Blanks around the API key were removed."
        ]

    @pytest.mark.parametrize(
        ("fields", "status", "code", "field"),
        [
            ({"api_key": "a b" * 10}, 400, "credential_invalid_format", "api_key"),
            ({"api_key": ""}, 400, "credential_missing", "api_key"),
            ({"secret": API_KEY}, 400, "credential_same_twice", "secret"),
            ({"secret": "short"}, 400, "credential_invalid_length", "secret"),
            ({"api_key": 12}, 400, "wrong_type", "api_key"),
            ({"api_key": None}, 400, "null_not_allowed", "api_key"),
            ({"surprise": 1}, 400, "unknown_field", "surprise"),
            ({"label": "paper"}, 400, "invalid_label", "label"),
        ],
    )
    def test_bad_input_is_named_by_field_and_code_and_never_echoed(
        self, api, fields, status, code, field
    ):
        response = post(api, **fields)

        problem = response.json()
        assert response.status_code == status
        assert response["Content-Type"] == "application/problem+json"
        assert (field, code) in {(e["field"], e["code"]) for e in problem["errors"]}
        assert API_KEY not in response.content.decode()
        assert SECRET not in response.content.decode()
        assert ExchangeAccount.objects.count() == 0

    def test_an_unknown_venue_and_one_without_keys_have_codes(self, api, venue):
        assert post(api, venue="nowhere").json()["code"] == "unknown_venue"

        type(venue).objects.update(takes_live_accounts=False)
        response = post(api)

        assert (response.status_code, response.json()["code"]) == (409, "venue_takes_no_keys")

    def test_a_name_that_is_taken_conflicts(self, api):
        post(api)

        response = post(api)

        assert (response.status_code, response.json()["code"]) == (409, "account_label_taken")


class TestReading:
    def test_a_list_holds_ones_own_open_accounts(self, api, ada, bert):
        mine = run_test(connect(ada))
        connect(bert)

        results = api.get(ROOT).json()["results"]

        assert [result["id"] for result in results] == [str(mine.public_id)]
        assert results[0]["status"] == "ACTIVE"
        assert results[0]["balances"][0]["currency"] == "USDT"
        assert results[0]["balances"][0]["free"] == "100000.000000000000000000"

    def test_a_list_costs_the_same_queries_for_many(self, api, ada, django_assert_max_num_queries):
        for number in range(3):
            connect(ada, label=f"Account {number}")

        with django_assert_max_num_queries(6):
            api.get(ROOT)

    @pytest.mark.parametrize(("method", "suffix"), [("get", ""), ("delete", ""), ("post", "/test")])
    def test_somebody_elses_account_and_none_at_all_answer_alike(self, api, bert, method, suffix):
        answers = [
            getattr(api, method)(f"{ROOT}/{public_id}{suffix}")
            for public_id in (connect(bert).public_id, uuid4())
        ]

        assert [answer.status_code for answer in answers] == [404, 404]
        assert {answer.json()["code"] for answer in answers} == {"exchange_account_not_found"}

    def test_a_stranger_is_not_let_in(self, db):
        assert APIClient().get(ROOT).status_code == 401


class TestActing:
    def test_a_test_is_accepted_for_later(self, api, ada):
        account = run_test(connect(ada))

        response = api.post(f"{ROOT}/{account.public_id}/test")

        answer = response.json()
        assert (response.status_code, answer["status"]) == (202, "ACTIVE")
        assert (answer["is_being_tested"], answer["permissions_verified"]) == (True, True)

    def test_a_test_takes_no_input(self, api, ada):
        account = connect(ada)

        response = api.post(f"{ROOT}/{account.public_id}/test", {"secret": SECRET}, format="json")

        assert response.status_code == 400
        assert response.json()["errors"][0]["code"] == "unknown_field"

    def test_a_deletion_closes_the_account(self, api, ada):
        account = connect(ada)

        assert api.delete(f"{ROOT}/{account.public_id}").status_code == 204
        assert api.get(f"{ROOT}/{account.public_id}").json()["closed_at"] is not None
        response = api.delete(f"{ROOT}/{account.public_id}")
        assert (response.status_code, response.json()["code"]) == (409, "account_closed")


class TestDeclaration:
    def test_a_word_about_the_key_puts_it_to_use(self, api, ada, memory_venue):
        memory_venue.permissions = UNTOLD
        account = run_test(connect(ada))
        address = f"{ROOT}/{account.public_id}"
        assert api.get(address).json()["status_code"] == "declaration_needed"
        assert api.get(address).json()["permissions_verified"] is None

        refused = api.post(f"{address}/declaration", {"declares_safe": False}, format="json")
        taken = api.post(f"{address}/declaration", {"declares_safe": True}, format="json")
        run_test(account)

        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (
            400, "declaration_missing"
        )  # fmt: skip
        assert taken.json()["is_being_tested"]
        answer = api.get(address).json()
        assert (answer["status"], answer["permissions_verified"]) == (
            "UNVERIFIED_PERMISSIONS", False
        )  # fmt: skip


class TestKeyAndPaper:
    def test_a_new_key_takes_the_place_of_the_old_one(self, api, ada):
        account = connect(ada)
        fields = {"api_key": f"{API_KEY[:-4]}WXYZ", "secret": SECRET}

        response = api.put(f"{ROOT}/{account.public_id}/key", fields, format="json")

        answer = response.json()
        assert (response.status_code, answer["status"]) == (202, "PENDING")
        assert (answer["api_key_last_four"], answer["notes"]) == ("WXYZ", [])

    def test_a_paper_account_is_made_once(self, api, ada):
        answers = [api.post(f"{ROOT}/paper", {"venue": "memory"}, format="json") for _ in range(2)]

        assert [each.status_code for each in answers] == [200, 200]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        assert answers[0].json()["kind"] == "PAPER"
        assert ExchangeAccount.objects.filter(owner=ada).count() == 1

    def test_a_paper_account_needs_a_venue_that_exists(self, api):
        response = api.post(f"{ROOT}/paper", {"venue": "nowhere"}, format="json")

        assert (response.status_code, response.json()["code"]) == (400, "unknown_venue")


class TestMarkets:
    def test_venues_tell_whether_they_take_keys(self, api):
        (venue,) = api.get("/api/v1/venues").json()["results"]

        assert (venue["code"], venue["takes_keys"]) == ("memory", True)
        assert "STOP_LOSS" in venue["order_types"]
        assert venue["no_keys_because"] == ""

    def test_a_venue_without_stops_says_why_it_takes_no_keys(self, api):
        factory.make_venue("mexc", ccxt_id="mexc", real_money=True)
        closed = factory.make_venue("kraken", ccxt_id="kraken", real_money=True)

        told = {venue["code"]: venue for venue in api.get("/api/v1/venues").json()["results"]}

        assert told["mexc"]["no_keys_because"] == "its interface for the spot market has no stops"
        assert told["mexc"]["order_types"] == ["LIMIT", "MARKET"]
        assert "operator" in told[closed.code]["no_keys_because"]
        assert told["kraken"]["has_dead_man_switch"] is True

    def test_venues_tell_how_a_key_is_made(self, api, settings):
        settings.EGRESS_ADDRESSES = ("203.0.113.7",)
        factory.make_venue("binance", takes_live_accounts=True)
        factory.make_venue("offline")

        guides = {
            venue["code"]: venue["key_guide"]
            for venue in api.get("/api/v1/venues").json()["results"]
        }

        assert "Enable Withdrawals" in guides["binance"]["never"]
        assert guides["binance"]["addresses"] == ["203.0.113.7"]
        assert guides["offline"] is None

    @pytest.mark.parametrize(
        ("query", "count"),
        [("", 1), ("?venue=memory", 1), ("?symbol=ETH/USDT", 0), ("?kind=SPOT", 1)],
    )
    def test_markets_tell_their_rules(self, api, venue, query, count):
        make_instrument(venue=venue)

        found = api.get(f"/api/v1/markets{query}").json()["results"]

        assert [each["market"] for each in found] == ["memory:BTC/USDT"] * count
