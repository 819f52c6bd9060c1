"""A process that could not work here does not start, and says why, all at once."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from redis import Redis

from foundation.processes.local_secrets import generate_secrets
from web import preflight
from web.preflight import Level

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = {
    "DATABASE_URL": "postgres://nobody:hunter2@127.0.0.1:9/none",
    "REDIS_URL": "redis://:hunter2@127.0.0.1:9/0",
}


def findings(**options):
    chosen = {"environment": {}, "now": timezone.now(), **options}
    return {finding.code: finding for finding in preflight.examine(**chosen)}


@pytest.mark.django_db
class TestFindings:
    def test_what_the_suite_runs_on_is_fit_to_work(self):
        assert not [each for each in findings().values() if each.level is not Level.WARNING]

    def test_a_clock_that_is_off_is_named(self):
        assert "clock_skew" in findings(now=timezone.now() - timedelta(seconds=9))

    def test_migrations_that_wait_are_counted_and_the_first_is_named(self):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'referrals'")

        found = findings()["migrations_pending"]

        assert found.level is Level.ERROR
        assert "migrations are not applied, the first is referrals.0001_initial" in found.message

    def test_a_schema_from_the_future_is_refused(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) "
                "VALUES ('trading', '9999_from_the_future', now())"
            )

        assert "trading.9999_from_the_future" in findings()["schema_newer"].message

    def test_a_private_key_that_does_not_open_what_is_sealed_is_refused(self):
        with override_settings(API_ENCRYPTION_KEY=generate_secrets()["API_ENCRYPTION_KEY"]):
            assert findings()["keys_do_not_match"].level is Level.ERROR

    def test_a_queue_that_forgets_is_a_warning(self, settings):
        with Redis.from_url(settings.REDIS_URL) as redis:
            policy = redis.config_get("maxmemory-policy")["maxmemory-policy"]
            redis.config_set("maxmemory-policy", "allkeys-lru")
            try:
                found = findings()["redis_evicts"]
            finally:
                redis.config_set("maxmemory-policy", policy)

        assert found.level is Level.WARNING
        assert "maxmemory-policy is allkeys-lru" in found.message

    def test_a_secret_that_everybody_can_read_is_a_warning(self, tmp_path):
        path = tmp_path / "secret"
        path.write_text("x")
        path.chmod(0o644)
        environment = {"SECRET_KEY_FILE": str(path), "SSL_CERT_FILE": str(path)}

        found = findings(environment=environment)

        assert "SECRET_KEY_FILE: the file has mode 0644" in found["secret_readable"].message
        path.chmod(0o400)
        assert "secret_readable" not in findings(environment=environment)


def run(**changes):
    return subprocess.run(
        [sys.executable, "manage.py", "preflight"],
        env={**os.environ, **changes},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_servers_that_do_not_answer_end_it_with_75_and_all_of_them_are_named():
    result = run(**NOWHERE)

    assert result.returncode == 75
    assert "unreachable: database_unreachable" in result.stderr
    assert "unreachable: redis_unreachable" in result.stderr
    assert "hunter2" not in result.stderr
    assert "Traceback" not in result.stderr


def test_an_empty_database_ends_it_with_78():
    # The server's own first database, in which nothing was ever migrated.
    address = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path="/postgres"))

    result = run(DATABASE_URL=address)

    assert result.returncode == 78
    assert "migrations are not applied" in result.stderr
