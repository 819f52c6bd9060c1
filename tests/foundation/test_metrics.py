"""Figures say what is true, to those who may know, also when a server is away."""

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils import timezone
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from redis import Redis

from foundation import heartbeats, schedule
from foundation.metrics import worker_exporter
from foundation.metrics.access import may_read
from foundation.metrics.figures import FIGURES, DatabaseFigures, Figure, QueueFigures
from foundation.models import OutboxEvent
from foundation.task_context import SENT_AT

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOKEN = "t" * 32
NOBODY = "redis://127.0.0.1:9/0"


def shown(collector):
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def sample(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.django_db
class TestDatabaseFigures:
    def test_the_outbox_tells_how_many_wait_and_since_when(self):
        OutboxEvent.objects.create(name="a", occurred_at=NOW)
        OutboxEvent.objects.create(name="b", occurred_at=NOW, delivered_at=NOW)
        OutboxEvent.objects.filter(name="a").update(recorded_at=NOW - timedelta(seconds=90))

        text = shown(DatabaseFigures(FIGURES, now=NOW))

        assert "platform_database_up 1.0" in text
        assert "platform_outbox_undelivered 1.0" in text
        assert "platform_outbox_oldest_age_seconds 90.0" in text

    def test_an_empty_outbox_has_no_age(self):
        assert "platform_outbox_oldest_age_seconds 0.0" in shown(DatabaseFigures(FIGURES, now=NOW))

    def test_each_process_has_the_age_of_its_last_sign_of_life(self):
        heartbeats.record(process="beat", now=NOW - timedelta(seconds=7))
        heartbeats.record(process="worker-orders", now=NOW)

        text = shown(DatabaseFigures(FIGURES, now=NOW))

        assert 'platform_heartbeat_age_seconds{process="beat"} 7.0' in text
        assert 'platform_heartbeat_age_seconds{process="worker-orders"} 0.0' in text

    def test_a_database_that_is_away_is_a_figure_and_no_failure(self):
        def refuse(_):
            raise OperationalError("the server closed the connection")

        text = shown(DatabaseFigures([Figure("platform_x", "x", (), refuse)], now=NOW))

        assert "platform_database_up 0.0" in text
        assert "platform_x" not in text


class TestQueueFigures:
    @pytest.fixture(autouse=True)
    def _empty_queue(self, settings):
        with Redis.from_url(settings.REDIS_URL) as redis:
            redis.delete("control")
            yield
            redis.delete("control")

    def push(self, settings, *messages):
        with Redis.from_url(settings.REDIS_URL) as redis:
            redis.lpush("control", *[json.dumps(message) for message in messages])

    def test_the_age_is_that_of_the_oldest_message(self, settings):
        at = NOW.timestamp()
        self.push(settings, {"headers": {SENT_AT: at - 30}}, {"headers": {SENT_AT: at - 5}})

        text = shown(QueueFigures(now=NOW))

        assert 'platform_queue_depth{queue="control"} 2.0' in text
        assert 'platform_queue_oldest_age_seconds{queue="control"} 30.0' in text

    def test_every_queue_has_its_figures(self, settings):
        text = shown(QueueFigures(now=NOW))

        for queue in settings.QUEUES:
            assert f'platform_queue_depth{{queue="{queue}"}}' in text

    @pytest.mark.parametrize("message", ["text", {"headers": {}}, {"headers": {SENT_AT: "soon"}}])
    def test_a_message_of_another_program_only_counts(self, settings, message):
        self.push(settings, message)

        text = shown(QueueFigures(now=NOW))

        assert 'platform_queue_depth{queue="control"} 1.0' in text
        assert 'platform_queue_oldest_age_seconds{queue="control"} 0.0' in text

    def test_a_broker_that_is_away_is_a_figure_and_no_failure(self):
        with override_settings(REDIS_URL=NOBODY):
            text = shown(QueueFigures(now=NOW))

        assert "platform_broker_up 0.0" in text
        assert "platform_queue_depth" not in text


class TestAccess:
    @pytest.mark.parametrize(
        ("authorization", "allowed"),
        [
            (f"Bearer {TOKEN}", True),
            (f"bearer {TOKEN}", False),
            ("Bearer wrong", False),
            ("Bearer ümläut", False),
            ("", False),
        ],
    )
    def test_with_a_token_only_its_bearer_reads(self, authorization, allowed):
        with override_settings(METRICS_TOKEN=TOKEN):
            assert (
                may_read(authorization=authorization, peer="127.0.0.1", is_forwarded=False)
                is allowed
            )

    @pytest.mark.parametrize(
        ("peer", "is_forwarded", "allowed"),
        [
            ("127.0.0.1", False, True),
            ("::1", False, True),
            ("127.0.0.1", True, False),
            ("10.0.0.7", False, False),
            ("", False, False),
        ],
    )
    def test_without_one_only_this_machine_reads(self, peer, is_forwarded, allowed):
        with override_settings(METRICS_TOKEN=""):
            assert may_read(authorization="", peer=peer, is_forwarded=is_forwarded) is allowed


def echo(request, number):
    return HttpResponse(status=201)


urlpatterns = [path("things/<int:number>", echo, name="thing")]


class TestRequests:
    @override_settings(
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["foundation.metrics.requests.RequestMetricsMiddleware"],
    )
    def test_requests_are_counted_by_route_never_by_path(self):
        name = "platform_http_request_seconds_count"
        before = sample(name, method="POST", route="thing", status="201")

        Client().post("/things/1")
        Client().post("/things/2")

        assert sample(name, method="POST", route="thing", status="201") == before + 2
        assert not any("/things/1" in line for line in generate_latest().decode().splitlines())

    @override_settings(
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["foundation.metrics.requests.RequestMetricsMiddleware"],
    )
    def test_an_unknown_address_and_an_unknown_method_have_one_name_each(self):
        Client().generic("BREW", "/nowhere/17")

        assert sample(
            "platform_http_request_seconds_count", method="OTHER", route="unmatched", status="404"
        )


class TestTasks:
    def test_a_task_is_measured_and_its_failure_counted(self):
        @current_app.task(name="tests.works")
        def works():
            return None

        @current_app.task(name="tests.fails")
        def fails():
            raise ValueError("no")

        headers: Any = {SENT_AT: NOW.timestamp()}
        works.apply(headers=headers)
        fails.apply()

        assert sample("platform_task_seconds_count", task="tests.works", outcome="done") == 1
        assert sample("platform_task_seconds_count", task="tests.fails", outcome="failed") == 1
        assert sample("platform_task_failures_total", task="tests.fails") == 1
        assert sample("platform_task_failures_total", task="tests.works") == 0
        assert sample("platform_task_wait_seconds_count", task="tests.works") == 1


class TestWorkerExporter:
    @pytest.fixture
    def address(self):
        server = worker_exporter.serve(0)
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        server.server_close()

    def fetch(self, url, **headers):
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5)

    def test_it_serves_the_figures_of_its_process(self, address):
        with self.fetch(f"{address}/metrics") as answer:
            assert b"platform_task_seconds" in answer.read()

    @pytest.mark.parametrize("path", ["/", "/metrics/"])
    def test_there_is_nothing_else(self, address, path):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            self.fetch(address + path)
        refusal.value.close()

        assert refusal.value.code == 404

    def test_it_asks_for_the_token(self, address):
        with override_settings(METRICS_TOKEN=TOKEN):
            with pytest.raises(urllib.error.HTTPError) as refusal:
                self.fetch(f"{address}/metrics")
            refusal.value.close()
            with self.fetch(f"{address}/metrics", Authorization=f"Bearer {TOKEN}") as answer:
                assert answer.status == 200

        assert refusal.value.code == 404


class TestSignsOfLife:
    def test_every_queue_is_watched(self, settings):
        assert tuple(settings.QUEUES) == schedule.WATCHED_QUEUES

    def test_each_sign_travels_on_the_queue_that_it_is_about(self, settings):
        for queue in settings.QUEUES:
            entry = schedule.BEAT_SCHEDULE[f"foundation-worker-beat-{queue}"]
            assert entry["kwargs"] == {"queue": queue}
            assert entry["options"]["queue"] == queue
            routed = current_app.amqp.router.route(dict(entry["options"]), entry["task"])
            assert routed["queue"].name == queue

    @pytest.mark.django_db
    def test_a_worker_says_that_it_works(self):
        current_app.tasks["foundation.worker_beat"](queue="orders")

        assert heartbeats.is_alive("worker-orders", now=timezone.now(), within_s=5)
