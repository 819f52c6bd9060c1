"""Figures that are looked up when somebody asks: the state of the queue, the outbox and the processes.

They are the same whoever is asked, so a rule over several web servers takes the largest, never the sum.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Min
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from foundation import heartbeats
from foundation.models import OutboxEvent
from foundation.task_context import SENT_AT

#: Values of the labels, and the figure.
Sample = tuple[tuple[str, ...], float]

_REDIS_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what it is called, what it tells, how it is looked up at an instant."""

    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[datetime], Iterable[Sample]]


class DatabaseFigures(Collector):
    """Looks figures up in the database; if that is away, says so and nothing else."""

    def __init__(self, figures: Sequence[Figure], *, now: datetime) -> None:
        self._figures = figures
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield one family per figure, and whether the database answered to all of them."""
        families: list[GaugeMetricFamily] = []
        is_up = True
        try:
            families.extend(_family(figure, self._now) for figure in self._figures)
        except DatabaseError:
            is_up = False
        yield GaugeMetricFamily(
            "platform_database_up", "Whether the database answers.", value=float(is_up)
        )
        yield from families


class QueueFigures(Collector):
    """Looks the queues up in the broker; if that is away, says so and nothing else."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the depth and the age of each queue, and whether the broker answered."""
        depth = GaugeMetricFamily(
            "platform_queue_depth", "Messages that wait in a queue.", labels=["queue"]
        )
        age = GaugeMetricFamily(
            "platform_queue_oldest_age_seconds",
            "Age of the oldest message that waits in a queue; 0 if it is empty.",
            labels=["queue"],
        )
        is_up = True
        try:
            for queue, (length, age_s) in queue_states(now=self._now).items():
                depth.add_metric([queue], length)
                age.add_metric([queue], age_s)
        except RedisError:
            is_up = False
        yield GaugeMetricFamily(
            "platform_broker_up", "Whether the broker answers.", value=float(is_up)
        )
        if is_up:
            yield depth
            yield age


def queue_states(*, now: datetime) -> dict[str, tuple[int, float]]:
    """Return how many messages wait in every queue, and the age of the oldest in seconds; 0 if it is empty.

    Raises RedisError if the broker does not answer.
    """
    return {queue: (length, _age_s(oldest, now)) for queue, (length, oldest) in _queues().items()}


def outbox_backlog(*, now: datetime) -> tuple[int, float]:
    """Return how many events some subscriber has not confirmed, and the age of the oldest in seconds."""
    backlog = _outbox()
    oldest = backlog["oldest"]
    return backlog["count"], max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


def _family(figure: Figure, now: datetime) -> GaugeMetricFamily:
    family = GaugeMetricFamily(figure.name, figure.help, labels=figure.labels)
    for labels, value in figure.read(now):
        family.add_metric(labels, value)
    return family


def _queues() -> dict[str, tuple[int, bytes | None]]:
    """Return the length and the oldest message of every queue: a message goes in at the left, out at the right."""
    client = Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=_REDIS_TIMEOUT_S,
        socket_connect_timeout=_REDIS_TIMEOUT_S,
    )
    with closing(client), client.pipeline(transaction=False) as pipeline:
        for queue in settings.QUEUES:
            pipeline.llen(queue)
            pipeline.lindex(queue, -1)
        answers: list[Any] = pipeline.execute()
    return dict(zip(settings.QUEUES, zip(answers[::2], answers[1::2], strict=True), strict=True))


def _age_s(message: bytes | None, now: datetime) -> float:
    if message is None:
        return 0.0
    try:
        sent_at = json.loads(message)["headers"][SENT_AT]
    except (ValueError, KeyError, TypeError):
        # A message of another program, or of a release without the header: it waits, nobody knows since when.
        return 0.0
    return max(0.0, now.timestamp() - sent_at) if isinstance(sent_at, int | float) else 0.0


def _connections(_: datetime) -> list[Sample]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        row = cursor.fetchone()
    return [((), row[0] if row else 0)]


def _outbox() -> dict[str, Any]:
    return OutboxEvent.objects.filter(delivered_at=None).aggregate(
        count=Count("pk"), oldest=Min("recorded_at")
    )


def _undelivered(now: datetime) -> list[Sample]:
    return [((), outbox_backlog(now=now)[0])]


def _oldest_undelivered(now: datetime) -> list[Sample]:
    return [((), outbox_backlog(now=now)[1])]


def _heartbeats(now: datetime) -> list[Sample]:
    return [((process,), max(0.0, age)) for process, age in heartbeats.ages_s(now=now).items()]


#: What the foundation itself knows.
FIGURES: Final = (
    Figure(
        "platform_database_connections",
        "Connections to this database, of all processes.",
        (),
        _connections,
    ),
    Figure(
        "platform_outbox_undelivered",
        "Events that some subscriber has not confirmed.",
        (),
        _undelivered,
    ),
    Figure(
        "platform_outbox_oldest_age_seconds",
        "Age of the oldest event that is not delivered; 0 if all are.",
        (),
        _oldest_undelivered,
    ),
    Figure(
        "platform_heartbeat_age_seconds",
        "Time since the last sign of life of beat and of each queue's workers.",
        ("process",),
        _heartbeats,
    ),
)
