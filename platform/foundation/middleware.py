"""What every request gets: an id, an owner scope, headers."""

import logging
import time
from collections.abc import Callable
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from foundation import logs, tenancy

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]

_ADMIN_PREFIX = "/admin/"
_PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: A page that takes longer is worth a line of its own.
_SLOW_MS: Final = 1_000


class ProbeHostMiddleware:
    """Let probes and scrapers ask by address: these pages show no host name and no link."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe as if it had asked for the first allowed host."""
        if request.path in _PROBES and settings.ALLOWED_HOSTS:
            request.META["HTTP_HOST"] = settings.ALLOWED_HOSTS[0].lstrip(".")
        return self._get_response(request)


class RequestContextMiddleware:
    """Give each request an id, and each answer the headers that django-csp and Django do not set."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with ``X-Request-ID``, a permissions policy and, in the admin, its own content policy."""
        request_id = uuid4().hex
        request.META["REQUEST_ID"] = request_id
        begun = time.monotonic()
        with logs.bound(request_id=request_id):
            response = self._get_response(request)
            _report(request, response, duration_ms=round((time.monotonic() - begun) * 1_000))
        response["X-Request-ID"] = request_id
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
        if request.path.startswith(_ADMIN_PREFIX):
            response["Content-Security-Policy"] = settings.ADMIN_CONTENT_SECURITY_POLICY
        return response


def _report(request: HttpRequest, response: HttpResponse, *, duration_ms: int) -> None:
    """Log one line a request; that a page was merely looked at is for those who ask for every detail."""
    remarkable = (
        request.method not in _SAFE_METHODS
        or response.status_code >= 500
        or duration_ms >= _SLOW_MS
    )
    logger.log(
        logging.INFO if remarkable else logging.DEBUG,
        "request.finished",
        extra={
            "method": request.method,
            "path": request.path[:200],
            "status": response.status_code,
            "duration_ms": duration_ms,
            "person_id": request.META.get("PERSON_ID"),
        },
    )


class OwnerScopeMiddleware:
    """Enter the scope of the signed-in person, and keep private pages out of shared caches."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer within the person's scope."""
        person_id = request.user.pk if request.user.is_authenticated else None
        request.META["PERSON_ID"] = person_id
        with tenancy.scope(person_id), logs.bound(person_id=person_id):
            response = self._get_response(request)
        # A token may have named the person only after this middleware.
        is_private = request.META.get("PERSON_ID", person_id) is not None
        if is_private and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store, private"
        return response
