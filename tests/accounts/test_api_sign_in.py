"""Programs that sign in: proofs, tokens, and what becomes of tokens that are changed, old or stolen."""

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Mail, MailKind, Notification, NotificationKind, RefreshFamily
from accounts.services import people, personal_tokens, refresh_families
from foundation.audit import Actor
from foundation.models import AuditEntry
from tests.factories.accounts import PASSWORD, code_now, give_second_factor, make_person

TOKENS = "/api/v1/auth/tokens"
REFRESH = f"{TOKENS}/refresh"
REVOKE = f"{TOKENS}/revoke"
ME = "/api/v1/me"
EMAIL = "ada@example.com"


def post(url: str, client: Client | None = None, **body: Any) -> Any:
    return (client or Client()).post(url, json.dumps(body), content_type="application/json")


def sign_in(**proofs: str) -> dict[str, str]:
    wanted: dict[str, Any] = {"email": EMAIL, "password": PASSWORD, **proofs}
    response = post(TOKENS, **wanted)
    assert response.status_code == 200, response.content
    tokens: dict[str, str] = response.json()
    return tokens


def ask(token: str, url: str = ME):
    return Client().get(url, headers={"Authorization": f"Bearer {token}"})


def told(response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.mark.django_db
class TestProofs:
    def test_the_password_is_enough_without_a_second_factor(self):
        make_person()

        tokens = sign_in()

        assert ask(tokens["access"]).json()["email"] == EMAIL
        assert tokens["token_type"] == "Bearer"
        assert AuditEntry.objects.filter(verb="api.signed-in").count() == 1

    @pytest.mark.parametrize(
        "proofs",
        [
            {"password": "not-this-one-5"},
            {"email": "nobody@example.com"},
            {"email": "closed@example.com"},
        ],
    )
    def test_whatever_is_wrong_the_answer_is_the_same(self, proofs):
        make_person()
        make_person("closed@example.com", is_active=False)

        response = post(TOKENS, **{"email": EMAIL, "password": PASSWORD, **proofs})

        assert told(response) == (401, "invalid_credentials")
        assert response.json()["detail"] == "Wrong e-mail address, password or code."
        assert response["WWW-Authenticate"].startswith("Bearer")

    def test_an_unproven_address_is_told_only_after_the_right_password(self):
        make_person(is_verified=False)

        right = post(TOKENS, email=EMAIL, password=PASSWORD)
        wrong = post(TOKENS, email=EMAIL, password="not-this-one-5")

        assert told(right) == (401, "address_not_verified")
        assert told(wrong) == (401, "invalid_credentials")

    def test_a_second_factor_is_asked_for_only_after_the_right_password(self):
        give_second_factor(make_person())

        assert told(post(TOKENS, email=EMAIL, password=PASSWORD)) == (401, "second_factor_required")
        assert told(post(TOKENS, email=EMAIL, password="not-this-one-5", code=code_now())) == (
            401,
            "invalid_credentials",
        )
        assert not RefreshFamily.objects.exists()

    def test_a_code_signs_in_once(self):
        give_second_factor(make_person())
        code = code_now()

        sign_in(code=code)

        again = post(TOKENS, email=EMAIL, password=PASSWORD, code=code)
        assert told(again) == (401, "invalid_credentials")

    def test_a_recovery_code_signs_in_once(self):
        code = give_second_factor(make_person())[0]

        sign_in(code=code)

        again = post(TOKENS, email=EMAIL, password=PASSWORD, code=code)
        assert told(again) == (401, "invalid_credentials")

    def test_guessing_is_stopped_as_on_the_page(self, settings):
        settings.ACCOUNT_RATE_LIMITS = {"login_failed": "3/5m/key"}
        make_person("guessed@example.com")

        answers = [
            told(post(TOKENS, email="guessed@example.com", password=f"guess-number-{number}"))
            for number in range(4)
        ]

        assert answers == [(401, "invalid_credentials")] * 3 + [(429, "rate_limited")]
        right = post(TOKENS, email="guessed@example.com", password=PASSWORD)
        assert (right.status_code, right["Retry-After"]) == (429, "300")

    def test_no_session_begins(self):
        make_person()
        client = Client()

        post(TOKENS, client, email=EMAIL, password=PASSWORD)

        assert not client.cookies


@pytest.mark.django_db
class TestAccessTokens:
    @pytest.fixture
    def tokens(self):
        make_person()
        return sign_in()

    def test_it_ends_after_five_minutes(self, tokens):
        with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
            response = ask(tokens["access"])

        assert told(response) == (401, "token_expired")
        assert response["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize(
        "change",
        [
            lambda claims: {**claims, "aud": "another-api"},
            lambda claims: {**claims, "iss": "https://evil.example"},
            lambda claims: {**claims, "tep": claims["tep"] + 1},
            lambda claims: {**claims, "sub": "11111111-1111-4111-8111-111111111111"},
            lambda claims: {**claims, "sub": "1"},
            lambda claims: {**claims, "fam": "11111111-1111-4111-8111-111111111111"},
            lambda claims: {**claims, "fam": 7},
            lambda claims: {**claims, "token_type": "refresh"},
            lambda claims: {name: value for name, value in claims.items() if name != "exp"},
            lambda claims: {name: value for name, value in claims.items() if name != "jti"},
            lambda claims: {name: value for name, value in claims.items() if name != "aud"},
            lambda claims: {name: value for name, value in claims.items() if name != "fam"},
            lambda claims: {name: value for name, value in claims.items() if name != "tep"},
        ],
    )
    def test_claims_that_are_not_ours_prove_nothing_even_if_well_signed(self, tokens, change):
        claims = jwt.decode(tokens["access"], options={"verify_signature": False})
        forged = jwt.encode(change(claims), django_settings.JWT_SECRET_KEY, algorithm="HS256")

        assert told(ask(forged)) == (401, "token_invalid")

    def test_a_token_without_a_signature_proves_nothing(self, tokens):
        claims = tokens["access"].split(".")[1]
        header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()

        assert told(ask(f"{header}.{claims}.")) == (401, "token_invalid")

    @pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
    def test_another_key_proves_nothing(self, tokens, algorithm):
        claims = jwt.decode(tokens["access"], options={"verify_signature": False})
        forged = jwt.encode(claims, "another-key-" * 8, algorithm=algorithm)

        assert told(ask(forged)) == (401, "token_invalid")

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
    def test_our_key_with_another_algorithm_proves_nothing(self, tokens, algorithm):
        claims = jwt.decode(tokens["access"], options={"verify_signature": False})
        forged = jwt.encode(claims, django_settings.JWT_SECRET_KEY, algorithm=algorithm)

        assert told(ask(forged)) == (401, "token_invalid")

    def test_a_flipped_character_anywhere_proves_nothing(self, tokens):
        text = tokens["access"]
        for place in range(0, len(text), 17):
            flipped = "A" if text[place] != "A" else "B"
            response = ask(text[:place] + flipped + text[place + 1 :])
            # The last bits of a part may mean nothing; then it is the same token.
            assert response.status_code == 401 or place == len(text) - 1

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Token abc"])
    def test_a_header_that_is_no_token_never_falls_back_to_the_session(self, header):
        client = Client()
        client.force_login(make_person())

        response = client.get(ME, headers={"Authorization": header})

        assert told(response) == (401, "not_authenticated")

    def test_a_bad_token_never_falls_back_to_the_session(self):
        client = Client()
        client.force_login(make_person())

        response = client.get(ME, headers={"Authorization": "Bearer made.up.token"})

        assert told(response) == (401, "token_invalid")

    def test_a_refresh_token_is_no_access_token(self, tokens):
        assert told(ask(tokens["refresh"])) == (401, "token_invalid")

    def test_a_closed_account_is_kept_out_at_once(self, tokens):
        person = RefreshFamily.objects.get().owner
        people.deactivate_person(person_id=person.pk, by=Actor.system("test"), now=timezone.now())

        assert told(ask(tokens["access"])) == (401, "token_invalid")
        assert told(post(REFRESH, refresh=tokens["refresh"])) == (401, "token_invalid")

    def test_ending_all_sessions_ends_it(self, tokens):
        person = RefreshFamily.objects.get().owner
        people.end_all_sessions(person_id=person.pk, by=Actor.person(person.pk), now=timezone.now())

        assert told(ask(tokens["access"])) == (401, "token_invalid")


@pytest.mark.django_db
class TestRefreshTokens:
    @pytest.fixture
    def tokens(self):
        make_person()
        return sign_in()

    def test_it_gives_the_next_pair(self, tokens):
        following = post(REFRESH, refresh=tokens["refresh"]).json()

        assert following["refresh"] != tokens["refresh"]
        assert following["refresh_expires_at"] == tokens["refresh_expires_at"]
        assert ask(following["access"]).status_code == 200

    def test_used_twice_within_a_moment_it_is_a_double_click(self, tokens):
        following = post(REFRESH, refresh=tokens["refresh"]).json()

        again = post(REFRESH, refresh=tokens["refresh"])

        assert told(again) == (409, "token_just_replaced")
        assert post(REFRESH, refresh=following["refresh"]).status_code == 200

    def test_used_again_later_it_is_theft_and_ends_everything(self, tokens):
        following = post(REFRESH, refresh=tokens["refresh"]).json()

        with time_machine.travel(timezone.now() + timedelta(seconds=6), tick=False):
            stolen = post(REFRESH, refresh=tokens["refresh"])
            honest = post(REFRESH, refresh=following["refresh"])
            access = ask(following["access"])

        assert told(stolen) == told(honest) == told(access) == (401, "token_invalid")
        family = RefreshFamily.objects.get()
        assert family.revoked_reason == "refresh token reused"
        assert AuditEntry.objects.filter(verb="api.signed-out").count() == 1
        assert Notification.objects.get().kind == NotificationKind.SECURITY
        assert Mail.objects.get().kind == MailKind.PROGRAM_SIGNED_OUT

    def test_an_older_one_is_theft_at_once(self, tokens):
        second = post(REFRESH, refresh=tokens["refresh"]).json()
        post(REFRESH, refresh=second["refresh"])

        assert told(post(REFRESH, refresh=tokens["refresh"])) == (401, "token_invalid")
        assert RefreshFamily.objects.get().revoked_at is not None

    def test_it_ends_after_two_weeks(self, tokens):
        with time_machine.travel(timezone.now() + timedelta(days=15), tick=False):
            assert told(post(REFRESH, refresh=tokens["refresh"])) == (401, "token_expired")

    def test_what_is_long_over_is_forgotten(self, tokens):
        now = timezone.now()

        assert refresh_families.forget_ended(now=now + timedelta(days=27)) == 0
        assert refresh_families.forget_ended(now=now + timedelta(days=29)) == 1
        assert not RefreshFamily.objects.exists()

    @pytest.mark.parametrize("text", ["x", "a.b.c", "pk_live_00000000_" + "a" * 43])
    def test_what_is_no_token_is_refused(self, db, text):
        assert told(post(REFRESH, refresh=text)) == (401, "token_invalid")

    def test_an_access_token_is_no_refresh_token(self, tokens):
        assert told(post(REFRESH, refresh=tokens["access"])) == (401, "token_invalid")

    def test_signing_out_ends_the_access_token_too(self, tokens):
        assert post(REVOKE, refresh=tokens["refresh"]).status_code == 204
        assert post(REVOKE, refresh=tokens["refresh"]).status_code == 204

        assert told(ask(tokens["access"])) == (401, "token_invalid")
        assert told(post(REFRESH, refresh=tokens["refresh"])) == (401, "token_invalid")


@pytest.mark.django_db(transaction=True)
def test_of_eight_uses_at_the_same_moment_one_wins():
    make_person()
    refresh = sign_in()["refresh"]
    barrier = threading.Barrier(8)
    answers: list[tuple[int, str]] = []

    def use() -> None:
        barrier.wait()
        try:
            response = post(REFRESH, refresh=refresh)
            answers.append((response.status_code, response.json().get("code", "")))
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [(200, "")] + [(409, "token_just_replaced")] * 7
    assert RefreshFamily.objects.get().revoked_at is None


@pytest.mark.django_db
class TestListOfPrograms:
    def test_a_person_sees_and_ends_their_programs(self):
        person = make_person()
        mine, other = sign_in(), sign_in()
        bearer = {"Authorization": f"Bearer {mine['access']}"}

        listed = Client().get("/api/v1/auth/sessions", headers=bearer).json()["results"]
        current = {each["is_current"]: each["id"] for each in listed}
        ended = Client().delete(f"/api/v1/auth/sessions/{current[False]}", headers=bearer)

        assert (len(listed), ended.status_code) == (2, 204)
        assert told(ask(other["access"])) == (401, "token_invalid")
        assert ask(mine["access"]).status_code == 200
        assert RefreshFamily.objects.filter(owner=person, revoked_at=None).count() == 1

    def test_everything_can_be_signed_out_but_personal_tokens(self):
        person = make_person()
        tokens = sign_in()
        _, robot = personal_tokens.create_token(
            owner=person,
            name="Robot",
            scopes=["read:account"],
            expires_in_days=1,
            by=Actor.person(person.pk),
            now=datetime.now(UTC),
        )

        response = Client().delete(
            "/api/v1/auth/sessions", headers={"Authorization": f"Bearer {tokens['access']}"}
        )

        assert response.status_code == 204
        assert told(ask(tokens["access"])) == (401, "token_invalid")
        assert ask(robot).status_code == 200
