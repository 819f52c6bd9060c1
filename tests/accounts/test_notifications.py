"""Telling people something: once for a cause, to them alone, and found again behind the bell."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import Mail, MailKind, Notification, NotificationKind, NotificationLevel, User
from accounts.selectors import notifications as selectors
from accounts.services import notifications
from tests.factories.accounts import make_person
from tests.factories.notifications import make_notification

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LIST = "/notifications/"
BELL = "/notifications/bell/"


@pytest.fixture
def ada() -> User:
    return make_person()


@pytest.fixture
def page(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


def tell(owner: User, *, key: str = "a-cause", **wishes) -> None:
    """Tell *owner* of a key that was refused."""
    with transaction.atomic():
        notifications.notify(
            **{
                "owner_id": owner.pk,
                "kind": NotificationKind.KEY_INVALID,
                "key": key,
                "title": "The key of “Main” was refused",
                **wishes,
            }
        )


class TestTelling:
    def test_the_same_cause_is_told_and_mailed_once(self, ada):
        tell(ada, mail=MailKind.KEY_INVALID)
        tell(ada, mail=MailKind.KEY_INVALID, title="Again")

        assert Notification.objects.get().title == "The key of “Main” was refused"
        assert Mail.objects.count() == 1

    def test_two_people_are_told_of_the_same_cause(self, ada):
        tell(ada)
        tell(make_person("grace@example.com"))

        assert Notification.objects.count() == 2

    def test_without_a_kind_of_mail_nothing_is_mailed(self, ada):
        tell(ada)

        assert not Mail.objects.exists()

    def test_the_mail_goes_to_the_person_with_what_was_told(self, ada):
        tell(ada, mail=MailKind.KEY_INVALID, path="/exchange-accounts/", facts={"exchange": "X"})

        mail = Mail.objects.get()
        assert (mail.recipient, mail.owner, mail.kind) == (ada.email, ada, MailKind.KEY_INVALID)
        assert mail.facts == {
            "exchange": "X",
            "title": "The key of “Main” was refused",
            "body": "",
            "path": "/exchange-accounts/",
        }

    def test_it_belongs_to_the_transaction_of_its_cause(self, ada):
        with pytest.raises(RuntimeError, match="inside a transaction"):
            notifications.notify(
                owner_id=ada.pk, kind=NotificationKind.SECURITY, key="k", title="Alone"
            )

        with pytest.raises(ZeroDivisionError), transaction.atomic():
            tell(ada, mail=MailKind.KEY_INVALID)
            raise ZeroDivisionError
        assert not Notification.objects.exists()
        assert not Mail.objects.exists()

    def test_long_words_are_cut_and_lines_become_one(self, ada):
        tell(ada, title="One\r\nBcc: two " + "x" * 200, body="y" * 600)

        told = Notification.objects.get()
        assert told.title.startswith("One Bcc: two xxx")
        assert (len(told.title), told.title[-1]) == (120, "…")
        assert len(told.body) == 500

    @pytest.mark.parametrize(
        "path", ["https://evil.example/", "//evil.example/", "javascript:x", "/\\evil.example"]
    )
    def test_it_never_leads_away_from_the_site(self, ada, path):
        with pytest.raises(ValueError, match="path of this site"):
            tell(ada, path=path)


class TestTheBell:
    def test_it_counts_what_is_unread(self, page, ada):
        make_notification(ada, "one")
        make_notification(ada, "two")
        make_notification(ada, "three", read_at=NOW)

        text = page.get("/dashboard/").content.decode()

        assert 'aria-label="Notifications, 2 unread"' in text

    def test_it_answers_nothing_while_nothing_changes(self, page, ada):
        make_notification(ada)

        assert page.get(BELL, {"unread": "1"}).status_code == 204
        changed = page.get(BELL, {"unread": "0"})
        assert changed.status_code == 200
        assert "<html" not in changed.content.decode()

    def test_many_are_just_many(self, page, ada):
        Notification.objects.bulk_create(
            Notification(owner=ada, key=f"{n}", kind="SECURITY", level="INFO", title="New")
            for n in range(120)
        )

        assert "99+" in page.get(BELL).content.decode()

    def test_strangers_have_none(self, client):
        assert 'id="bell"' not in client.get("/accounts/login/").content.decode()


class TestTheList:
    def test_it_says_when_there_is_nothing(self, page):
        assert "Nothing yet" in page.get(LIST).content.decode()

    def test_it_shows_what_is_ones_own_alone(self, page, ada):
        make_notification(ada, title="For Ada")
        make_notification(make_person("grace@example.com"), title="For Grace")

        text = page.get(LIST).content.decode()

        assert "For Ada" in text
        assert "For Grace" not in text

    def test_it_goes_on_where_the_page_before_ended(self, page, ada):
        for number in range(70):
            make_notification(ada, f"{number}", title=f"Title {number:02}.")

        titles: list[str] = []
        address = LIST
        while address:
            response = page.get(address)
            titles += [row.title for row in response.context["rows"]]
            older = response.context["older"]
            address = f"{LIST}?before={older}" if older else ""

        assert titles == [f"Title {number:02}." for number in reversed(range(70))]

    @pytest.mark.parametrize("rows", [1, 30])
    def test_its_queries_do_not_grow(self, page, ada, rows, django_assert_max_num_queries):
        for number in range(rows):
            make_notification(ada, f"{number}")

        with django_assert_max_num_queries(6):
            page.get(LIST)

    @pytest.mark.parametrize("before", ["nonsense", "00000000-0000-4000-8000-000000000000"])
    def test_a_cursor_that_is_none_finds_nothing(self, page, before):
        assert page.get(LIST, {"before": before}).status_code == 404

    def test_the_cursor_of_somebody_else_finds_nothing(self, page):
        other = make_notification(make_person("grace@example.com"))

        assert page.get(LIST, {"before": str(other.public_id)}).status_code == 404

    def test_what_was_told_is_text_and_never_markup(self, page, ada):
        make_notification(ada, title="<script>alert(1)</script>", body="<b>x</b>")

        text = page.get(LIST).content.decode()

        assert "<script>alert" not in text
        assert "<b>x</b>" not in text


class TestReading:
    def test_following_it_reads_it_and_leads_there(self, page, ada):
        told = make_notification(ada)

        response = page.post(reverse("notifications:follow", args=[told.public_id]))

        told.refresh_from_db()
        assert response.url == "/exchange-accounts/"
        assert told.read_at is not None

    def test_what_leads_nowhere_leads_back_to_the_list(self, page, ada):
        told = make_notification(ada, path="")

        assert page.post(reverse("notifications:follow", args=[told.public_id])).url == LIST

    def test_it_is_read_at_the_first_time(self, ada):
        told = make_notification(ada)

        notifications.mark_read(owner=ada, public_id=told.public_id, now=NOW)
        again = notifications.mark_read(owner=ada, public_id=told.public_id, now=NOW + DAY)

        assert again.read_at == NOW

    def test_all_that_was_shown_becomes_read_and_what_came_since_stays(self, page, ada):
        make_notification(ada, "old")
        shown = make_notification(ada, "shown")
        since = make_notification(ada, "since")
        others = make_notification(make_person("grace@example.com"))

        page.post(reverse("notifications:mark-all-read"), {"newest": str(shown.public_id)})

        unread = Notification.objects.filter(read_at=None)
        assert set(unread) == {since, others}

    @pytest.mark.parametrize("newest", ["", "nonsense", "00000000-0000-4000-8000-000000000000"])
    def test_all_up_to_nothing_is_nothing(self, page, newest):
        address = reverse("notifications:mark-all-read")

        assert page.post(address, {"newest": newest}).status_code == 404

    def test_somebody_elses_is_not_found(self, page):
        other = make_notification(make_person("grace@example.com"))

        for name in ("follow", "mark-read"):
            address = reverse(f"notifications:{name}", args=[other.public_id])
            assert page.post(address).status_code == 404
        other.refresh_from_db()
        assert other.read_at is None


class TestForgetting:
    @pytest.mark.parametrize(
        ("created_days_ago", "read_days_ago", "stays"),
        [(100, 89, True), (100, 91, False), (364, None, True), (366, None, False)],
    )
    def test_old_ones_go(self, ada, created_days_ago, read_days_ago, stays):
        told = make_notification(ada)
        Notification.objects.filter(pk=told.pk).update(
            created_at=NOW - created_days_ago * DAY,
            read_at=None if read_days_ago is None else NOW - read_days_ago * DAY,
        )

        notifications.prune_notifications(now=NOW)

        assert Notification.objects.exists() == stays


def test_every_level_has_an_appearance(page, ada):
    for level in NotificationLevel:
        make_notification(ada, level, level=level)

    assert page.get(LIST).status_code == 200
    assert selectors.unread_count(ada) == len(NotificationLevel)
