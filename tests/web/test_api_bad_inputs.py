"""Every kind of bad input to the API gets the refusal that was promised, and changes nothing."""

import json
from uuid import uuid4

import pytest
from django.test import Client

from backtesting.models import BacktestRun
from foundation.http import PROBLEM_CONTENT_TYPE
from tests.factories.accounts import make_person
from tests.factories.backtesting import END_AT, FIRST_AT, make_done_run, make_market
from tests.factories.billing import with_plan
from tests.trading.rows import make_traded_deployment
from trading.models import Deployment

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/backtests"
REQUEST = {
    "strategy": "ema-crossover",
    "market": "binance:BTC/USDT",
    "timeframe": "1h",
    "from": FIRST_AT.isoformat(),
    "to": END_AT.isoformat(),
}


@pytest.fixture
def person():
    return make_person()


@pytest.fixture
def api(person) -> Client:
    make_market()
    client = Client(raise_request_exception=False)
    client.force_login(person)
    return client


def refusal_of(response) -> tuple[int, str]:
    """Return status and code of a problem, which has the one shape that all have."""
    body = response.json()
    assert response["Content-Type"] == PROBLEM_CONTENT_TYPE
    assert {"type", "title", "status", "code", "detail", "request_id"} <= set(body)
    assert body["type"] == f"urn:problem:{body['code']}"
    assert body["request_id"] == response["X-Request-ID"]
    assert "Traceback" not in response.content.decode()
    return response.status_code, body["code"]


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            (b"", 400, "invalid_input"),
            (b"{", 400, "invalid_json"),
            (b'{"strategy": "ema', 400, "invalid_json"),
            (b'\xef\xbb\xbf{"strategy": "x"}', 400, "invalid_json"),
            (b"strategy=x", 400, "invalid_json"),
            (b'{"strategy": "\xff"}', 400, "invalid_json"),
            (b'{"capital": "1", "capital": "2"}', 400, "duplicate_key"),
            (b'{"capital": NaN}', 400, "not_a_finite_number"),
            (b'{"capital": Infinity}', 400, "not_a_finite_number"),
            (b'{"capital": 1e400}', 400, "not_a_finite_number"),
            (b'{"parameters": {"a": -1e999}}', 400, "not_a_finite_number"),
            (b'{"a":' * 21 + b"1" + b"}" * 21, 400, "too_deep"),
            (b"[" * 200_000, 400, "too_deep"),
            (b'{"a": "' + b"x" * 1_100_000 + b'"}', 413, "body_too_large"),
            (b"[]", 400, "invalid_input"),
            (b"null", 400, "invalid_input"),
            (b"7", 400, "invalid_input"),
            (b'"text"', 400, "invalid_input"),
        ],
        ids=lambda value: value[:20] if isinstance(value, bytes) else None,
    )
    def test_what_is_no_object_in_json_is_refused(self, api, body, status, code):
        response = api.generic("POST", RUNS, body, content_type="application/json")

        assert refusal_of(response) == (status, code)
        assert not BacktestRun.objects.exists()

    def test_where_the_body_breaks_is_said(self, api):
        response = api.generic("POST", RUNS, b'{"a": 1,\n "b" 2}', content_type="application/json")

        assert "at line 2 column 6" in response.json()["detail"]

    @pytest.mark.parametrize(
        "content_type",
        [
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-16",
            "application/json; charset=latin-1",
        ],
    )
    def test_another_content_type_is_refused(self, api, content_type):
        response = api.generic("POST", RUNS, json.dumps(REQUEST), content_type=content_type)

        assert refusal_of(response) == (415, "unsupported_media_type")

    @pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"'])
    def test_the_one_charset_may_be_named(self, api, charset):
        content_type = f"application/json; charset={charset}"

        response = api.generic("POST", RUNS, json.dumps(REQUEST), content_type=content_type)

        assert response.status_code == 201


class TestFields:
    @pytest.mark.parametrize(
        ("change", "field", "code"),
        [
            ({"tenant": "x"}, "tenant", "unknown_field"),
            ({"owner_id": 1}, "owner_id", "unknown_field"),
            ({"strategy": None}, "strategy", "null_not_allowed"),
            ({"strategy": ""}, "strategy", "blank"),
            ({"strategy": 5}, "strategy", "wrong_type"),
            ({"strategy": True}, "strategy", "wrong_type"),
            ({"strategy": []}, "strategy", "wrong_type"),
            ({"strategy": {}}, "strategy", "wrong_type"),
            ({"strategy": "x" * 61}, "strategy", "max_length"),
            ({"parameters": "x"}, "parameters", "wrong_type"),
            (
                {"parameters": {"short_ema_period": "5"}},
                "parameters.short_ema_period",
                "wrong_type",
            ),
            (
                {"parameters": {"short_ema_period": True}},
                "parameters.short_ema_period",
                "wrong_type",
            ),
            ({"parameters": {"speed": 1}}, "parameters.speed", "unknown_field"),
            ({"capital": "0." + "1" * 19}, "capital", "invalid_decimal"),
            ({"capital": "1,5"}, "capital", "invalid_decimal"),
            ({"capital": "１２"}, "capital", "invalid_decimal"),  # noqa: RUF001 (full-width on purpose)
            ({"capital": " 1 "}, "capital", "invalid_decimal"),
            ({"capital": "0x10"}, "capital", "invalid_decimal"),
            ({"capital": "1_000"}, "capital", "invalid_decimal"),
            ({"capital": "-1"}, "capital", "out_of_range"),
            ({"capital": "0"}, "capital", "out_of_range"),
            ({"market": "binance:BTC/USTD"}, "market", "unknown_symbol"),
            ({"market": "nowhere:BTC/USDT"}, "market", "unknown_venue"),
            ({"timeframe": "7m"}, "timeframe", "invalid_timeframe"),
            ({"market": "binance:BTC/\x00USDT"}, "market", "null_characters_not_allowed"),
            ({"strategy": "\ud800"}, "", "invalid_characters"),
            ({"from": "2026-02-30T00:00:00Z"}, "from", "invalid_datetime"),
            ({"from": "2026-01-31T00:00:00"}, "from", "invalid_datetime"),
            ({"from": "0001-01-01T00:00:00+14:00"}, "from", "invalid_datetime"),
            ({"from": 1700000000}, "from", "invalid_datetime"),
            ({"to": "9999-01-01T00:00:00Z"}, "to", "in_future"),
            ({"from": REQUEST["to"], "to": REQUEST["from"]}, "to", "range_inverted"),
        ],
        ids=lambda value: None if isinstance(value, str) else ascii(value)[:50],
    )
    def test_each_wrong_field_is_named_with_its_code(self, api, change, field, code):
        response = api.post(
            RUNS, json.dumps({**REQUEST, **change}), content_type="application/json"
        )

        status, _ = refusal_of(response)
        errors = {each["field"]: each["code"] for each in response.json()["errors"]}
        assert status == 400
        assert errors.get(field) == code, errors
        assert not BacktestRun.objects.exists()

    def test_what_is_missing_is_named_all_at_once(self, api):
        response = api.post(RUNS, "{}", content_type="application/json")

        errors = {each["field"]: each["code"] for each in response.json()["errors"]}
        assert errors == dict.fromkeys(
            ("strategy", "market", "timeframe", "from", "to"), "required"
        )


class TestAddresses:
    @pytest.mark.parametrize(
        "query",
        [
            "limit=0",
            "limit=-1",
            "limit=100000",
            "limit=1e18",
            "limit=1000000000000000000",
            "limit=",
            "limit=\u0661",
            "page=1",
            "ordering=id",
            "cursor=",
            "cursor=x",
            "cursor=abc:def:ghi",
            "status=GONE",
            "status=DONE&status=FAILED",
            "strategy=%00",
        ],
    )
    def test_a_parameter_that_makes_no_sense_is_refused(self, api, query):
        response = api.get(f"{RUNS}?{query}")

        assert refusal_of(response) == (400, "invalid_parameter")
        assert response.json()["errors"]

    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("get", "/api/v1/nothing", 404, "not_found"),
            ("get", "/api/v2/backtests", 404, "not_found"),
            ("get", f"{RUNS}/", 404, "not_found"),
            ("get", f"{RUNS}/not-a-uuid", 404, "not_found"),
            ("get", f"{RUNS}/7", 404, "not_found"),
            ("get", f"{RUNS}/0f0f0f0f-0000-4000-8000-000000000000", 404, "not_found"),
            ("delete", RUNS, 405, "method_not_allowed"),
            ("put", RUNS, 405, "method_not_allowed"),
            ("get", "/api/v1/auth/tokens", 405, "method_not_allowed"),
        ],
    )
    def test_what_is_not_there_is_a_problem_and_no_page(self, api, method, path, status, code):
        response = getattr(api, method)(path)

        assert refusal_of(response) == (status, code)
        assert status != 405 or response["Allow"]

    def test_somebody_elses_and_none_at_all_answer_alike(self, api):
        foreign = make_done_run(make_person("bea@example.com"))

        answers = [api.get(f"{RUNS}/{public_id}") for public_id in (foreign.public_id, uuid4())]

        bodies = [{**each.json(), "request_id": ""} for each in answers]
        assert bodies[0] == bodies[1]

    def test_an_answer_in_another_form_is_refused(self, api):
        response = api.get(RUNS, headers={"Accept": "application/xml"})

        assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")


class TestDeeds:
    @pytest.fixture
    def deployment(self, person, api):
        with_plan(person)
        return make_traded_deployment(person).deployment

    def tell(self, api: Client, deployment: Deployment, body: object, key: str | None):
        return api.post(
            f"/api/v1/deployments/{deployment.public_id}/commands",
            json.dumps(body),
            content_type="application/json",
            headers={"Idempotency-Key": key} if key is not None else {},
        )

    @pytest.mark.parametrize(
        ("body", "key", "status", "code"),
        [
            ({"kind": "STOP"}, None, 400, "idempotency_key_required"),
            ({"kind": "STOP"}, "", 400, "idempotency_key_required"),
            ({"kind": "STOP"}, "once", 400, "invalid_idempotency_key"),
            ({"kind": "EXPLODE"}, "0f0f0f0f-0000-4000-8000-000000000000", 400, "invalid_input"),
            ({}, "0f0f0f0f-0000-4000-8000-000000000001", 400, "invalid_input"),
            (
                {"kind": "STOP", "force": True},
                "0f0f0f0f-0000-4000-8000-000000000002",
                400,
                "invalid_input",
            ),
        ],
    )
    def test_a_command_that_is_none(self, api, deployment, body, key, status, code):
        before = Deployment.objects.get().epoch

        status_and_code = refusal_of(self.tell(api, deployment, body, key))

        assert status_and_code[0] == status
        assert status_and_code[1] in {code, "invalid_command"}
        assert Deployment.objects.get().epoch == before

    def test_a_key_for_something_else(self, api, deployment):
        key = str(uuid4())
        assert self.tell(api, deployment, {"kind": "PAUSE"}, key).status_code == 202

        response = self.tell(api, deployment, {"kind": "STOP"}, key)

        assert refusal_of(response) == (422, "idempotency_key_reused")

    def test_a_state_that_does_not_allow_it(self, api, deployment):
        Deployment.objects.update(actual_state="STOPPED", desired_state="STOPPED")

        response = self.tell(api, deployment, {"kind": "PAUSE"}, str(uuid4()))

        assert refusal_of(response) == (409, "deployment_ended")

    def test_a_session_needs_the_token_of_its_pages(self, person, deployment):
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(person)

        response = self.tell(browser, deployment, {"kind": "STOP"}, str(uuid4()))

        assert refusal_of(response) == (403, "forbidden")
