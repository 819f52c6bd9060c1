"""Every line names its request, person and task, and no line shows a secret."""

import json
import logging
import sys
import time
from typing import Any

import pytest
from celery import current_app
from celery.signals import before_task_publish
from django.test import override_settings

from foundation import logs, tenancy
from foundation.logs import ConsoleFormatter, JsonFormatter
from foundation.scrubbing import REDACTED, scrub, scrub_value

CANARY = "canary-7f3a9c51e2d84b60"


def record(message="order.submitted", *args, level=logging.INFO, error=False, **fields):
    info = sys.exc_info() if error else None
    return logging.getLogger("tests").makeRecord(
        "tests", level, __file__, 1, message, args, info, extra=fields
    )


def as_json(*args, **fields):
    return json.loads(JsonFormatter().format(record(*args, **fields)))


class TestFields:
    def test_a_line_is_one_json_object_with_its_own_fields(self):
        entry = as_json(order_id=7, venue="simulator")

        assert entry["event"] == "order.submitted"
        assert entry["level"] == "INFO"
        assert (entry["order_id"], entry["venue"]) == (7, "simulator")

    def test_what_is_bound_is_on_every_line_inside_and_on_none_outside(self):
        with logs.bound(request_id="r1"), logs.bound(person_id=3, task=None):
            inside = as_json()

        assert (inside["request_id"], inside["person_id"]) == ("r1", 3)
        assert "task" not in inside
        assert "request_id" not in as_json()

    def test_the_owner_scope_is_on_the_line(self):
        with tenancy.scope(5):
            assert as_json()["owner_id"] == 5

    def test_a_field_of_the_line_itself_wins(self):
        with logs.bound(person_id=3):
            assert as_json(person_id=4)["person_id"] == 4


class TestScrubbing:
    @pytest.mark.parametrize(
        "text",
        [
            f"Authorization: Bearer {CANARY}",
            f"Authorization: Token {CANARY}",
            f"{{'Authorization': 'Basic {CANARY}'}}",
            f"X-MBX-APIKEY: {CANARY}",
            f"GET /api/v3/order?symbol=BTCUSDT&signature={CANARY}&timestamp=1",
            f"password={CANARY}",
            f"password1={CANARY}&password2={CANARY}",
            f'{{"api_key": "{CANARY}", "apiSecret": "{CANARY} {CANARY}"}}',
            f"{{'secret': '{CANARY}', 'passphrase': '{CANARY}'}}",
            f'{{"body": "{{\\"password\\": \\"{CANARY}\\"}}"}}',
            f"postgres://platform:{CANARY}@db:5432/name",
            f"redis://:{CANARY}@redis:6379/0",
            f"Cookie: sessionid={CANARY}; csrftoken={CANARY}",
            f"csrfmiddlewaretoken={CANARY}",
            f"eyJhbGciOiJIUzI1NiJ9.{CANARY}.{CANARY}",
            f"refresh_token: {CANARY}",
            f"No such key: sk_live_{CANARY}",
            f"rk_test_{CANARY} may not",
            f"whsec_{CANARY}",
        ],
    )
    def test_what_looks_like_a_secret_is_replaced(self, text):
        assert "canary" not in scrub(text)
        assert REDACTED in scrub(text)

    @pytest.mark.parametrize(
        "text",
        [
            "order.submitted order_id=7 venue=simulator",
            "the secret of a good night is sleep",
            "GET /api/v3/order?symbol=BTCUSDT&timestamp=1",
            "https://example.org:8000/path@2x.png",
            "signed in at 12:30:15",
        ],
    )
    def test_what_is_no_secret_stays(self, text):
        assert scrub(text) == text

    @pytest.mark.parametrize(
        "name",
        [
            "SECRET_KEY",
            "JWT_SECRET_KEY",
            "INSTALLATION_SALT",
            "METRICS_TOKEN",
            "API_ENCRYPTION_KEY",
            "STRIPE_SECRET_KEY",
        ],
    )
    def test_the_value_of_a_setting_is_replaced_wherever_it_stands(self, name):
        with override_settings(**{name: CANARY}):
            assert scrub(f"it was {CANARY}, you know") == f"it was {REDACTED}, you know"

    def test_each_key_of_a_ring_is_known(self):
        with override_settings(FIELD_ENCRYPTION_KEY=f"1:{CANARY}a,2:{CANARY}b"):
            assert scrub(f"{CANARY}a {CANARY}b") == f"{REDACTED} {REDACTED}"

    def test_both_secrets_of_notices_are_known(self):
        with override_settings(STRIPE_WEBHOOK_SECRETS=(f"{CANARY}a", f"{CANARY}b")):
            assert scrub(f"{CANARY}a {CANARY}b") == f"{REDACTED} {REDACTED}"

    def test_a_value_under_the_name_of_a_secret_vanishes_at_any_depth(self):
        scrubbed = scrub_value({"a": [{"apiKey": CANARY, "n": 1}], "password": CANARY, "b": None})

        assert scrubbed == {"a": [{"apiKey": REDACTED, "n": 1}], "password": REDACTED, "b": None}

    @pytest.mark.parametrize("formatter", [ConsoleFormatter(), JsonFormatter()])
    def test_neither_message_nor_field_nor_traceback_shows_one(self, formatter):
        try:
            int(f"secret={CANARY}")
        except ValueError:
            line = formatter.format(
                record(
                    "sent %s",
                    f"signature={CANARY}",
                    error=True,
                    api_key=CANARY,
                    detail={"headers": {"X-MBX-APIKEY": CANARY}},
                )
            )

        assert "canary" not in line
        assert "Traceback" in line

    def test_a_line_stays_valid_json(self):
        entry = as_json(f'{{"password": "{CANARY}"}} "quoted"')

        assert entry["event"].endswith('"quoted"')


@pytest.mark.django_db
class TestRequests:
    def test_an_answer_names_its_request_and_the_log_names_it_too(self, client, caplog):
        with caplog.at_level(logging.DEBUG, logger="foundation.middleware"):
            response = client.get("/healthz")

        line = next(made for made in caplog.records if made.msg == "request.finished")
        assert len(response["X-Request-ID"]) == 32
        assert (line.path, line.status, line.person_id) == ("/healthz", 200, None)

    def test_the_person_is_on_the_line(self, client, django_user_model, caplog):
        person = django_user_model.objects.create_user(email="p@example.com", password="x" * 12)
        client.force_login(person)
        with caplog.at_level(logging.DEBUG, logger="foundation.middleware"):
            client.post("/accounts/login/", {"login": "p@example.com", "password": CANARY})

        line = next(made for made in caplog.records if made.msg == "request.finished")
        assert line.person_id == person.pk
        assert line.levelno == logging.INFO


class TestTasks:
    def test_a_message_carries_its_request_its_person_and_its_time(self):
        headers: dict[str, Any] = {}
        with logs.bound(request_id="r9", person_id=4):
            before_task_publish.send(sender="tests.task", headers=headers)

        assert (headers["x_request_id"], headers["x_person_id"]) == ("r9", 4)
        assert time.time() - headers["x_sent_at"] < 60

    def test_a_message_of_beat_has_only_its_time(self):
        headers: dict[str, Any] = {}
        before_task_publish.send(sender="tests.task", headers=headers)

        assert list(headers) == ["x_sent_at"]

    def test_a_task_logs_under_the_request_that_sent_it(self):
        headers = {"x_request_id": "r9", "x_person_id": "4"}
        seen = []

        @current_app.task(name="tests.log_something", bind=True)
        def log_something(task):
            seen.append(dict(logs.bound_fields()))

        log_something.apply(headers=headers)

        assert "request_id" not in logs.bound_fields()
        assert seen[0]["task"] == "tests.log_something"
        assert seen[0]["request_id"] == "r9"
