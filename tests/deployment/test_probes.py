"""What probes and scrapers are told: quickly, by address, and no more than they may know."""

import time
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from foundation import heartbeats
from web import metrics

TOKEN = "t" * 32
NOBODY = "redis://127.0.0.1:9/0"


@pytest.fixture
def everybody_works(settings):
    def work(**ages_s):
        now = timezone.now()
        for process in ["beat", *map(heartbeats.worker_of, settings.QUEUES)]:
            age = ages_s.get(process.replace("-", "_"), 0)
            heartbeats.record(process=process, now=now - timedelta(seconds=age))

    return work


@pytest.mark.django_db
class TestReadiness:
    def test_everything_there_is_200(self, client, everybody_works, settings):
        everybody_works()

        response = client.get("/readyz")

        assert response.status_code == 200
        assert response.json()["status"] == "ready"
        assert set(response.json()["checks"]) == {
            "database",
            "queue",
            "beat",
            *(f"worker-{queue}" for queue in settings.QUEUES),
        }

    def test_a_platform_that_never_worked_is_not_ready(self, client):
        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["beat"] == "failed"
        assert response.json()["checks"]["database"] == "ok"

    @pytest.mark.parametrize(
        ("process", "age_s", "status"),
        [
            ("beat", 61, 503),
            ("worker_orders", 61, 503),
            ("worker_orders", 55, 200),
            ("worker_compute", 300, 200),
            ("worker_compute", 361, 503),
        ],
    )
    def test_a_silent_process_is_named(self, client, everybody_works, process, age_s, status):
        everybody_works(**{process: age_s})

        response = client.get("/readyz")

        failed = [name for name, word in response.json()["checks"].items() if word == "failed"]
        assert response.status_code == status
        assert failed == ([] if status == 200 else [process.replace("_", "-")])

    def test_without_a_queue_it_answers_quickly_that_it_is_not_ready(self, client, everybody_works):
        everybody_works()
        begun = time.monotonic()
        with override_settings(REDIS_URL=NOBODY):
            response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["queue"] == "failed"
        assert time.monotonic() - begun < 3

    @override_settings(ALLOWED_HOSTS=[".example.org"])
    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
    def test_a_probe_may_ask_by_address(self, client, path):
        assert client.get(path, headers={"host": "10.1.2.3:8000"}).status_code != 400

    @override_settings(ALLOWED_HOSTS=["example.org"])
    def test_a_page_may_not(self, client):
        assert client.get("/", headers={"host": "10.1.2.3:8000"}).status_code == 400


@pytest.mark.django_db
class TestMetrics:
    def test_the_bearer_of_the_token_reads_everything(self, client):
        with override_settings(METRICS_TOKEN=TOKEN):
            response = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})

        text = response.content.decode()
        assert response.status_code == 200
        for figure in metrics.PLATFORM_FIGURES:
            assert f"# TYPE {figure.name} gauge" in text
        assert 'platform_orders{status="UNKNOWN"} 0.0' in text
        assert "platform_database_up 1.0" in text
        assert "platform_http_request_seconds" in text

    def test_others_find_no_page(self, client):
        with override_settings(METRICS_TOKEN=TOKEN):
            assert client.get("/metrics").status_code == 404
            assert client.get("/metrics", headers={"authorization": "Bearer x"}).status_code == 404

    def test_without_a_token_a_forwarded_request_finds_no_page(self, client):
        assert client.get("/metrics").status_code == 200
        assert client.get("/metrics", headers={"x-forwarded-for": "1.2.3.4"}).status_code == 404

    def test_the_figures_cost_a_fixed_number_of_queries(
        self, client, django_assert_max_num_queries
    ):
        with django_assert_max_num_queries(15):
            client.get("/metrics")
