"""The outbox: events are rows, written with the change that they report and delivered at least once.

A subscriber is a function that takes the event; it may be called more than once for the same event, so what it does is
idempotent by a unique constraint of its own.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from psycopg.types.json import Jsonb

from foundation.crashpoints import crashpoint
from foundation.models import EventReceipt, OutboxEvent
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional

logger = logging.getLogger(__name__)

_BATCH = 200

#: Events of one message, which one task delivers one after the other.
_IN_ONE_MESSAGE = 100

_INSERT_MANY = """
    INSERT INTO foundation_outboxevent
           (name, queue, occurred_at, delivered_at, attempts, owner_id, payload)
    SELECT %s, %s, %s, %s, 0, told.*
    FROM unnest(%s::bigint[], %s::jsonb[]) AS told(owner_id, payload)
    RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Event:
    """What a subscriber is given: plain values only."""

    id: int
    name: str
    owner_id: int | None
    occurred_at: datetime
    payload: dict[str, Any]


Subscriber = Callable[[Event], None]

#: What an event may tell: it is stored as JSON.
Told = str | int | Sequence[int] | None

_queues: dict[str, str] = {}
_subscribers: dict[str, dict[str, Subscriber]] = {}


def declare(event_name: str, *, queue: str = "default") -> str:
    """Make *event_name* known, with the queue on which it is delivered, and return it."""
    _queues[event_name] = queue
    return event_name


def subscribe(event_name: str, subscriber: Subscriber) -> None:
    """Call *subscriber* for every event of that name; called from ``AppConfig.ready``."""
    name = f"{subscriber.__module__}.{subscriber.__qualname__}"
    _subscribers.setdefault(event_name, {})[name] = subscriber


@part_of_transaction
def publish(
    event_name: str,
    *,
    occurred_at: datetime,
    owner_id: int | None = None,
    **payload: Told,
) -> OutboxEvent:
    """Record an event together with the change that it reports, and deliver it after commit.

    An undeclared name raises KeyError.
    """
    queue = _queues[event_name]
    event = OutboxEvent.objects.create(
        name=event_name, owner_id=owner_id, payload=payload, occurred_at=occurred_at, queue=queue
    )
    crashpoint("outbox.written")
    enqueue_on_commit(f"foundation.deliver_event_on_{queue}", event_id=event.pk)
    return event


@part_of_transaction
def publish_many(
    event_name: str,
    *,
    occurred_at: datetime,
    told: Sequence[tuple[int | None, Mapping[str, Told]]],
) -> None:
    """Record many events of one name, each of an owner with its payload, by one statement.

    They are sent in messages of many. Where nobody subscribes, each is delivered by being written.
    """
    if not told:
        return
    queue = _queues[event_name]
    is_heard = bool(_subscribers.get(event_name))
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT_MANY,
            [
                event_name,
                queue,
                occurred_at,
                None if is_heard else occurred_at,
                [owner_id for owner_id, _ in told],
                [Jsonb(payload) for _, payload in told],
            ],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    for start in range(0, len(ids) if is_heard else 0, _IN_ONE_MESSAGE):
        enqueue_on_commit(
            f"foundation.deliver_events_on_{queue}", event_ids=ids[start : start + _IN_ONE_MESSAGE]
        )


def deliver(*, event_id: int, now: datetime) -> None:
    """Call every subscriber that has not yet confirmed this event, then mark it delivered."""
    row = OutboxEvent.objects.filter(pk=event_id, delivered_at=None).first()
    if row is None:
        return
    event = Event(row.pk, row.name, row.owner_id, row.occurred_at, row.payload)
    confirmed = set(EventReceipt.objects.filter(event=row).values_list("subscriber", flat=True))
    failed = False
    for name, subscriber in _subscribers.get(row.name, {}).items():
        if name in confirmed:
            continue
        try:
            subscriber(event)
        except Exception:
            # The outermost frame of a delivery: one subscriber's bug must not keep the event from the others.
            logger.exception("event.failed", extra={"event_id": row.pk, "subscriber": name})
            failed = True
        else:
            _confirm(event_id=row.pk, subscriber=name)
    crashpoint("outbox.delivered")
    _conclude(event_id=row.pk, failed=failed, now=now)


def deliver_many(*, event_ids: Sequence[int], now: datetime) -> None:
    """Deliver events one after the other, each as ``deliver`` does."""
    for event_id in event_ids:
        deliver(event_id=event_id, now=now)


def redeliver_due(*, now: datetime) -> int:
    """Send again what nobody confirmed in time; return how many events that were."""
    horizon = now - timedelta(seconds=settings.HORIZONS.redeliver_s)
    return _requeue(before=horizon, now=now)


def _confirm(*, event_id: int, subscriber: str) -> None:
    try:
        with transaction.atomic():
            EventReceipt.objects.create(event_id=event_id, subscriber=subscriber)
    except IntegrityError:
        logger.info("event.confirmed_twice", extra={"event_id": event_id, "subscriber": subscriber})


def _conclude(*, event_id: int, failed: bool, now: datetime) -> None:
    event = OutboxEvent.objects.filter(pk=event_id, delivered_at=None)
    if not failed:
        event.update(delivered_at=now)
        return
    row = event.first()
    if row is not None:
        delay_s = min(3_600, 2 ** min(row.attempts, 12))
        event.update(attempts=row.attempts + 1, not_before=now + timedelta(seconds=delay_s))


@transactional
def _requeue(*, before: datetime, now: datetime) -> int:
    due = list(
        OutboxEvent.objects.select_for_update(skip_locked=True)
        .filter(delivered_at=None, recorded_at__lt=before, not_before__lte=now)
        .order_by("pk")[:_BATCH]
    )
    for event in due:
        enqueue_on_commit(f"foundation.deliver_event_on_{event.queue}", event_id=event.pk)
    OutboxEvent.objects.filter(pk__in=[event.pk for event in due]).update(
        not_before=now + timedelta(seconds=settings.HORIZONS.redeliver_s)
    )
    return len(due)
