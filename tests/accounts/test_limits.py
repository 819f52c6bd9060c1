"""Tries are counted: signing in, signing up and asking for links; without the counters nothing opens."""

import time

import pytest
from django.core.cache import cache
from django.test import Client

from tests.accounts.visits import RESET, is_signed_in, mails_to, sign_in, sign_up
from tests.factories.accounts import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("limits")]


class TestSigningIn:
    def test_the_sixth_try_within_a_minute_from_one_address_is_refused_with_a_page(self):
        answers = [sign_in(Client(), f"p{n}@example.com") for n in range(6)]

        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert 50 <= int(answers[5]["Retry-After"]) <= 60
        assert "Too many tries" in answers[5].content.decode()

    def test_an_account_is_guarded_against_tries_from_everywhere(self):
        make_person()
        for n in range(5):
            sign_in(Client(REMOTE_ADDR=f"203.0.113.{n}"), password="not-this-one-5")
        late = Client(REMOTE_ADDR="203.0.113.99")

        response = sign_in(late)

        assert "Too many wrong tries" in response.content.decode()
        assert not is_signed_in(late)

    def test_signing_in_well_uses_up_no_tries_of_the_account(self):
        make_person()
        for n in range(7):
            browser = Client(REMOTE_ADDR=f"203.0.113.{n}")
            sign_in(browser)
            assert is_signed_in(browser)

    @pytest.mark.parametrize("is_known", [True, False])
    def test_the_tries_that_are_left_are_told_after_the_third(self, is_known):
        if is_known:
            make_person()

        pages = [
            sign_in(
                Client(REMOTE_ADDR=f"203.0.113.{n}"), password="not-this-one-5"
            ).content.decode()
            for n in range(5)
        ]

        assert "left" not in pages[1]
        assert "2 tries are left" in pages[2]
        assert "One try is left" in pages[3]
        assert "No try is left" in pages[4]


class TestOtherForms:
    def test_signing_up_is_limited_by_the_hour(self):
        answers = [sign_up(Client(), f"p{n}@example.com") for n in range(6)]

        assert [answer.status_code for answer in answers] == [302] * 5 + [429]
        assert 3_590 <= int(answers[5]["Retry-After"]) <= 3_600
        assert "Try again in 60 minutes" in answers[5].content.decode()

    def test_how_long_to_wait_is_what_is_left_of_the_oldest_try(self, monkeypatch):
        started = time.time()
        for number in range(5):
            monkeypatch.setattr(time, "time", lambda at=started + 600 * number: at)
            assert sign_up(Client(), f"p{number}@example.com").status_code == 302

        answer = sign_up(Client(), "p5@example.com")

        assert (answer.status_code, answer["Retry-After"]) == (429, str(3_600 - 2_400))
        monkeypatch.setattr(time, "time", lambda: started + 3_601)
        assert sign_up(Client(), "p5@example.com").status_code == 302

    def test_asking_for_a_reset_is_limited_whoever_has_the_address(self):
        make_person()

        for email in ("ada@example.com", "nobody@example.com"):
            cache.clear()
            answers = [Client().post(RESET, {"email": email}) for _ in range(6)]
            assert [answer.status_code for answer in answers] == [302] * 5 + [429]
            assert int(answers[5]["Retry-After"]) > 3_500
        assert mails_to("ada@example.com") == ["reset_password"] * 5

    def test_asking_for_a_new_link_is_limited(self):
        form = {"email": "nobody@example.com"}

        answers = [Client().post("/account/verification/", form).status_code for _ in range(6)]

        assert answers == [302] * 5 + [429]


class TestTheAddressOfTheCaller:
    def tries(self, **headers: str) -> int:
        """Return the status of the sixth try, each of which names another address."""
        statuses: list[int] = [
            sign_in(
                Client(headers={"X-Forwarded-For": f"198.51.100.{n}"}), f"p{n}@example.com"
            ).status_code
            for n in range(6)
        ]
        return statuses[5]

    def test_what_a_stranger_writes_into_a_header_counts_for_nothing(self):
        assert self.tries() == 429

    def test_what_our_own_proxy_writes_counts(self, settings):
        settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1

        assert self.tries() == 200

    def test_only_as_much_as_our_proxies_add_is_believed(self, settings):
        settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
        statuses = [
            sign_in(
                Client(headers={"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.5"}),
                f"p{n}@example.com",
            ).status_code
            for n in range(6)
        ]

        assert statuses[5] == 429

    def test_a_missing_header_behind_a_proxy_is_no_bug(self, settings):
        settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2

        assert sign_in(Client(), "p@example.com").status_code == 200


class TestWithoutCounters:
    @pytest.fixture(autouse=True)
    def _redis_is_away(self, settings, limits):
        caches = {name: dict(entry) for name, entry in settings.CACHES.items()}
        caches["default"]["LOCATION"] = "redis://127.0.0.1:9/0"
        settings.CACHES = caches

    @pytest.mark.parametrize(
        ("path", "form"),
        [
            ("/accounts/login/", {"login": "ada@example.com", "password": "quiet-harbor-71"}),
            (RESET, {"email": "ada@example.com"}),
            ("/account/verification/", {"email": "ada@example.com"}),
        ],
    )
    def test_the_way_in_is_closed_with_a_page_that_says_so(self, path, form):
        make_person()
        browser = Client()

        response = browser.post(path, form)

        assert response.status_code == 503
        assert "Retry-After" in response
        assert "closed for a moment" in response.content.decode()

    def test_who_is_signed_in_goes_on(self):
        browser = Client()
        browser.force_login(make_person())

        assert browser.get("/account/").status_code == 200
