"""A server behind a TLS proxy."""

from config.error_reports import report_errors
from config.settings.base import *  # noqa: F403  the settings of a Django environment are its base plus differences
from config.settings.environment import ENVIRONMENT

SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
# The header can be trusted only where a proxy of ours sets it.
if ENVIRONMENT.trusted_proxies:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

if ENVIRONMENT.sentry_dsn:
    report_errors(dsn=ENVIRONMENT.sentry_dsn, environment=ENVIRONMENT.app_env)
