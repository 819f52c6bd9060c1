"""The JSON API of trading states, limits and flattening: shapes, owners, refusals."""

import json
from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse

from market.enums import Leg
from tests.factories import accounts as people
from tests.trading.telling import carry_out
from trading.models import (
    DeploymentCommand,
    DeploymentRevision,
    ProtectionLimits,
    TradingRestriction,
)

pytestmark = pytest.mark.django_db

STATES = reverse("trading-api:trading-states")
LIMITS = reverse("trading-api:protections")
FLATTEN = reverse("trading-api:flatten-all")


@pytest.fixture
def person(client, desk):
    client.force_login(desk.deployment.owner)
    return client


@pytest.fixture
def stranger(client, desk):
    client.force_login(people.make_person(email="stranger@example.com"))
    return client


def send(client, address, body, *, method="post", **headers):
    return getattr(client, method)(
        address, json.dumps(body), content_type="application/json", headers=headers
    )


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def scopes_of(desk) -> dict[str, str]:
    return {
        "person": "person",
        "account": f"account:{desk.deployment.account.public_id}",
        "deployment": f"deployment:{desk.deployment.public_id}",
    }


class TestStates:
    @pytest.mark.parametrize("scope", ["person", "account", "deployment"])
    def test_are_set_listed_and_ended(self, desk, person, scope):
        body = {"scope": scopes_of(desk)[scope], "state": "HALTED", "reason": "Odd."}

        [told] = send(person, STATES, body).json()["items"]

        assert (told["scope"], told["state"], told["cause"]) == (scope.upper(), "HALTED", "OWNER")
        assert (told["reason"], told["release_rule"]) == ("Odd.", "OWNER")
        assert person.get(STATES).json()["items"] == [told]
        intent = desk.decide()
        desk.submit()
        intent.refresh_from_db()
        assert intent.reason_code == "TRADING_HALTED"

        ended = send(person, STATES, body | {"state": "ACTIVE"})

        assert ended.json()["items"] == []

    @pytest.mark.parametrize("scope", ["account", "deployment"])
    def test_of_somebody_else_are_not_found(self, desk, stranger, scope):
        body = {"scope": scopes_of(desk)[scope], "state": "HALTED", "reason": "Odd."}

        answer = send(stranger, STATES, body)

        assert answer.status_code == 404
        assert not TradingRestriction.objects.exists()

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"scope": "platform"}, 400, "unknown_scope"),
            ({"scope": "venue:memory"}, 400, "unknown_scope"),
            ({"scope": "account:mine"}, 404, "target_not_found"),
            ({"reason": " "}, 400, None),
            ({"state": "PAUSED"}, 400, None),
        ],
    )
    def test_that_cannot_be_are_refused(self, person, change, status, code):
        answer = send(
            person, STATES, {"scope": "person", "state": "HALTED", "reason": "Odd."} | change
        )

        assert answer.status_code == status
        assert code in {None, answer.json()["code"]}
        assert not TradingRestriction.objects.exists()


class TestLimits:
    @pytest.mark.parametrize("scope", ["person", "account", "deployment"])
    def test_are_replaced_as_a_whole(self, desk, person, scope):
        address = f"{LIMITS}?of={scopes_of(desk)[scope]}"
        first = {"max_daily_loss_percent": "2.50", "stale_after_seconds": "10"}

        saved = send(person, address, first, method="put").json()

        assert saved == person.get(address).json()
        given = {name: value for name, value in saved.items() if value is not None}
        assert given == {"max_daily_loss_percent": "2.5", "stale_after_seconds": "10"}
        saved = send(person, address, {"max_open_orders": "3"}, method="put").json()
        assert (saved["max_open_orders"], saved["max_daily_loss_percent"]) == ("3", None)
        send(person, address, {}, method="put")
        assert not ProtectionLimits.objects.exists()

    @pytest.mark.parametrize("scope", ["account", "deployment"])
    def test_of_somebody_else_are_not_found(self, desk, stranger, scope):
        address = f"{LIMITS}?of={scopes_of(desk)[scope]}"

        assert stranger.get(address).status_code == 404
        sent = send(stranger, address, {"max_open_orders": "3"}, method="put")
        assert sent.status_code == 404
        assert not ProtectionLimits.objects.exists()

    def test_that_cannot_be_are_named_one_by_one(self, person):
        answer = send(
            person, LIMITS, {"max_clock_skew_ms": "2001", "max_spread_bps": "wide"}, method="put"
        )

        assert answer.status_code == 400
        problems = {(each["field"], each["code"]) for each in answer.json()["errors"]}
        assert problems == {
            ("max_clock_skew_ms", "out_of_range"),
            ("max_spread_bps", "not_a_number"),
        }


class TestTheLimitsOfADeployment:
    def test_change_with_it_and_show_with_it(self, desk, person):
        address = reverse("trading-api:deployment", args=[desk.deployment.public_id])

        changed = send(
            person, address, {"protections": {"max_exposure_percent": 30}}, method="patch"
        )

        assert changed.status_code == 200, changed.json()
        assert person.get(address).json()["protections"]["max_exposure_percent"] == "30"
        assert DeploymentRevision.objects.count() == 1
        intent = desk.decide(quantity=Decimal("0.1"))
        desk.submit()
        intent.refresh_from_db()
        assert intent.reason_code == "EXPOSURE_LIMIT"
        send(person, address, {"name": "Renamed"}, method="patch")
        assert person.get(address).json()["protections"]["max_exposure_percent"] == "30"
        send(person, address, {"protections": {}}, method="patch")
        assert person.get(address).json()["protections"]["max_exposure_percent"] is None

    @pytest.mark.parametrize("value", ["0", "much", [1], True, "1e999999"])
    def test_that_cannot_be_are_named_and_change_nothing(self, desk, person, value):
        address = reverse("trading-api:deployment", args=[desk.deployment.public_id])

        answer = send(
            person,
            address,
            {"name": "Other", "protections": {"max_exposure_percent": value}},
            method="patch",
        )

        assert answer.status_code == 400
        assert [each["field"] for each in answer.json()["errors"]] == [
            "protections.max_exposure_percent"
        ]
        desk.deployment.refresh_from_db()
        assert desk.deployment.name == "Crossover"

    def test_are_there_from_its_first_moment(self, desk, person):
        body = {
            "name": "Limited",
            "strategy": "ema-crossover",
            "account": str(desk.deployment.account.public_id),
            "symbol": "BTC/USDT",
            "timeframe": "1m",
            "capital": "1000",
            "protections": {"max_drawdown_percent": "5"},
        }
        key = _key()

        made = send(person, reverse("trading-api:deployments"), body, **key)

        assert made.status_code == 201, made.json()
        row = ProtectionLimits.objects.get(deployment__public_id=made.json()["id"])
        assert row.max_drawdown_percent == 5
        wrong = body | {"protections": {"max_wishes": "1"}}
        refused = send(person, reverse("trading-api:deployments"), wrong, **_key())
        assert [each["field"] for each in refused.json()["errors"]] == ["protections.max_wishes"]


class TestFlattenAll:
    def test_closes_everything_once_and_opens_nothing_until_it_is_let_go_on(self, desk, person):
        desk.enter()
        desk.reconcile()
        body, key = {"reason": "Out.", "confirm": "FLATTEN ALL"}, _key()

        first = send(person, FLATTEN, body, **key)
        again = send(person, FLATTEN, body, **key)

        assert (first.status_code, first.json()) == (202, {"deployments": 1})
        assert again.json() == first.json()
        assert DeploymentCommand.objects.filter(kind="FLATTEN").count() == 1
        carry_out(now=desk.now)
        desk.reconcile()
        assert desk.position.quantity == 0
        assert desk.order(Leg.STOP).status == "CANCELED"
        intent = desk.decide()
        desk.submit()
        intent.refresh_from_db()
        assert intent.reason_code == "TRADING_REDUCED"

    @pytest.mark.parametrize("change", [{"confirm": "yes"}, {"reason": ""}])
    def test_needs_a_yes_in_full_and_a_reason(self, desk, person, change):
        body = {"reason": "Out.", "confirm": "FLATTEN ALL"} | change

        assert send(person, FLATTEN, body, **_key()).status_code == 400
        assert not TradingRestriction.objects.exists()
        assert not DeploymentCommand.objects.exists()

    def test_leaves_others_alone(self, desk, stranger):
        body = {"reason": "Out.", "confirm": "FLATTEN ALL"}

        told = send(stranger, FLATTEN, body, **_key()).json()

        assert told == {"deployments": 0}
        assert not DeploymentCommand.objects.exists()
        assert desk.enter().status == "FILLED"
