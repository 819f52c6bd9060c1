"""The process's environment, read once, typed, and refused as a whole when anything is wrong.

Every problem is reported together, and the process ends with status 78 (``EX_CONFIG``); the value of a secret is never
printed. Each ``NAME`` may be given as ``NAME_FILE``, a path whose content is the value.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal, NoReturn, cast

from config.candle_cache import CANDLE_CACHE_NAMES, CandleCache
from config.env_reader import EnvironmentReader
from config.payment_rules import payment_problems, usual_payment_provider
from config.vault_rules import VaultAccess, read_vault, vault_problems
from config.venue_calls import VENUE_NAMES, VenueCalls

EX_CONFIG: Final = 78

AppEnv = Literal["local", "test", "production"]

_MAIL_SCHEMES: Final = ("smtp", "smtp+tls", "smtp+ssl", "filemail", "dummymail")


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything that the settings take from outside."""

    app_env: AppEnv
    debug: bool
    secret_key: str
    jwt_secret_key: str
    api_encryption_key: str
    api_encryption_public_key: str
    field_encryption_key: str
    vault: VaultAccess
    installation_salt: str
    database_url: str
    database_pool: bool
    redis_url: str
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    site_url: str
    trusted_proxies: int
    egress_addresses: tuple[str, ...]
    session_idle_minutes: int
    simulator_url: str
    halt_file: str
    simulator_admin_token: str
    log_level: str
    log_format: Literal["console", "json"]
    horizon_scale: float
    venue_calls: VenueCalls
    candle_cache: CandleCache
    database_replica_url: str
    metrics_token: str
    worker_metrics_port: int
    metrics_folder: str
    sentry_dsn: str
    email_url: str
    mail_from: str
    payment_provider: str
    stripe_secret_key: str
    stripe_webhook_secret: str
    stripe_webhook_secret_previous: str
    stripe_api_base: str


#: Every name that may be set; a near miss such as ``APP_EVN`` is named instead of being ignored.
KNOWN_NAMES: Final = frozenset(
    {
        "APP_ENV",
        "APP_HORIZON_SCALE",
        "DEBUG",
        "SECRET_KEY",
        "JWT_SECRET_KEY",
        "API_ENCRYPTION_KEY",
        "API_ENCRYPTION_PUBLIC_KEY",
        "FIELD_ENCRYPTION_KEY",
        "VAULT_ADDR",
        "VAULT_TOKEN",
        "VAULT_TRANSIT_MOUNT",
        "VAULT_TRANSIT_KEY",
        "VAULT_NAMESPACE",
        "VAULT_CACERT",
        "INSTALLATION_SALT",
        "DATABASE_URL",
        "DATABASE_POOL",
        "REDIS_URL",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "SITE_URL",
        "TRUSTED_PROXIES",
        "EGRESS_ADDRESSES",
        "SESSION_IDLE_MINUTES",
        *VENUE_NAMES,
        *CANDLE_CACHE_NAMES,
        "HALT_FILE",
        "SIMULATOR_URL",
        "SIMULATOR_ADMIN_TOKEN",
        "LOG_LEVEL",
        "LOG_FORMAT",
        "DATABASE_REPLICA_URL",
        "METRICS_TOKEN",
        "WORKER_METRICS_PORT",
        "PROMETHEUS_MULTIPROC_DIR",
        "SENTRY_DSN",
        "EMAIL_URL",
        "MAIL_FROM",
        "PAYMENT_PROVIDER",
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "STRIPE_WEBHOOK_SECRET_PREVIOUS",
        "STRIPE_API_BASE",
        # Read by gunicorn.conf.py, not by the settings.
        "PORT",
        "WEB_CONCURRENCY",
        # Read by docker/entrypoint.
        "WORKER_CONCURRENCY",
        # Read by `manage.py seed_demo`.
        "DEMO_EMAIL",
        "DEMO_PASSWORD",
    }
)


def read_environment(source: Mapping[str, str]) -> tuple[Environment, tuple[str, ...]]:
    """Return the environment and all that is wrong with it; the first is meaningful only if the second is empty."""
    reader = EnvironmentReader(source)
    app_env = cast(AppEnv, reader.choice("APP_ENV", "local", ("local", "test", "production")))
    stripe_secret_key = reader.text("STRIPE_SECRET_KEY", "")
    environment = Environment(
        app_env=app_env,
        debug=reader.flag("DEBUG", default=False),
        secret_key=reader.secret("SECRET_KEY"),
        jwt_secret_key=reader.secret("JWT_SECRET_KEY"),
        api_encryption_key=reader.key("API_ENCRYPTION_KEY", required=False, may_be_wrapped=True),
        api_encryption_public_key=reader.key("API_ENCRYPTION_PUBLIC_KEY", required=True),
        field_encryption_key=reader.key("FIELD_ENCRYPTION_KEY", required=True, may_be_wrapped=True),
        vault=read_vault(reader),
        installation_salt=reader.text("INSTALLATION_SALT"),
        database_url=reader.database("DATABASE_URL"),
        database_pool=reader.flag("DATABASE_POOL", default=False),
        redis_url=reader.url("REDIS_URL", ("redis", "rediss")),
        allowed_hosts=reader.items("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"),
        csrf_trusted_origins=reader.items("CSRF_TRUSTED_ORIGINS", ""),
        site_url=reader.url("SITE_URL", ("http", "https"), "http://127.0.0.1:8000").rstrip("/"),
        trusted_proxies=int(reader.number("TRUSTED_PROXIES", 0, low=0, high=10)),
        egress_addresses=reader.addresses("EGRESS_ADDRESSES"),
        session_idle_minutes=int(reader.number("SESSION_IDLE_MINUTES", 120, low=0, high=720)),
        halt_file=reader.text("HALT_FILE", ""),
        simulator_url=reader.url("SIMULATOR_URL", ("http", "https"), "").rstrip("/"),
        simulator_admin_token=reader.text("SIMULATOR_ADMIN_TOKEN", ""),
        log_level=reader.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        log_format=cast(
            Literal["console", "json"],
            reader.choice(
                "LOG_FORMAT", "json" if app_env == "production" else "console", ("console", "json")
            ),
        ),
        horizon_scale=reader.number("APP_HORIZON_SCALE", 1.0, low=0.001, high=10.0),
        venue_calls=VenueCalls.read(reader),
        candle_cache=CandleCache.read(reader),
        database_replica_url=reader.database("DATABASE_REPLICA_URL", ""),
        metrics_token=reader.token("METRICS_TOKEN"),
        worker_metrics_port=int(reader.number("WORKER_METRICS_PORT", 0, low=0, high=65_535)),
        metrics_folder=reader.text("PROMETHEUS_MULTIPROC_DIR", ""),
        email_url=reader.url("EMAIL_URL", _MAIL_SCHEMES, ""),
        mail_from=reader.text("MAIL_FROM", "Trading Platform <no-reply@localhost>"),
        payment_provider=reader.choice(
            "PAYMENT_PROVIDER",
            usual_payment_provider(app_env=app_env, stripe_secret_key=stripe_secret_key),
            ("none", "development", "stripe"),
        ),
        stripe_secret_key=stripe_secret_key,
        stripe_webhook_secret=reader.text("STRIPE_WEBHOOK_SECRET", ""),
        stripe_webhook_secret_previous=reader.text("STRIPE_WEBHOOK_SECRET_PREVIOUS", ""),
        stripe_api_base=reader.url("STRIPE_API_BASE", ("http", "https"), "").rstrip("/"),
        sentry_dsn=reader.url("SENTRY_DSN", ("http", "https"), ""),
    )
    # Read elsewhere, by what starts the processes, and judged here with the rest.
    reader.whole("PORT", low=1, high=65_535)
    reader.whole("WEB_CONCURRENCY", low=1, high=64)
    reader.whole("WORKER_CONCURRENCY", low=1, high=64)
    problems = (
        *reader.problems,
        *_cross_problems(environment),
        *payment_problems(
            app_env=app_env,
            payment_provider=environment.payment_provider,
            secret_key=stripe_secret_key,
            webhook_secrets=(
                environment.stripe_webhook_secret,
                environment.stripe_webhook_secret_previous,
            ),
            api_base=environment.stripe_api_base,
        ),
        *vault_problems(
            environment.vault,
            app_env=app_env,
            rings={
                "API_ENCRYPTION_KEY": environment.api_encryption_key,
                "FIELD_ENCRYPTION_KEY": environment.field_encryption_key,
            },
        ),
        *_misspelt(source),
    )
    return environment, problems


def load_environment() -> Environment:
    """Return the environment of this process, or list all its problems on stderr and exit with status 78."""
    environment, problems = read_environment(os.environ)
    if problems:
        _refuse(problems)
    return environment


def _cross_problems(environment: Environment) -> tuple[str, ...]:
    problems = []
    secrets = [environment.secret_key, environment.jwt_secret_key, environment.installation_salt]
    given = [secret for secret in secrets if secret]
    if len(set(given)) != len(given):
        problems.append(
            "SECRET_KEY, JWT_SECRET_KEY, INSTALLATION_SALT: must differ from one another"
        )
    if environment.email_url.startswith("filemail:") and not re.match(
        r"filemail:///[^/]", environment.email_url
    ):
        problems.append("EMAIL_URL: filemail:// names an absolute folder: filemail:///srv/mail")
    if environment.worker_metrics_port and not environment.metrics_folder:
        problems.append(
            "WORKER_METRICS_PORT: needs PROMETHEUS_MULTIPROC_DIR, an empty folder through which the processes "
            "of one worker share their figures"
        )
    if environment.app_env == "production":
        if environment.debug:
            problems.append("DEBUG: must be off when APP_ENV=production")
        if "*" in environment.allowed_hosts:
            problems.append("ALLOWED_HOSTS: '*' is refused when APP_ENV=production")
        if environment.site_url and not environment.site_url.startswith("https://"):
            problems.append("SITE_URL: must start with https:// when APP_ENV=production")
        if environment.email_url.startswith("filemail:"):
            problems.append("EMAIL_URL: filemail:// is refused when APP_ENV=production")
    return tuple(problems)


def _misspelt(source: Mapping[str, str]) -> tuple[str, ...]:
    """Name variables that are spelt almost like one of ours; strangers' variables are none of our business."""
    problems = []
    for name in source:
        if not re.match(
            r"^(APP_|API_ENC|JWT_|DATABASE_|INSTALLATION_|SIMULATOR_|METRICS_|PAYMENT_|STRIPE_|WORKER_|VENUE_|CANDLE_|WEB_CONC|SENTRY_DS|EGRESS_|VAULT_TR)",
            name,
        ):
            continue
        known = name.removesuffix("_FILE")
        if known in KNOWN_NAMES:
            continue
        near = get_close_matches(known, KNOWN_NAMES, n=1)
        if name.startswith("APP_") or near:
            problems.append(f"{name}: unknown" + (f"; did you mean {near[0]}?" if near else ""))
    return tuple(problems)


def _refuse(problems: tuple[str, ...]) -> NoReturn:
    sys.stderr.write(f"error: invalid_environment: {len(problems)} problem(s)\n")
    for problem in problems:
        sys.stderr.write(f"  {problem}\n")
    sys.exit(EX_CONFIG)
