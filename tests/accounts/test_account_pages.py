"""A person's own pages: profile, security, tokens, and the end of the account."""

from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import PersonalToken, User
from accounts.selectors import tokens
from foundation.models import AuditEntry, OutboxEvent
from tests.accounts.visits import confirm_it_is_me, is_signed_in, sign_in, signed_in
from tests.factories.accounts import give_second_factor, make_operator, make_person

pytestmark = pytest.mark.django_db

PROFILE = "/account/"
TOKENS = "/account/tokens/"
DELETE = "/account/delete/"
FORM = {
    "display_name": "Ada",
    "bio": "Numbers.",
    "time_zone": "Europe/Vienna",
    "currency": "EUR",
    "theme": "DARK",
}


class TestProfile:
    def test_it_is_saved_with_an_audit_entry(self):
        person = make_person()

        response = signed_in(person).post(PROFILE, FORM)

        person.refresh_from_db()
        assert response.status_code == 302
        assert {name: getattr(person, name) for name in FORM} == FORM
        entry = AuditEntry.objects.get(verb="person.profile_changed")
        assert sorted(entry.detail["changed"]) == sorted(FORM)

    def test_the_colors_hold_on_this_device_at_once(self):
        browser = signed_in(make_person())

        browser.post(PROFILE, FORM)

        assert browser.cookies["theme"].value == "dark"
        assert 'data-theme="dark"' in browser.get(PROFILE).content.decode()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("time_zone", "Mars/Olympus"),
            ("currency", "DOGE"),
            ("theme", "PINK"),
            ("display_name", "x" * 81),
            ("display_name", "Ada\u202e"),
            ("display_name", "A\u200bda"),
            ("bio", "x" * 501),
        ],
    )
    def test_what_cannot_be_is_refused_beside_its_field_and_the_rest_is_kept(self, field, value):
        person = make_person()

        response = signed_in(person).post(PROFILE, FORM | {field: value})

        assert response.status_code == 422
        assert field in response.context["form"].errors
        assert "Numbers." in response.content.decode() or field == "bio"
        person.refresh_from_db()
        assert person.time_zone == "UTC"

    def test_the_switch_in_the_menu_keeps_the_profile_in_step(self):
        person = make_person(display_name="Ada")

        response = signed_in(person).post("/account/theme/", {"theme": "light"})

        person.refresh_from_db()
        assert response.status_code == 204
        assert (person.theme, person.display_name) == ("LIGHT", "Ada")

    def test_no_color_of_ours_is_refused(self):
        assert signed_in(make_person()).post("/account/theme/", {"theme": "x"}).status_code == 400


class TestTimes:
    def test_pages_show_them_in_the_persons_zone_with_its_name(self):
        person = make_person(time_zone="Asia/Tokyo")
        browser = signed_in(person)
        now = timezone.now().astimezone(ZoneInfo("Asia/Tokyo"))

        page = browser.get("/account/sessions/").content.decode()

        assert now.strftime("%-d %b %Y, %H:") in page
        assert "JST" in page

    def test_a_zone_that_is_no_more_falls_back(self):
        person = make_person(time_zone="Gone/Away")

        assert "UTC" in signed_in(person).get("/account/sessions/").content.decode()


class TestSecurity:
    def test_it_says_how_the_account_is_guarded(self, client):
        person = make_person()
        client.force_login(person)
        assert "asks for" not in client.get("/account/security/").content.decode()

        give_second_factor(person)

        page = client.get("/account/security/").context["page"]
        assert page.second_factor_since is not None
        assert page.codes_left == 10


class TestTokens:
    FORM = {"name": "desk", "scopes": ["read:market", "trade:paper"], "expires_in_days": "30"}

    def make(self, browser: Client, **fields):
        """Send the form as its page holds it."""
        mark = browser.get(TOKENS).context["mark"]
        return browser.post(f"{TOKENS}new/", self.FORM | {"form": mark} | fields)

    def test_making_one_needs_the_password(self):
        response = self.make(signed_in(make_person()))

        assert response.url.startswith("/accounts/reauthenticate/")
        assert not PersonalToken.objects.exists()

    def test_after_the_password_the_form_goes_on_by_itself(self):
        browser = signed_in(make_person())
        asked = self.make(browser)

        response = browser.post(
            "/accounts/reauthenticate/",
            {"password": "quiet-harbor-71", "next": f"{TOKENS}new/"},
        )

        assert asked.url == "/accounts/reauthenticate/?next=%2Faccount%2Ftokens%2Fnew%2F"
        assert response.status_code == 200
        assert PersonalToken.objects.count() == 1

    def test_its_text_is_shown_once_and_works(self):
        browser = signed_in(make_person())
        confirm_it_is_me(browser)

        page = self.make(browser)

        text = page.context["text"]
        assert text in page.content.decode()
        assert tokens.find_token(text, now=timezone.now()) == PersonalToken.objects.get()
        assert text not in browser.get(TOKENS).content.decode()
        assert "no-store" in page["Cache-Control"]

    def test_the_same_form_again_makes_no_second_one(self):
        browser = signed_in(make_person())
        confirm_it_is_me(browser)
        mark = browser.get(TOKENS).context["mark"]
        form = self.FORM | {"form": mark}
        browser.post(f"{TOKENS}new/", form)

        again = browser.post(f"{TOKENS}new/", form, follow=True)

        assert PersonalToken.objects.count() == 1
        assert "made already" in again.content.decode()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", "x" * 81),
            ("scopes", []),
            ("scopes", ["write:people"]),
            ("expires_in_days", "0"),
            ("expires_in_days", "366"),
            ("expires_in_days", "1,5"),
        ],
    )
    def test_what_cannot_be_is_refused_beside_its_field(self, field, value):
        browser = signed_in(make_person())
        confirm_it_is_me(browser)

        response = self.make(browser, **{field: value})

        assert response.status_code == 422
        assert field in response.context["form"].errors
        assert not PersonalToken.objects.exists()

    def test_a_revoked_one_stays_on_the_list(self):
        browser = signed_in(make_person())
        confirm_it_is_me(browser)
        self.make(browser)
        token = PersonalToken.objects.get()

        browser.post(f"{TOKENS}{token.public_id}/revoke/")

        token.refresh_from_db()
        assert token.revoked_at is not None
        assert "Revoked" in browser.get(TOKENS).content.decode()


class TestDeletion:
    def test_it_needs_the_password_and_the_words(self):
        person = make_person()
        browser = signed_in(person)

        assert browser.post(DELETE, {"confirmation": "delete my account"})["Location"].startswith(
            "/accounts/reauthenticate/"
        )
        confirm_it_is_me(browser)
        assert browser.post(DELETE, {"confirmation": "yes"}).status_code == 422
        assert User.objects.get().is_active

    def test_it_signs_out_and_asks_the_apps_above(self):
        person = make_person()
        browser = signed_in(person)
        confirm_it_is_me(browser)

        browser.post(DELETE, {"confirmation": " Delete  my account"})

        assert not is_signed_in(browser)
        sign_in(browser)
        assert not is_signed_in(browser)
        assert OutboxEvent.objects.filter(name="accounts.person-erasure-requested").count() == 1

    def test_the_last_operator_is_told_why_not(self):
        browser = signed_in(make_operator())
        confirm_it_is_me(browser)

        response = browser.post(DELETE, {"confirmation": "delete my account"})

        assert "last operator" in response.content.decode()
        assert is_signed_in(browser)
