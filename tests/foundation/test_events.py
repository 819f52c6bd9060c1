"""Events are written with the change, delivered at least once and confirmed once per subscriber."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from foundation import events
from foundation.models import EventReceipt, OutboxEvent

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAME = events.declare("tests.something-happened")

calls: list[int] = []
failing: list[bool] = []


def listen(event):
    calls.append(event.payload["number"])


def stumble(event):
    if failing:
        raise ValueError("not today")


@pytest.fixture(autouse=True)
def _subscribers():
    calls.clear()
    failing.clear()
    events.subscribe(NAME, listen)
    events.subscribe(NAME, stumble)
    yield
    events._subscribers.pop(NAME)


def published(number=1):
    with transaction.atomic():
        return events.publish(NAME, occurred_at=NOW, number=number)


@pytest.mark.django_db
class TestEvents:
    def test_publishing_needs_a_transaction(self):
        with pytest.raises(RuntimeError):
            events.publish(NAME, occurred_at=NOW)

    def test_an_undeclared_event_is_a_mistake(self):
        with transaction.atomic(), pytest.raises(KeyError):
            events.publish("tests.never-declared", occurred_at=NOW)

    def test_an_event_disappears_with_the_change_it_reports(self):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            events.publish(NAME, occurred_at=NOW)
            raise ZeroDivisionError

        assert not OutboxEvent.objects.exists()

    def test_a_second_delivery_calls_nobody_again(self):
        event = published(number=7)

        events.deliver(event_id=event.pk, now=NOW)
        events.deliver(event_id=event.pk, now=NOW)

        assert calls == [7]
        event.refresh_from_db()
        assert event.delivered_at == NOW

    def test_one_subscribers_failure_keeps_the_event_from_nobody_else(self, caplog):
        event = published(number=3)
        failing.append(True)

        events.deliver(event_id=event.pk, now=NOW)

        event.refresh_from_db()
        assert calls == [3]
        assert event.delivered_at is None
        assert event.attempts == 1
        assert event.not_before > NOW
        assert EventReceipt.objects.count() == 1

        failing.clear()
        events.deliver(event_id=event.pk, now=NOW + timedelta(minutes=1))

        event.refresh_from_db()
        assert calls == [3]
        assert event.delivered_at is not None

    def test_a_lost_message_is_sent_again(self, django_capture_on_commit_callbacks):
        event = published()
        OutboxEvent.objects.filter(pk=event.pk).update(
            recorded_at=NOW - timedelta(hours=1), not_before=NOW
        )

        with django_capture_on_commit_callbacks() as waiting:
            assert events.redeliver_due(now=NOW) == 1
            assert events.redeliver_due(now=NOW) == 0

        assert len(waiting) == 1
