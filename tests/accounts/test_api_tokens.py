"""Personal tokens: made once, limited to their scopes, void when they should be."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import PersonalToken, TokenScope
from accounts.services import people, personal_tokens
from accounts.services.personal_tokens import MAXIMUM_TOKENS
from foundation.audit import Actor
from foundation.models import AuditEntry
from tests.factories.accounts import PASSWORD, code_now, give_second_factor, make_person

pytestmark = pytest.mark.django_db

TOKENS = "/api/v1/auth/personal-tokens"
ME = "/api/v1/me"
WISH = {
    "name": "Robot",
    "scopes": ["trade:paper", "read:account"],
    "expires_in_days": 30,
    "password": PASSWORD,
}


@pytest.fixture
def person():
    return make_person()


@pytest.fixture
def api(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def make(api: Client, **changes: object):
    return api.post(TOKENS, json.dumps({**WISH, **changes}), content_type="application/json")


def call(token: str, method: str = "get", url: str = ME, **body: object):
    return getattr(Client(), method)(
        url,
        json.dumps(body) if method != "get" else None,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


def told(response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


class TestMaking:
    def test_the_text_is_shown_once(self, api):
        response = make(api)

        made = response.json()
        listed = api.get(TOKENS).json()["results"]
        assert response.status_code == 201
        assert made["token"].startswith(f"{made['prefix']}_")
        assert len(made["token"]) == len("pk_live_") + 8 + 1 + 43
        assert made["scopes"] == ["read:account", "trade:paper"]
        assert listed == [{name: value for name, value in made.items() if name != "token"}]
        assert made["token"] not in str(PersonalToken.objects.values())
        assert made["token"].rpartition("_")[2] not in str(AuditEntry.objects.values())

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "x" * 81}, "name"),
            ({"name": "a\u202eb"}, "name"),
            ({"scopes": []}, "scopes"),
            ({"scopes": ["admin"]}, "scopes"),
            ({"scopes": "read:account"}, "scopes"),
            ({"expires_in_days": 0}, "expires_in_days"),
            ({"expires_in_days": 366}, "expires_in_days"),
            ({"expires_in_days": "30"}, "expires_in_days"),
            ({"expires_in_days": True}, "expires_in_days"),
            ({"owner": 1}, "owner"),
        ],
    )
    def test_each_wrong_field_is_named(self, api, change, field):
        response = make(api, **change)

        assert response.status_code == 400
        assert [each["field"] for each in response.json()["errors"]] == [field]

    @pytest.mark.parametrize("password", ["", "not-this-one-5"])
    def test_a_session_alone_is_not_enough(self, api, password):
        assert told(make(api, password=password)) == (403, "reauth_required")
        assert not PersonalToken.objects.exists()

    def test_whoever_has_a_second_factor_needs_it_again(self, api, person):
        give_second_factor(person)

        assert told(make(api)) == (403, "reauth_required")
        assert make(api, code=code_now()).status_code == 201

    def test_there_are_at_most_twenty_in_use(self, api, person):
        for _ in range(MAXIMUM_TOKENS):
            personal_tokens.create_token(
                owner=person,
                name="Robot",
                scopes=["read:market"],
                expires_in_days=1,
                by=Actor.person(person.pk),
                now=timezone.now(),
            )

        assert told(make(api)) == (409, "too_many_tokens")
        first = api.get(f"{TOKENS}?limit=1").json()["results"][0]["id"]
        api.delete(f"{TOKENS}/{first}")
        assert make(api).status_code == 201

    def test_a_token_cannot_make_read_or_revoke_tokens(self, api):
        made = make(api, scopes=list(TokenScope.values)).json()

        for method, url in (
            ("get", TOKENS),
            ("post", TOKENS),
            ("delete", f"{TOKENS}/{made['id']}"),
        ):
            assert told(call(made["token"], method, url)) == (403, "insufficient_scope")


class TestUsing:
    @pytest.fixture
    def made(self, api) -> Any:
        return make(api).json()

    def test_it_speaks_for_the_person(self, made):
        assert call(made["token"]).json()["email"] == "ada@example.com"

    def test_without_the_scope_it_is_told_which(self, made):
        response = call(made["token"], url="/api/v1/usage")

        assert told(response) == (403, "insufficient_scope")
        assert response.json()["detail"] == "Needs read:billing."

    def test_its_use_is_remembered_to_the_minute(self, made):
        call(made["token"])
        first = PersonalToken.objects.get().last_used_at
        call(made["token"])
        again = PersonalToken.objects.get().last_used_at
        with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
            call(made["token"])

        assert first == again
        last = PersonalToken.objects.get().last_used_at
        assert first is not None
        assert last is not None
        assert last > first

    def test_it_is_void_once_revoked(self, api, made):
        assert api.delete(f"{TOKENS}/{made['id']}").status_code == 204
        assert api.delete(f"{TOKENS}/{made['id']}").status_code == 204

        assert told(call(made["token"])) == (401, "token_invalid")
        assert AuditEntry.objects.filter(verb="token.revoked").count() == 1

    def test_it_is_void_once_expired(self, made):
        with time_machine.travel(timezone.now() + timedelta(days=31), tick=False):
            assert told(call(made["token"])) == (401, "token_invalid")

    def test_it_is_void_while_the_person_is_shut_out(self, person, made):
        people.deactivate_person(person_id=person.pk, by=Actor.system("test"), now=timezone.now())

        assert told(call(made["token"])) == (401, "token_invalid")

    @pytest.mark.parametrize(
        "change",
        [
            lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
            lambda token: token[:-1],
            lambda token: token + "A",
            lambda token: token.upper(),
            lambda token: token.replace("pk_live_", "pk_live_0"),
            lambda token: "pk_live_" + "0" * 8 + token[16:],
            lambda token: "pk_live_",
        ],
    )
    def test_a_changed_token_is_nothing(self, made, change):
        assert call(change(made["token"])).status_code == 401

    def test_answers_to_a_token_are_kept_out_of_shared_caches(self, made):
        assert call(made["token"])["Cache-Control"] == "no-store, private"
