"""People as programs: signing up, links of mails, passwords, the profile, notifications, the end."""

import json

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.test import Client

from accounts.models import Mail, MailKind, Notification, User
from foundation.models import OutboxEvent
from tests.factories.accounts import PASSWORD, code_now, give_second_factor, make_person
from tests.factories.notifications import make_notification

pytestmark = pytest.mark.django_db

API = "/api/v1"
EMAIL = "ada@example.com"
NEW_PASSWORD = "another-harbor-72"


def send(method: str, path: str, client: Client | None = None, **body: object):
    return getattr(client or Client(), method)(
        f"{API}{path}", json.dumps(body), content_type="application/json"
    )


def told(response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.fixture
def person() -> User:
    return make_person()


@pytest.fixture
def api(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


class TestSigningUp:
    def test_a_stranger_becomes_a_person_by_the_link_of_the_mail(self):
        send("post", "/auth/register", email=EMAIL, password=PASSWORD)
        before = send("post", "/auth/tokens", email=EMAIL, password=PASSWORD)
        key = EmailConfirmationHMAC(EmailAddress.objects.get(email=EMAIL)).key

        confirmed = send("post", "/auth/verify-email", key=key)

        assert told(before) == (401, "address_not_verified")
        assert confirmed.status_code == 204
        assert send("post", "/auth/tokens", email=EMAIL, password=PASSWORD).status_code == 200
        assert Mail.objects.get().kind == MailKind.VERIFY_ADDRESS

    def test_a_known_address_gets_the_same_answer(self, person):
        known = send("post", "/auth/register", email="ADA@example.com", password=NEW_PASSWORD)
        fresh = send("post", "/auth/register", email="bea@example.com", password=NEW_PASSWORD)

        assert (known.status_code, known.json()) == (fresh.status_code, fresh.json())
        assert User.objects.get(email=EMAIL).check_password(PASSWORD)
        assert set(Mail.objects.values_list("recipient", "kind")) == {
            (EMAIL, MailKind.ALREADY_REGISTERED),
            ("bea@example.com", MailKind.VERIFY_ADDRESS),
        }

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"email": "ada"}, "email"),
            ({"email": "x" * 250 + "@example.com"}, "email"),
            ({"email": None}, "email"),
            ({"password": "short-1"}, "password"),
            ({"password": "password123456"}, "password"),
            ({"password": "x" * 257}, "password"),
            ({"password": 12345678901}, "password"),
            ({"is_staff": True}, "is_staff"),
        ],
    )
    def test_each_wrong_field_is_named(self, change, field):
        wish = {"email": EMAIL, "password": PASSWORD, **change}
        response = send("post", "/auth/register", **wish)

        assert response.status_code == 400
        assert {each["field"] for each in response.json()["errors"]} == {field}
        assert not User.objects.exists()

    @pytest.mark.parametrize("key", ["x", "a:b:c", "1" * 300])
    def test_a_made_up_link_is_refused(self, key):
        assert told(send("post", "/auth/verify-email", key=key)) == (400, "link_invalid")

    def test_the_link_is_mailed_again_only_to_who_waits_for_it(self):
        make_person("waits@example.com", is_verified=False)
        make_person("proven@example.com")

        answers = [
            send("post", "/auth/verify-email/resend", email=email)
            for email in ("waits@example.com", "proven@example.com", "nobody@example.com")
        ]

        assert [each.status_code for each in answers] == [202] * 3
        assert len({each.content for each in answers}) == 1
        assert [mail.recipient for mail in Mail.objects.all()] == ["waits@example.com"]


class TestPasswords:
    def test_a_forgotten_one_is_replaced_by_the_link_of_the_mail(self, person, api):
        asked = send("post", "/auth/password/forgot", email=EMAIL)
        key = f"{user_pk_to_url_str(person)}-{default_token_generator.make_token(person)}"
        answers = [
            send("post", "/auth/password/reset", key=key, password=NEW_PASSWORD) for _ in range(2)
        ]

        assert asked.status_code == 202
        assert Mail.objects.filter(kind=MailKind.RESET_PASSWORD).count() == 1
        assert answers[0].status_code == 204
        assert told(answers[1]) == (400, "link_invalid")
        assert api.get(f"{API}/me").status_code == 401
        assert send("post", "/auth/tokens", email=EMAIL, password=NEW_PASSWORD).status_code == 200

    def test_an_unknown_address_gets_the_same_answer(self, person):
        known = send("post", "/auth/password/forgot", email=EMAIL)
        unknown = send("post", "/auth/password/forgot", email="nobody@example.com")

        assert (known.status_code, known.content) == (unknown.status_code, unknown.content)

    @pytest.mark.parametrize("key", ["x", "1-x", "zzzzzzzzzzzzzzzzzzzz-x", "-"])
    def test_a_made_up_link_is_refused(self, person, key):
        response = send("post", "/auth/password/reset", key=key, password=NEW_PASSWORD)

        assert told(response) == (400, "link_invalid")

    def test_a_page_stays_signed_in_after_a_change_and_nothing_else(self, person, api):
        other = Client()
        other.force_login(person)
        tokens = send("post", "/auth/tokens", email=EMAIL, password=PASSWORD).json()

        changed = send("post", "/auth/password", api, password=PASSWORD, new_password=NEW_PASSWORD)

        assert changed.status_code == 204
        assert api.get(f"{API}/me").status_code == 200
        assert other.get(f"{API}/me").status_code == 401
        bearer = {"Authorization": f"Bearer {tokens['access']}"}
        assert Client().get(f"{API}/me", headers=bearer).status_code == 401

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"password": "not-this-one-5"}, 403, "reauth_required"),
            ({"new_password": "short-1"}, 400, "invalid_input"),
            ({"new_password": PASSWORD}, 400, "invalid_input"),
        ],
    )
    def test_a_change_that_cannot_be(self, api, person, change, status, code):
        wish = {"password": PASSWORD, "new_password": NEW_PASSWORD, **change}
        assert told(send("post", "/auth/password", api, **wish)) == (status, code)

        person.refresh_from_db()
        assert person.check_password(PASSWORD)


class TestMe:
    def test_a_profile_changes_where_it_is_asked_to(self, api):
        changed = send("patch", "/me", api, display_name="Ada", time_zone="Europe/Prague")

        assert changed.status_code == 200
        shown = api.get(f"{API}/me").json()
        assert (shown["display_name"], shown["time_zone"]) == ("Ada", "Europe/Prague")
        assert (shown["currency"], shown["theme"], shown["is_operator"]) == (
            "USDT",
            "SYSTEM",
            False,
        )

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"time_zone": "Mars/Olympus"}, "time_zone"),
            ({"theme": "PINK"}, "theme"),
            ({"currency": "XXX"}, "currency"),
            ({"display_name": "x" * 81}, "display_name"),
            ({"display_name": "a\x00b"}, "display_name"),
            ({"bio": "x" * 501}, "bio"),
            ({"is_staff": True}, "is_staff"),
            ({"email": "eve@example.com"}, "email"),
        ],
    )
    def test_each_wrong_field_is_named(self, api, change, field):
        response = send("patch", "/me", api, **change)

        assert response.status_code == 400
        assert [each["field"] for each in response.json()["errors"]] == [field]

    def test_a_new_address_is_proven_by_the_person_signed_in(self, api, person):
        asked = send("post", "/me/email", api, email="new@example.com", password=PASSWORD)
        key = EmailConfirmationHMAC(EmailAddress.objects.get(email="new@example.com")).key
        by_stranger = send("post", "/auth/verify-email", key=key)
        by_person = send("post", "/auth/verify-email", api, key=key)

        assert (asked.status_code, by_stranger.status_code) == (202, 403)
        assert by_person.status_code == 204
        person.refresh_from_db()
        assert person.email == "new@example.com"

    def test_an_address_of_somebody_else_gets_the_same_answer(self, api):
        make_person("bea@example.com")

        taken = send("post", "/me/email", api, email="bea@example.com", password=PASSWORD)
        free = send("post", "/me/email", api, email="free@example.com", password=PASSWORD)

        assert (taken.status_code, taken.content) == (free.status_code, free.content)

    def test_the_second_factor_is_told_without_its_secrets(self, api, person):
        before = api.get(f"{API}/me/second-factor").json()
        give_second_factor(person)
        after = api.get(f"{API}/me/second-factor").json()

        assert (before["is_enabled"], before["recovery_codes_left"]) == (False, 0)
        assert (after["is_enabled"], after["recovery_codes_left"]) == (True, 10)
        assert set(after) == {"is_enabled", "enabled_at", "last_used_at", "recovery_codes_left"}

    @pytest.mark.parametrize("path", ["/me/deactivation", "/me/deletion"])
    def test_an_account_ends_only_with_all_proofs(self, api, person, path):
        give_second_factor(person)

        assert told(send("post", path, api)) == (403, "reauth_required")
        assert told(send("post", path, api, password=PASSWORD)) == (403, "reauth_required")
        person.refresh_from_db()
        assert person.is_active

    def test_deactivation_shuts_out_and_says_so(self, api, person):
        give_second_factor(person)

        response = send("post", "/me/deactivation", api, password=PASSWORD, code=code_now())

        assert response.status_code == 204
        assert api.get(f"{API}/me").status_code == 401
        assert OutboxEvent.objects.filter(name="accounts.person-deactivated").count() == 1

    def test_deletion_begins(self, api, person):
        response = send("post", "/me/deletion", api, password=PASSWORD)

        assert response.status_code == 202
        assert OutboxEvent.objects.filter(name="accounts.person-erasure-requested").count() == 1


class TestNotifications:
    def test_they_are_listed_and_read(self, api, person):
        told_first, told_second = (make_notification(person, key=key) for key in ("one", "two"))
        make_notification(make_person("bea@example.com"), key="three")

        listed = api.get(f"{API}/notifications").json()["results"]
        read = send("post", f"/notifications/{told_first.public_id}/read", api).json()

        assert [each["id"] for each in listed] == [
            str(told_second.public_id),
            str(told_first.public_id),
        ]
        assert read["read_at"] is not None
        unread = api.get(f"{API}/notifications?unread=true").json()["results"]
        assert [each["id"] for each in unread] == [str(told_second.public_id)]

    def test_everything_shown_is_read_at_once(self, api, person):
        make_notification(person, key="one")
        newest = make_notification(person, key="two")
        make_notification(person, key="three")

        response = send("post", "/notifications/read", api, newest=str(newest.public_id))

        assert response.json() == {"marked": 2}
        assert Notification.objects.filter(read_at=None).count() == 1
