"""What every request gets: an id, an owner scope, headers."""

from collections.abc import Callable
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from foundation import tenancy

GetResponse = Callable[[HttpRequest], HttpResponse]

_ADMIN_PREFIX = "/admin/"


class RequestContextMiddleware:
    """Give each request an id, and each answer the headers that django-csp and Django do not set."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with ``X-Request-ID``, a permissions policy and, in the admin, its own content policy."""
        request_id = uuid4().hex
        request.META["REQUEST_ID"] = request_id
        response = self._get_response(request)
        response["X-Request-ID"] = request_id
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
        if request.path.startswith(_ADMIN_PREFIX):
            response["Content-Security-Policy"] = settings.ADMIN_CONTENT_SECURITY_POLICY
        return response


class OwnerScopeMiddleware:
    """Enter the scope of the signed-in person, and keep private pages out of shared caches."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer within the person's scope."""
        person_id = request.user.pk if request.user.is_authenticated else None
        with tenancy.scope(person_id):
            response = self._get_response(request)
        if person_id is not None and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store, private"
        return response
