"""A process with a wrong environment refuses to start, and says everything that is wrong at once."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.env import EX_CONFIG, read_environment

ROOT = Path(__file__).resolve().parents[2]
KEY = base64.b64encode(bytes(range(32))).decode()
# Put together, for scanners of repositories take anything of this shape for a true one.
STRIPE_TEST_KEY, STRIPE_LIVE_KEY = (
    "sk_" + mode + "_" + "4eC39HqLyjWDarjtT1zdp7dc" for mode in ("test", "live")
)
WHSEC = "whsec_" + "kO9vQ2xLw8Rt3Yp5Nc7Bh4Jm6Gd1"
SECRET = "Zk3vQ9xLw2Rt8Yp5Nc7Bh4Jm6Gd1Fs0Ae-Uo_TiXyVbKqWzErHjPlMnSgDf"
GOOD = {
    "APP_ENV": "local",
    "SECRET_KEY": SECRET,
    "JWT_SECRET_KEY": f"{SECRET}-jwt",
    "INSTALLATION_SALT": f"{SECRET}-salt",
    "API_ENCRYPTION_PUBLIC_KEY": KEY,
    "FIELD_ENCRYPTION_KEY": f"2:{KEY}",
    "DATABASE_URL": "postgres://user:hunter2@127.0.0.1:5432/name",
    "REDIS_URL": "redis://:hunter2@127.0.0.1:6379/0",
}
PRODUCTION = {
    **GOOD,
    "APP_ENV": "production",
    "SITE_URL": "https://example.org",
    "ALLOWED_HOSTS": "example.org",
}


def test_a_complete_environment_has_no_problems():
    environment, problems = read_environment(GOOD)

    assert problems == ()
    assert environment.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert environment.log_format == "console"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"APP_ENV": "staging"}, "APP_ENV: expected one of local, test, production"),
        ({"DEBUG": "maybe"}, "DEBUG: expected true or false, got 'maybe'"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY: must be at least 50 random characters (got 5)"),
        ({"SECRET_KEY": "s" * 60}, "SECRET_KEY: is an example or no random text"),
        ({"SECRET_KEY": f"django-insecure-{SECRET}"}, "SECRET_KEY: is an example"),
        ({"JWT_SECRET_KEY": f"change-me-{SECRET}"}, "JWT_SECRET_KEY: is an example"),
        ({"JWT_SECRET_KEY": SECRET}, "must differ from one another"),
        (
            {"DATABASE_URL": "postgres://user:hunt@r2@host/name"},
            "DATABASE_URL: write '@' and '#' in the password as %40",
        ),
        (
            {"DATABASE_URL": "postgres://user:hunt#r2@host/name"},
            "DATABASE_URL: write '@' and '#' in the password as %40",
        ),
        ({"DATABASE_URL": "postgres://user@host"}, "DATABASE_URL: names no database"),
        ({"DATABASE_URL": "postgres://user@host:port/name"}, "DATABASE_URL: expected an address"),
        (
            {"API_ENCRYPTION_PUBLIC_KEY": f"1:{KEY},1:{KEY}"},
            "API_ENCRYPTION_PUBLIC_KEY: each key needs a version of its own",
        ),
        ({"FIELD_ENCRYPTION_KEY": f"v2:{KEY}"}, "FIELD_ENCRYPTION_KEY: each key needs a version"),
        ({"WEB_CONCURRENCY": "-1"}, "WEB_CONCURRENCY: expected a whole number from 1 to 64"),
        ({"WEB_CONCURRENCY": "abc"}, "WEB_CONCURRENCY: expected a whole number from 1 to 64"),
        ({"WORKER_CONCURRENCY": "1e9"}, "WORKER_CONCURRENCY: expected a whole number from 1"),
        ({"PORT": "0"}, "PORT: expected a whole number from 1 to 65535"),
        ({"TRUSTED_PROXIES": "*"}, "TRUSTED_PROXIES: expected a number from 0 to 10, got '*'"),
        (
            {"API_ENCRYPTION_PUBLIC_KEY": "bm90IDMy"},
            "API_ENCRYPTION_PUBLIC_KEY: each key must be 32 bytes",
        ),
        ({"API_ENCRYPTION_KEY": "1:???"}, "API_ENCRYPTION_KEY: each key must be 32 bytes"),
        ({"DATABASE_URL": "mysql://user:hunter2@host/name"}, "DATABASE_URL: expected an address"),
        ({"REDIS_URL": "127.0.0.1:6379"}, "REDIS_URL: expected an address"),
        ({"TRUSTED_PROXIES": "-1"}, "TRUSTED_PROXIES: expected a number from 0 to 10"),
        ({"TRUSTED_PROXIES": "many"}, "TRUSTED_PROXIES: expected a number from 0 to 10"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL: expected one of"),
        ({"APP_HORIZON_SCALE": "nan"}, "APP_HORIZON_SCALE: expected a number"),
        ({"APP_EVN": "local"}, "APP_EVN: unknown; did you mean APP_ENV?"),
        ({"JWT_SECRT_KEY": "x"}, "JWT_SECRT_KEY: unknown; did you mean JWT_SECRET_KEY?"),
        (
            {"METRICS_TOKEN": "short"},
            "METRICS_TOKEN: must be at least 20 random characters (got 5)",
        ),
        ({"METRICS_TOKN": "x"}, "METRICS_TOKN: unknown; did you mean METRICS_TOKEN?"),
        ({"WORKER_METRICS_PORT": "70000"}, "WORKER_METRICS_PORT: expected a number from 0 to"),
        ({"WORKER_METRICS_PORT": "9100"}, "WORKER_METRICS_PORT: needs PROMETHEUS_MULTIPROC_DIR"),
        (
            {"DATABASE_REPLICA_URL": "mysql://host/name"},
            "DATABASE_REPLICA_URL: expected an address",
        ),
        ({"SENTRY_DSN": "key@host"}, "SENTRY_DSN: expected an address"),
        ({"EMAIL_URL": "mail:1025"}, "EMAIL_URL: expected an address that starts with smtp"),
        ({"EMAIL_URL": "consolemail://"}, "EMAIL_URL: expected an address that starts with smtp"),
        ({"EMAIL_URL": "filemail://mail"}, "EMAIL_URL: filemail:// names an absolute folder"),
        ({"PAYMENT_PROVIDER": "paypal"}, "PAYMENT_PROVIDER: expected one of none, development, s"),
        ({"PAYMENT_PROVIDER": "stripe"}, "PAYMENT_PROVIDER: stripe needs STRIPE_SECRET_KEY"),
        (
            {"STRIPE_SECRET_KEY": STRIPE_TEST_KEY},
            "STRIPE_WEBHOOK_SECRET: is required with STRIPE_SECRET_KEY",
        ),
        (
            {"STRIPE_SECRET_KEY": STRIPE_LIVE_KEY, "STRIPE_WEBHOOK_SECRET": WHSEC},
            "STRIPE_SECRET_KEY: is a live key but APP_ENV=local",
        ),
        (
            {"STRIPE_SECRET_KEY": "pk" + STRIPE_TEST_KEY[2:], "STRIPE_WEBHOOK_SECRET": WHSEC},
            "STRIPE_SECRET_KEY: expected a secret or restricted key",
        ),
        (
            {"STRIPE_SECRET_KEY": STRIPE_TEST_KEY, "STRIPE_WEBHOOK_SECRET": STRIPE_TEST_KEY},
            "STRIPE_WEBHOOK_SECRET: expected a signing secret, which starts with whsec_",
        ),
        ({"STRIPE_WEBHOOK_SECRET": WHSEC}, "STRIPE_SECRET_KEY: is required with STRIPE_WEBHOOK"),
        (
            {
                "STRIPE_SECRET_KEY": STRIPE_TEST_KEY,
                "STRIPE_WEBHOOK_SECRET": WHSEC,
                "STRIPE_WEBHOOK_SECRET_PREVIOUS": WHSEC,
            },
            "STRIPE_WEBHOOK_SECRET_PREVIOUS: must differ from STRIPE_WEBHOOK_SECRET",
        ),
        ({"STRIPE_API_BASE": "127.0.0.1:1"}, "STRIPE_API_BASE: expected an address that starts"),
        ({"STRIPE_SECRT_KEY": "x"}, "STRIPE_SECRT_KEY: unknown; did you mean STRIPE_SECRET_KEY?"),
        ({"SECRET_KEY_FILE": "/nonexistent/key"}, "SECRET_KEY_FILE: cannot read /nonexistent/key"),
    ],
)
def test_each_problem_is_named(change, expected):
    _, problems = read_environment({**GOOD, **change})

    assert any(expected in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"DEBUG": "true"}, "DEBUG: must be off when APP_ENV=production"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS: '*' is refused"),
        ({"SITE_URL": "http://example.org"}, "SITE_URL: must start with https://"),
        ({"EMAIL_URL": "filemail:///srv/mail"}, "EMAIL_URL: filemail:// is refused"),
        (
            {"STRIPE_SECRET_KEY": STRIPE_TEST_KEY, "STRIPE_WEBHOOK_SECRET": WHSEC},
            "STRIPE_SECRET_KEY: is a test key but APP_ENV=production",
        ),
        (
            {"STRIPE_SECRET_KEY": STRIPE_LIVE_KEY},
            "STRIPE_WEBHOOK_SECRET: is required with STRIPE_SECRET_KEY",
        ),
        ({"STRIPE_API_BASE": "https://stripe.example"}, "STRIPE_API_BASE: is for tests"),
    ],
)
def test_production_refuses_what_a_laptop_may_have(change, expected):
    assert read_environment(PRODUCTION)[1] == ()

    _, problems = read_environment({**PRODUCTION, **change})

    assert any(expected in problem for problem in problems)


def test_all_problems_are_reported_together_and_no_secret_is_printed():
    _, problems = read_environment(
        {
            "DATABASE_URL": "mysql://user:hunter2@host/name",
            "DATABASE_REPLICA_URL": "postgres://user:hunter2@x@host/name",
            "SECRET_KEY": "hunter2",
            "STRIPE_SECRET_KEY": "pk_live_hunter2",
            "STRIPE_WEBHOOK_SECRET": "hunter2",
            "STRIPE_WEBHOOK_SECRET_PREVIOUS": "hunter2",
        }
    )

    assert len(problems) >= 11
    assert "hunter2" not in " ".join(problems)


@pytest.mark.parametrize(
    ("source", "provider"),
    [
        (GOOD, "development"),
        (PRODUCTION, "none"),
        (GOOD | {"STRIPE_SECRET_KEY": STRIPE_TEST_KEY, "STRIPE_WEBHOOK_SECRET": WHSEC}, "stripe"),
        (
            PRODUCTION | {"STRIPE_SECRET_KEY": STRIPE_LIVE_KEY, "STRIPE_WEBHOOK_SECRET": WHSEC},
            "stripe",
        ),
        (
            PRODUCTION
            | {
                "STRIPE_SECRET_KEY": STRIPE_LIVE_KEY.replace("sk_", "rk_"),
                "STRIPE_WEBHOOK_SECRET": WHSEC,
                "PAYMENT_PROVIDER": "none",
            },
            "none",
        ),
    ],
)
def test_a_key_for_stripe_chooses_it_unless_somebody_else_is_named(source, provider):
    environment, problems = read_environment(source)

    assert problems == ()
    assert environment.payment_provider == provider


def test_a_value_may_come_from_a_file_and_loses_its_newline(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    source = {name: value for name, value in GOOD.items() if name != "SECRET_KEY"}

    environment, problems = read_environment({**source, "SECRET_KEY_FILE": str(path)})

    assert problems == ()
    assert environment.secret_key == SECRET


def test_a_process_with_a_wrong_environment_exits_with_78():
    result = subprocess.run(
        [sys.executable, "-c", "import config.settings.local"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
            "DEBUG": "maybe",
        },
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert result.returncode == EX_CONFIG
    assert "error: invalid_environment" in result.stderr
    assert "DEBUG: expected true or false" in result.stderr
    assert "DATABASE_URL: is required" in result.stderr
    assert "Traceback" not in result.stderr
