"""The second factor: enrolment, codes that work once, recovery codes, and what the database shows of them."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.test import Client

from accounts.models import Notification, User
from foundation.models import AuditEntry
from tests.accounts.visits import (
    confirm_it_is_me,
    enter_code,
    is_signed_in,
    mails_to,
    sign_in,
    signed_in,
)
from tests.factories.accounts import SEED, code_now, give_second_factor, make_person

pytestmark = pytest.mark.django_db

ACTIVATE = "/accounts/2fa/totp/activate/"
DEACTIVATE = "/accounts/2fa/totp/deactivate/"
CODES = "/accounts/2fa/recovery-codes/"


@pytest.fixture(autouse=True)
def _no_code_was_used():
    """Codes are remembered for half a minute, and the same person comes again in the next test."""
    cache.clear()


@pytest.fixture
def person() -> User:
    """Somebody with a second factor."""
    return make_person()


@pytest.fixture
def codes(person) -> list[str]:
    """The recovery codes of that person."""
    return give_second_factor(person)


def enroll(browser: Client) -> tuple[str, str]:
    """Set up a second factor through the pages; return its seed and the page of recovery codes."""
    confirm_it_is_me(browser)
    page = browser.get(ACTIVATE)
    seed = page.context["form"].secret
    code = format_hotp_value(hotp_value(seed, _step()))
    response = browser.post(ACTIVATE, {"code": code}, follow=True)
    return seed, response.content.decode()


def _step() -> int:
    return int(time.time()) // 30


class TestEnrolment:
    def test_it_needs_the_password(self):
        response = signed_in(make_person()).get(ACTIVATE)

        assert response["Location"].startswith("/accounts/reauthenticate/")

    def test_the_page_shows_a_picture_and_the_key_that_the_policy_allows(self):
        browser = signed_in(make_person())
        confirm_it_is_me(browser)

        response = browser.get(ACTIVATE)

        page = response.content.decode()
        assert 'src="data:image/svg+xml;base64,' in page
        assert response.context["form"].secret in page
        assert "img-src 'self' data:" in response["Content-Security-Policy"]

    def test_a_right_code_switches_it_on_and_shows_ten_recovery_codes(
        self, django_capture_on_commit_callbacks
    ):
        person = make_person()
        browser = signed_in(person)

        with django_capture_on_commit_callbacks(execute=True):
            _, page = enroll(browser)

        assert page.count("<li><code>") == 10
        assert Authenticator.objects.filter(user=person).count() == 2
        assert AuditEntry.objects.filter(verb="person.second_factor_activated").exists()
        assert mails_to(person.email) == ["second_factor_changed"]
        assert Notification.objects.filter(owner=person, kind="SECURITY").exists()

    def test_a_wrong_code_switches_nothing_on(self):
        browser = signed_in(make_person())
        confirm_it_is_me(browser)
        browser.get(ACTIVATE)

        response = browser.post(ACTIVATE, {"code": "000000"})

        assert "Wrong code" in response.content.decode()
        assert not Authenticator.objects.exists()

    def test_the_database_keeps_no_seed_and_no_code_as_text(self):
        seed, page = enroll(signed_in(make_person()))

        stored = "".join(str(row.data) for row in Authenticator.objects.all())
        codes = [piece.split("<")[0] for piece in page.split("<li><code>")[1:]]
        assert len(codes) == 10
        for secret in (seed, seed[:12], *codes):
            assert secret not in stored

    def test_the_codes_can_be_taken_away_as_a_file(self):
        browser = signed_in(make_person())
        enroll(browser)

        response = browser.get(f"{CODES}download/")

        assert "attachment" in response["Content-Disposition"]
        assert len(response.content.split()) == 10


class TestSigningIn:
    def test_the_password_alone_lets_nobody_in(self, client, person, codes):
        response = sign_in(client)

        assert response.url == "/accounts/2fa/authenticate/"
        assert not is_signed_in(client)

    def test_the_code_lets_in(self, client, person, codes):
        sign_in(client)

        enter_code(client)

        assert is_signed_in(client)

    def test_a_code_is_used_once(self, client, person, codes):
        code = code_now()
        sign_in(client)
        enter_code(client, code)
        thief = Client()
        sign_in(thief)

        response = enter_code(thief, code)

        assert "used already" in response.content.decode()
        assert not is_signed_in(thief)

    def test_a_recovery_code_is_used_once(self, client, person, codes):
        code = codes[3]
        sign_in(client)
        enter_code(client, code)
        assert is_signed_in(client)
        thief = Client()
        sign_in(thief)

        enter_code(thief, code)

        assert not is_signed_in(thief)

    def test_the_seed_of_another_ring_opens_nothing(self, client, codes, settings):
        settings.FIELD_ENCRYPTION_KEY = "1:" + "A" * 43 + "="
        quiet = Client(raise_request_exception=False)
        sign_in(quiet)

        response = enter_code(quiet)

        assert response.status_code == 500
        assert SEED not in response.content.decode()
        assert not is_signed_in(quiet)

    def test_guessing_codes_is_limited(self, client, codes, limits):
        sign_in(client)

        pages = [enter_code(client, f"{n:06}").content.decode() for n in range(6)]

        assert "Too many wrong tries" in pages[5]
        assert "Too many wrong tries" in enter_code(client).content.decode()
        assert not is_signed_in(client)


class TestChanges:
    def test_switching_it_off_needs_a_fresh_proof_and_is_told(self, client, person, codes):
        sign_in(client)
        enter_code(client)
        assert client.get(DEACTIVATE).url.startswith("/accounts/reauthenticate/")
        confirm_it_is_me(client)

        client.post(DEACTIVATE)

        assert not Authenticator.objects.exists()
        assert mails_to(person.email) == ["second_factor_changed"]

    def test_new_recovery_codes_replace_the_old_ones(
        self, client, person, codes, django_capture_on_commit_callbacks
    ):
        sign_in(client)
        enter_code(client)
        confirm_it_is_me(client)

        with django_capture_on_commit_callbacks(execute=True):
            client.post(f"{CODES}generate/")

        thief = Client()
        sign_in(thief)
        enter_code(thief, codes[0])
        assert not is_signed_in(thief)
        assert AuditEntry.objects.filter(verb="person.second_factor_codes_renewed").exists()

    def test_a_code_confirms_it_is_me(self, client, person, codes):
        sign_in(client)
        enter_code(client, codes[0])

        response = client.post("/accounts/2fa/reauthenticate/", {"code": codes[1], "next": CODES})

        assert response.url == CODES
        assert client.get(CODES).status_code == 200
