"""Settings that hold in every environment; what differs is in ``local``, ``test`` and ``production``."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
import litecharts
from csp.constants import NONE, SELF

from config.env import Environment
from config.settings import environment, operators
from config.settings.payments import *  # noqa: F403  a part of the base
from config.settings.people import *  # noqa: F403  a part of the base
from config.settings.queue import *  # noqa: F403  a part of the base
from foundation.horizons import Horizons
from foundation.rates import Rate

ENVIRONMENT: Environment = environment.ENVIRONMENT
VARIABLES = environment.VARIABLES
BASE_DIR = environment.BASE_DIR

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.csrf_trusted_origins)
SITE_URL = ENVIRONMENT.site_url
SITE_NAME = environment.SITE_NAME
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.admin",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "constance",
    "django_htmx",
    "csp",
    "pgtrigger",
    "django_celery_beat",
    "foundation",
    "accounts",
    "billing",
    "exchanges",
    "strategies",
    "backtesting",
    "trading",
    "referrals",
    "web",
]

MIDDLEWARE = [
    "foundation.middleware.ProbeHostMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "foundation.middleware.RequestContextMiddleware",
    "foundation.metrics.requests.RequestMetricsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.web.middleware.OperatorMiddleware",
    "accounts.web.entries.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "foundation.middleware.OwnerScopeMiddleware",
    "accounts.web.middleware.PersonMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.web.notifications.bell_context",
                "accounts.web.navigation.account_context",
                "trading.web.protection_presenters.trading_state_context",
                "web.context_processors.site",
            ],
        },
    }
]

# --- database -------------------------------------------------------------------------------------------------------

_DATABASE: dict[str, Any] = environ.Env.db_url_config(ENVIRONMENT.database_url)
_DATABASE |= {"ATOMIC_REQUESTS": False, "CONN_HEALTH_CHECKS": True}
_DATABASE.setdefault("OPTIONS", {})
_DATABASE["OPTIONS"] |= {
    "connect_timeout": 3,
    "application_name": "trading-platform",
    "options": (
        "-c timezone=UTC -c statement_timeout=20000 -c lock_timeout=5000 "
        "-c idle_in_transaction_session_timeout=15000"
    ),
}
# Web threads share a pool; workers keep one connection each (Django allows only one of the two).
if ENVIRONMENT.database_pool:
    _DATABASE["CONN_MAX_AGE"] = 0
    _DATABASE["CONN_HEALTH_CHECKS"] = False
    _DATABASE["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 12, "timeout": 5}
else:
    _DATABASE["CONN_MAX_AGE"] = 60
DATABASES = {"default": _DATABASE}

# Lists and reports may read a copy that lags a little (see foundation.replica).
if ENVIRONMENT.database_replica_url:
    _REPLICA: dict[str, Any] = _DATABASE | environ.Env.db_url_config(
        ENVIRONMENT.database_replica_url
    )
    _REPLICA["OPTIONS"] = _DATABASE["OPTIONS"] | {
        "options": f"{_DATABASE['OPTIONS']['options']} -c default_transaction_read_only=on"
    }
    # A test database has no copy of its own: the alias leads to the same one.
    _REPLICA["TEST"] = {"MIRROR": "default"}
    DATABASES["replica"] = _REPLICA

# --- cache ------------------------------------------------------------------------------------------------

REDIS_URL = ENVIRONMENT.redis_url
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
        # A page that needs the counters says so rather than wait for them.
        "OPTIONS": {"socket_timeout": 3, "socket_connect_timeout": 2},
    }
}

# --- mail -----------------------------------------------------------------------------------------------------------

# Without a server, mails land in a folder (page /dev/mail/); in production they go nowhere, for they carry links that
# sign people in.
_MAIL_URL = ENVIRONMENT.email_url or (
    "dummymail://"
    if ENVIRONMENT.app_env == "production"
    else (BASE_DIR / ".local" / "mail").as_uri().replace("file:", "filemail:", 1)
)
_MAIL: dict[str, Any] = environ.Env.email_url_config(_MAIL_URL)
EMAIL_BACKEND = _MAIL["EMAIL_BACKEND"]
EMAIL_FILE_PATH = ""
if _MAIL_URL.startswith("filemail:"):
    EMAIL_BACKEND = "accounts.adapters.mail_folder.FolderBackend"
    EMAIL_FILE_PATH = unquote(urlsplit(_MAIL_URL).path)
#: Whether the page of kept mails is there, for a browser on this machine.
SHOWS_MAILS = ENVIRONMENT.app_env != "production"
EMAIL_HOST = _MAIL.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = _MAIL.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _MAIL.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _MAIL.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(_MAIL.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_MAIL.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENVIRONMENT.mail_from
SERVER_EMAIL = ENVIRONMENT.mail_from

# --- pages ----------------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/litecharts", Path(litecharts.__file__).parent / "js"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000

CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    },
}
#: The admin theme brings Alpine and inline styles, so it has a policy of its own (see foundation.middleware).
ADMIN_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "web.views.errors.csrf_failure"

# --- operators' pages -----------------------------------------------------------------------------------------------

CONSTANCE_BACKEND = operators.CONSTANCE_BACKEND
CONSTANCE_CONFIG = operators.CONSTANCE_CONFIG
UNFOLD = operators.UNFOLD
FORMAT_MODULE_PATH = operators.FORMAT_MODULE_PATH

# --- API ------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.BearerAuthentication",
        "foundation.http.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["foundation.scopes.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["foundation.throttles.RateThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["foundation.http.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "foundation.schema.Schema",
    "EXCEPTION_HANDLER": "foundation.http.problem_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "COERCE_DECIMAL_TO_STRING": True,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Trading Platform API",
    "DESCRIPTION": "Everything that a page can do, for programs. See docs/api/README.md.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["foundation.schema.add_problem"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
}

#: How often the API may be called, by token, person or address (see foundation.throttles).
API_RATES: dict[str, Rate] = {
    "read": Rate(120, 60),
    "write": Rate(30, 60),
    "sign_in": Rate(5, 60, is_closed_without_counters=True),
    "refresh": Rate(30, 60, is_closed_without_counters=True),
    "mail": Rate(5, 3_600, is_closed_without_counters=True),
    "password": Rate(5, 300, is_closed_without_counters=True),
    "trade": Rate(10, 60),
    "backtest": Rate(10, 60),
    "credential": Rate(6, 3_600, is_closed_without_counters=True),
    "export": Rate(20, 3_600),
    "checkout": Rate(10, 60),
    "forged_notice": Rate(60, 60),
}

SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": ENVIRONMENT.jwt_secret_key,
    "AUDIENCE": "trading-platform-api",
    "ISSUER": SITE_URL,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "USER_ID_FIELD": "public_id",
    "USER_ID_CLAIM": "sub",
}

# --- trading --------------------------------------------------------------------------------------------------------

HORIZONS = Horizons().scaled(ENVIRONMENT.horizon_scale)
#: While this file exists nothing is opened or sent on this machine, but cancellations.
HALT_FILE = ENVIRONMENT.halt_file
#: Under which name this machine's address counts at the venues: machines behind one address share its budgets.
EGRESS_NAME = ENVIRONMENT.venue_calls.egress_name
#: The part of a venue's limit that we use; the rest is for whoever else calls from there, and for surprises.
VENUE_BUDGET_SHARE = ENVIRONMENT.venue_calls.budget_share
#: Processes among which the budgets are divided while Redis is away.
VENUE_PROCESSES = ENVIRONMENT.venue_calls.processes
#: Connections of one process to one venue, and clients that it keeps from task to task.
VENUE_CONNECTIONS = ENVIRONMENT.venue_calls.connections
VENUE_CLIENTS = ENVIRONMENT.venue_calls.clients
# Series of candles as this machine keeps them between two computations, and the most that they take.
CANDLE_CACHE_FOLDER = ENVIRONMENT.candle_cache.folder
CANDLE_CACHE_BYTES = ENVIRONMENT.candle_cache.megabytes * 1_000_000
SIMULATOR_URL = ENVIRONMENT.simulator_url
SIMULATOR_ADMIN_TOKEN = ENVIRONMENT.simulator_admin_token
#: From where this platform speaks to venues; people allow these addresses for their keys.
EGRESS_ADDRESSES = ENVIRONMENT.egress_addresses
INSTALLATION_SALT = ENVIRONMENT.installation_salt
JWT_SECRET_KEY = ENVIRONMENT.jwt_secret_key
API_ENCRYPTION_KEY = ENVIRONMENT.api_encryption_key
API_ENCRYPTION_PUBLIC_KEY = ENVIRONMENT.api_encryption_public_key
FIELD_ENCRYPTION_KEY = ENVIRONMENT.field_encryption_key
#: Who opens the rings above where they are wrapped.
VAULT = ENVIRONMENT.vault

# --- metrics --------------------------------------------------------------------------------------------------------

METRICS_TOKEN = ENVIRONMENT.metrics_token
WORKER_METRICS_PORT = ENVIRONMENT.worker_metrics_port

# --- logs -----------------------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {"()": "foundation.logs.ConsoleFormatter"},
        "json": {"()": "foundation.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": ENVIRONMENT.log_format}},
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.log_level},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "ccxt": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
        "asyncio": {"level": "WARNING"},
    },
}
