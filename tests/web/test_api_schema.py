"""The description of the API: complete, as committed, true of what is answered, and shown on a page."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.test import Client
from django.utils import timezone

from accounts.models import RefreshFamily
from accounts.services import personal_tokens
from billing.services import products
from foundation.audit import Actor
from strategies.services import catalogue
from tests.factories.accounts import PASSWORD, make_person
from tests.factories.backtesting import make_done_run, make_market
from tests.factories.notifications import make_notification
from tests.trading.rows import make_traded_deployment
from tests.web.test_api_scopes import CALLS
from web.views import api_docs

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "api" / "openapi.yaml"
_OUT_OF_DATE = "docs/api/openapi.yaml is not that of the code: run `make openapi`"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(api_docs.document())
    return document


def answer_schema(described: dict[str, Any], path: str, method: str, status: int) -> dict[str, Any]:
    """Return the JSON Schema of an answer, with what it refers to."""
    answer = described["paths"][path][method]["responses"][str(status)]
    (content,) = answer["content"].values()
    return {**content["schema"], "components": described["components"]}


class TestTheFile:
    def test_it_is_that_of_the_code(self):
        assert COMMITTED.read_bytes() == api_docs.document(), _OUT_OF_DATE

    def test_it_has_every_address_and_method(self, described):
        operations = [method for path in described["paths"].values() for method in path]

        assert len(operations) == len(CALLS)

    def test_every_operation_tells_its_scope_and_its_problems(self, described):
        for path in described["paths"].values():
            for operation in path.values():
                last = operation["description"].splitlines()[-1]
                assert last.startswith(("Scope of", "Open to", "For people"))
                assert "429" in operation["responses"]
                assert operation["summary"]

    def test_it_is_served_to_everybody(self, client):
        response = client.get("/api/v1/openapi.yaml")

        assert response.content == COMMITTED.read_bytes()
        assert response["Content-Type"].startswith("application/yaml")


@pytest.mark.django_db
class TestItIsTrue:
    """What is answered has the shape that is described."""

    @pytest.fixture
    def person(self):
        return make_person()

    @pytest.fixture
    def api(self, person) -> Client:
        client = Client()
        client.force_login(person)
        return client

    def check(self, described, response, path: str, method: str = "get") -> None:
        schema = answer_schema(described, path, method, response.status_code)
        jsonschema.validate(response.json(), schema, cls=jsonschema.Draft202012Validator)
        results = response.json().get("results", [True])
        assert results, f"{path} answered an empty list, which shows nothing"

    def test_of_trading(self, described, api, person):
        deployment = make_traded_deployment(person).deployment
        one = "/api/v1/deployments/{public_id}"
        commands = one.replace("{public_id}", str(deployment.public_id)) + "/commands"
        api.post(
            commands,
            json.dumps({"kind": "PAUSE"}),
            content_type="application/json",
            headers={"Idempotency-Key": "0b1f3a52-9c1e-4d0f-8a77-3f1c5b1b7a10"},
        )

        for path in ("/api/v1/deployments", "/api/v1/exchange-accounts", "/api/v1/subscriptions"):
            self.check(described, api.get(path), path)
        for part in ("", "/orders", "/fills", "/decisions", "/commands"):
            url = one.replace("{public_id}", str(deployment.public_id)) + part
            self.check(described, api.get(url), one + part)

    def test_of_backtests(self, described, api, person):
        make_market()
        run = make_done_run(person)
        one = "/api/v1/backtests/{public_id}"

        self.check(described, api.get("/api/v1/backtests"), "/api/v1/backtests")
        for part in ("", "/trades", "/series", "/candles"):
            url = one.replace("{public_id}", str(run.public_id)) + part
            self.check(described, api.get(url), one + part)

    def test_of_the_catalogue_and_of_billing(self, described, api):
        catalogue.sync_catalogue(now=timezone.now())
        products.sync_plans(now=timezone.now())
        one = "/api/v1/strategies/{slug}"

        for path in ("/api/v1/strategies", "/api/v1/plans", "/api/v1/usage"):
            self.check(described, api.get(path), path)
        self.check(described, api.get(one.replace("{slug}", "ema-crossover")), one)

    def test_of_people(self, described, api, person):
        make_notification(person)
        personal_tokens.create_token(
            owner=person,
            name="Robot",
            scopes=["read:account"],
            expires_in_days=1,
            by=Actor.person(person.pk),
            now=timezone.now(),
        )
        signed_in = Client().post(
            "/api/v1/auth/tokens",
            json.dumps({"email": person.email, "password": PASSWORD}),
            content_type="application/json",
        )

        self.check(described, signed_in, "/api/v1/auth/tokens", "post")
        assert RefreshFamily.objects.exists()
        for path in (
            "/api/v1/me",
            "/api/v1/me/second-factor",
            "/api/v1/notifications",
            "/api/v1/auth/sessions",
            "/api/v1/auth/personal-tokens",
        ):
            self.check(described, api.get(path), path)

    def test_of_refusals(self, described, api):
        path = "/api/v1/backtests"
        response = api.post(path, "{}", content_type="application/json")

        schema = answer_schema(described, path, "post", 400)
        jsonschema.validate(response.json(), schema, cls=jsonschema.Draft202012Validator)
        assert response.json()["errors"]


@pytest.mark.django_db
class TestThePage:
    def test_it_loads_nothing_from_elsewhere(self, client):
        response = client.get("/api/docs/")

        text = response.content.decode()
        assert response.status_code == 200
        assert "https://" not in text
        assert "'unsafe" not in response["Content-Security-Policy"]
        assert 'data-schema="/api/v1/openapi.yaml"' in text
