"""Where a person is signed in: the list, signing out, and when a session ends by itself."""

from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.services import people
from accounts.web.middleware import SEEN_KEY
from accounts.web.presenters import device_of
from foundation.audit import Actor
from foundation.models import AuditEntry
from tests.accounts.visits import is_signed_in, sign_in, signed_in
from tests.factories.accounts import make_person

pytestmark = pytest.mark.django_db

LIST = "/account/sessions/"
END = "/account/sessions/end/"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18 Safari/604"
)


def rows_of(browser: Client):
    """Return the rows of the page."""
    return browser.get(LIST).context["rows"]


def leave_alone(browser: Client, *, minutes: int) -> None:
    """Let so many minutes pass without a request."""
    session = browser.session
    session[SEEN_KEY] -= minutes * 60
    session.save()


class TestTheList:
    def test_it_says_which_device_from_where_and_that_it_is_this_one(self):
        person = make_person()
        browser = Client(headers={"User-Agent": PHONE}, REMOTE_ADDR="203.0.113.7")
        sign_in(browser)
        signed_in(person)

        first, second = rows_of(browser)

        assert (first.device, first.address) == ("Safari on iPhone", "203.0.113.7")
        assert (first.is_current, second.is_current) == (True, False)

    def test_nobody_elses_device_is_on_it(self):
        signed_in(make_person("grace@example.com"))

        assert len(rows_of(signed_in(make_person()))) == 1

    def test_it_holds_no_key_of_a_session(self):
        person = make_person()
        other = signed_in(person)
        page = signed_in(person).get(LIST).content.decode()

        assert str(other.session.session_key) not in page

    def test_the_time_a_device_was_last_seen_is_written_now_and_then(self):
        browser = signed_in(make_person())
        before = UserSession.objects.get().last_seen_at
        session = browser.session
        session[SEEN_KEY] -= 600
        session.save()

        browser.get("/dashboard/")

        assert UserSession.objects.get().last_seen_at > before

    def test_a_page_writes_nothing_in_between(self):
        browser = signed_in(make_person())

        with CaptureQueriesContext(connection) as queries:
            browser.get("/account/delete/")

        assert not [q for q in queries if not q["sql"].startswith("SELECT")]


class TestSigningOut:
    def test_one_device(self):
        person = make_person()
        here, there = signed_in(person), signed_in(person)
        reference = next(row.reference for row in rows_of(here) if not row.is_current)

        here.post(END, {"session": reference})

        assert is_signed_in(here)
        assert not is_signed_in(there)
        assert AuditEntry.objects.filter(verb="person.session_ended", owner=person).exists()

    def test_a_device_of_somebody_else_is_not_found(self):
        other = signed_in(make_person("grace@example.com"))
        reference = rows_of(other)[0].reference

        response = signed_in(make_person()).post(END, {"session": reference})

        assert response.status_code == 404
        assert is_signed_in(other)

    def test_all_others(self):
        person = make_person()
        here, there = signed_in(person), signed_in(person)

        here.post("/account/sessions/end-others/")

        assert not is_signed_in(there)
        assert [row.is_current for row in rows_of(here)] == [True]

    def test_a_session_that_no_row_lists_ends_too(self, client):
        person = make_person()
        client.force_login(person)
        assert is_signed_in(client)

        people.end_all_sessions(person_id=person.pk, by=Actor.system("test"), now=timezone.now())

        assert not is_signed_in(client)


class TestTheSessionItself:
    def test_it_gets_a_new_key_at_sign_in(self, client):
        make_person()
        client.get("/accounts/login/")
        session = client.session
        session["before"] = "x"
        session.save()
        before = session.session_key

        sign_in(client)

        assert client.cookies["sessionid"].value != before

    def test_it_ends_twelve_hours_after_sign_in_however_busy_it_is(self):
        browser = signed_in(make_person())
        begun = timezone.now()
        session = browser.session
        session["busy"] = True
        session.save()

        ends = Session.objects.get(session_key=session.session_key).expire_date

        assert abs(ends - begun - timedelta(hours=12)) < timedelta(seconds=30)
        assert session.get_expiry_date() == ends or abs(session.get_expiry_date() - ends) < (
            timedelta(seconds=1)
        )
        stored = session["_session_expiry"]
        assert not isinstance(stored, int)

    @pytest.mark.parametrize(
        ("minutes", "limit_minutes", "stays"),
        [(60, 120, True), (124, 120, True), (126, 120, False), (126, 0, True), (40, 30, False)],
    )
    def test_it_ends_when_nobody_has_used_it_for_long(
        self, settings, minutes, limit_minutes, stays
    ):
        settings.SESSION_IDLE_S = limit_minutes * 60
        browser = signed_in(make_person())
        leave_alone(browser, minutes=minutes)

        answer = browser.get("/dashboard/", follow=True)

        assert is_signed_in(browser) == stays
        assert ("without use" in answer.content.decode()) != stays

    @pytest.mark.parametrize("headers", [{"HX-Request": "true"}, {"Sec-Fetch-Dest": "empty"}])
    def test_a_page_that_asks_for_news_by_itself_does_not_keep_it_alive(self, headers):
        browser = signed_in(make_person())
        leave_alone(browser, minutes=100)
        before = browser.session[SEEN_KEY]

        browser.get("/notifications/", headers=headers)
        assert browser.session[SEEN_KEY] == before
        browser.get("/notifications/")
        assert browser.session[SEEN_KEY] > before

    def test_the_cookies_of_production_belong_to_the_host_alone(self):
        from config.settings import production  # noqa: PLC0415  the settings of another environment

        for name in (production.SESSION_COOKIE_NAME, production.CSRF_COOKIE_NAME):
            assert name.startswith("__Host-")
        assert production.SESSION_COOKIE_SECURE
        assert production.CSRF_COOKIE_SECURE
        assert SimpleCookie("__Host-sessionid=x")["__Host-sessionid"].value == "x"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (PHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140 Safari/537 Edg/140", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0", "Firefox on Linux"),
        ("python-requests/2.32", "python-requests"),
        ("", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
    ],
)
def test_a_device_in_words(user_agent, words):
    assert device_of(user_agent) == words
