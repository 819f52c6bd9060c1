"""Settings that hold in every environment; what differs is in ``local``, ``test`` and ``production``."""

import hmac
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import environ
import litecharts
from csp.constants import NONE, SELF
from kombu import Queue

from config.env import KNOWN_NAMES, load_environment
from config.schedule import collect_schedule
from config.settings import operators
from foundation.horizons import Horizons
from foundation.rates import Rate

ENVIRONMENT: Final = load_environment()
#: Every variable that may be set.
VARIABLES: Final = KNOWN_NAMES
BASE_DIR: Final = Path(__file__).resolve().parents[3]

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.csrf_trusted_origins)
SITE_URL = ENVIRONMENT.site_url
SITE_NAME = "Trading Platform"
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

# --- cache and queue ------------------------------------------------------------------------------------------------

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

#: Every queue, and what travels on it; a task that names another one is refused.
QUEUES: Final = {
    "control": "stop, flatten, cancel, halt, key tests",
    "orders": "submission, reconciliation",
    "ingest": "candles from venues",
    "evaluate": "strategies at each closed bar",
    "compute": "backtests",
    "default": "events, mail, housekeeping",
}

_BROKER_TIMEOUTS = {
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "retry_on_timeout": True,
    "health_check_interval": 15,
}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "queue_order_strategy": "priority",
    **_BROKER_TIMEOUTS,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.5}
CELERY_TASK_QUEUES = tuple(Queue(name) for name in QUEUES)
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = ["foundation.queue.route_task"]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_SOFT_TIME_LIMIT = 30
CELERY_TASK_TIME_LIMIT = 45
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_MAX_TASKS_PER_CHILD = 5_000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 600_000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_SEND_SENT_EVENT = False
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "foundation.beat:LeaderScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE = collect_schedule()

# --- people ---------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "accounts.validators.MaximumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "web:dashboard"
LOGOUT_REDIRECT_URL = "web:home"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.web.forms.LoginForm",
    "signup": "accounts.web.forms.SignupForm",
    "add_email": "accounts.web.forms.ChangeAddressForm",
    "change_password": "accounts.web.forms.ChangePasswordForm",
    "reset_password": "accounts.web.forms.ForgottenPasswordForm",
    "reset_password_from_key": "accounts.web.forms.ResetPasswordForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 2
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SITE_URL.startswith("https") else "http"
#: Tries in a span of time by network address (``ip``), by account or mail address (``key``), or by person (``user``).
ACCOUNT_RATE_LIMITS = {
    "login": "5/m/ip,20/h/ip",
    "login_failed": "5/5m/key,20/h/key",
    "signup": "5/h/ip",
    "reset_password": "5/h/ip,5/h/key",
    "reset_password_from_key": "20/h/ip",
    "confirm_email": "5/h/key",
    "send_link": "5/h/ip,5/h/key",
    "manage_email": "5/h/user",
    "change_password": "5/m/user",
    "reauthenticate": "5/m/user",
}
# Whoever sends more addresses in X-Forwarded-For than there are proxies of ours is not believed.
ALLAUTH_TRUSTED_PROXY_COUNT = ENVIRONMENT.trusted_proxies
MFA_ADAPTER = "accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_RECOVERY_CODE_COUNT = 10
MFA_TOTP_ISSUER = SITE_NAME
#: A cookie that the event of a sign-up hands on unread; the app that sets it signs it (see referrals.services.hints).
SIGN_UP_HINT_COOKIE = "referral"
#: A link that resets a password, in seconds.
PASSWORD_RESET_TIMEOUT = 3_600
#: A session ends so long after its sign-in, however busy it is.
SESSION_COOKIE_AGE = 12 * 3_600
#: It also ends so long after it was last used by the person, in seconds; 0 for never. A page that asks for news by itself
#: is no use.
SESSION_IDLE_S = ENVIRONMENT.session_idle_minutes * 60
#: The operators' pages open only to sessions that were signed in with a second factor.
STAFF_SECOND_FACTOR_REQUIRED = True

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
SIMULATOR_URL = ENVIRONMENT.simulator_url
SIMULATOR_ADMIN_TOKEN = ENVIRONMENT.simulator_admin_token
INSTALLATION_SALT = ENVIRONMENT.installation_salt
JWT_SECRET_KEY = ENVIRONMENT.jwt_secret_key
API_ENCRYPTION_KEY = ENVIRONMENT.api_encryption_key
API_ENCRYPTION_PUBLIC_KEY = ENVIRONMENT.api_encryption_public_key
FIELD_ENCRYPTION_KEY = ENVIRONMENT.field_encryption_key

# --- payments -------------------------------------------------------------------------------------------------------

#: Who takes the money for new orders; ``none`` sells nothing.
PAYMENT_PROVIDER = ENVIRONMENT.payment_provider
#: Whose notices are taken, and who is asked about orders that are there: the bank for development also in tests of
#: another provider, but in production only where somebody chose it; Stripe wherever there is a key for it.
PAYMENT_PROVIDERS: list[str] = (
    ["development"]
    if PAYMENT_PROVIDER == "development" or ENVIRONMENT.app_env != "production"
    else []
)
if ENVIRONMENT.stripe_secret_key:
    PAYMENT_PROVIDERS.append("stripe")
STRIPE_SECRET_KEY = ENVIRONMENT.stripe_secret_key
#: What proves notices of Stripe: the secret in use, and the one before it.
STRIPE_WEBHOOK_SECRETS: tuple[str, str] = (
    ENVIRONMENT.stripe_webhook_secret,
    ENVIRONMENT.stripe_webhook_secret_previous,
)
#: Where Stripe's stand-in answers, in tests; empty for Stripe itself.
STRIPE_API_BASE = ENVIRONMENT.stripe_api_base
#: What proves notices of the bank for development: the secret in use, and the one before it.
DEVELOPMENT_WEBHOOK_SECRETS: tuple[str, str] = (
    hmac.new(
        ENVIRONMENT.installation_salt.encode(), b"notices of the development bank", "sha256"
    ).hexdigest(),
    "",
)

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
