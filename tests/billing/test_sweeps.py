"""Ends that are carried out once, and reminders before them."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Mail, Notification, User
from billing.models import Subscription, SubscriptionStatus
from billing.schedule import BEAT_SCHEDULE
from billing.services import subscriptions
from billing.tasks import expire_subscriptions, remind_of_ends
from config.celery import app
from foundation.audit import Actor
from foundation.models import OutboxEvent
from tests.factories import billing as factory
from tests.factories.accounts import make_person
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
END = datetime(2026, 2, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def person(db: None) -> User:
    """Somebody beside a filled catalogue."""
    make_catalogue()
    return make_person()


@pytest.fixture
def subscription(person: User) -> Subscription:
    """A subscription that ends at END."""
    return factory.give(person, now=NOW)


def ended_events() -> int:
    return OutboxEvent.objects.filter(name="billing.subscription-ended").count()


def told(kind: str) -> list[str]:
    """Return the titles of the notifications of a kind; there is a mail for each."""
    rows = Notification.objects.filter(kind=kind).order_by("pk")
    assert Mail.objects.filter(kind=kind.lower()).count() == len(rows)
    return [row.title for row in rows]


class TestExpire:
    def test_an_end_is_carried_out_once(self, subscription):
        assert subscriptions.expire_due(now=END - SECOND) == 0
        assert subscriptions.expire_due(now=END) == 1
        assert subscriptions.expire_due(now=END + DAY) == 0

        subscription.refresh_from_db()
        assert (subscription.status, subscription.ended_at) == (SubscriptionStatus.EXPIRED, END)
        event = OutboxEvent.objects.get(name="billing.subscription-ended")
        assert event.owner_id == subscription.owner_id
        assert event.payload == {
            "subscription_id": subscription.pk,
            "product_code": "strategy:ema-crossover",
        }

    def test_the_person_is_told_on_the_site_and_by_mail(self, person, subscription):
        subscriptions.expire_due(now=END)

        assert told("SUBSCRIPTION_ENDED") == ["Your subscription to “EMA crossover” has ended"]
        notification = Notification.objects.get()
        assert (notification.owner, notification.path) == (person, "/billing/usage/")
        assert Mail.objects.get().facts["subscription"] == "EMA crossover"

    def test_a_canceled_one_ends_as_canceled(self, person, subscription):
        subscriptions.cancel(
            owner=person, public_id=subscription.public_id, by=Actor.person(person.pk), now=NOW
        )

        assert subscriptions.expire_due(now=END) == 1

        subscription.refresh_from_db()
        assert (subscription.status, subscription.ended_at) == (SubscriptionStatus.CANCELED, END)
        assert ended_events() == 1

    def test_one_that_was_extended_goes_on(self, person, subscription):
        factory.give(person, now=END - SECOND)

        assert subscriptions.expire_due(now=END) == 0
        assert ended_events() == 0

    def test_one_that_is_granted_again_ends_again(self, person, subscription):
        subscriptions.expire_due(now=END)
        factory.give(person, now=END + DAY)

        assert subscriptions.expire_due(now=END + 60 * DAY) == 1
        assert ended_events() == 2
        assert len(told("SUBSCRIPTION_ENDED")) == 2

    def test_what_has_no_end_or_was_taken_away_is_left_alone(self, person, subscription):
        subscriptions.deactivate(subscription_id=subscription.pk, by=factory.STAFF, now=NOW)
        factory.subscribe(make_person("grace@example.com"), now=NOW)

        assert subscriptions.expire_due(now=END + 400 * DAY) == 0

    def test_many_are_ended_batch_by_batch(self, person, subscription, monkeypatch):
        monkeypatch.setattr(subscriptions, "_SWEPT_AT_ONCE", 2)
        for number in range(4):
            factory.give(make_person(f"person-{number}@example.com"), now=NOW)

        counts = [subscriptions.expire_due(now=END) for _ in range(4)]

        assert counts == [2, 2, 1, 0]


class TestRemind:
    def test_a_week_and_a_day_before_once_each(self, subscription):
        moments = [END - 8 * DAY, END - 7 * DAY, END - 6 * DAY, END - DAY, END - SECOND, END]

        counts = [subscriptions.remind_due(now=moment) for moment in moments]

        assert counts == [0, 1, 0, 1, 0, 0]
        assert told("SUBSCRIPTION_EXPIRING") == [
            "“EMA crossover” ends within 7 days",
            "“EMA crossover” ends within a day",
        ]
        assert Mail.objects.get(key__endswith=":1").facts["ends"] == "28 Feb 2026, 12:00 UTC"

    def test_after_a_long_silence_only_the_nearest_is_told(self, subscription):
        assert subscriptions.remind_due(now=END - SECOND) == 1
        assert told("SUBSCRIPTION_EXPIRING") == ["“EMA crossover” ends within a day"]

    def test_a_later_end_is_reminded_of_anew(self, person, subscription):
        subscriptions.remind_due(now=END - DAY)
        end = factory.end_of(factory.give(person, now=END - DAY))

        assert subscriptions.remind_due(now=END) == 0
        assert subscriptions.remind_due(now=end - 7 * DAY) == 1
        assert subscriptions.remind_due(now=end - DAY) == 1

    def test_who_has_canceled_knows(self, person, subscription):
        subscriptions.cancel(
            owner=person, public_id=subscription.public_id, by=Actor.person(person.pk), now=NOW
        )

        assert subscriptions.remind_due(now=END - DAY) == 0

    def test_what_has_no_end_is_never_near_it(self, person):
        factory.subscribe(person, now=NOW)

        assert subscriptions.remind_due(now=NOW + 1_000 * DAY) == 0

    def test_of_a_plan_it_says_what_follows(self, person):
        factory.with_plan(make_person("grace@example.com"))
        factory.give(person, "plan:pro", now=NOW)

        subscriptions.remind_due(now=END - DAY)

        assert "the limits of your next plan hold" in Notification.objects.get().body


class TestTasks:
    def test_beat_sends_tasks_that_exist(self):
        for entry in BEAT_SCHEDULE.values():
            assert entry["task"] in app.tasks

    def test_each_task_sweeps(self, person):
        factory.give(person, now=factory.LONG_AGO)

        remind_of_ends()
        expire_subscriptions()

        assert Subscription.objects.get().status == SubscriptionStatus.EXPIRED
