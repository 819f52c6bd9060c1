"""How many requests there were, of which kind, and how long they took."""

import time
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from foundation.metrics.instruments import REQUEST_SECONDS

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetricsMiddleware:
    """Measure every request under the name of its route, never under its path: paths carry ids without end."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and keep how long that took."""
        begun = time.perf_counter()
        response = self._get_response(request)
        method = request.method if request.method in _METHODS else "OTHER"
        REQUEST_SECONDS.labels(method, _route_of(request), str(response.status_code)).observe(
            time.perf_counter() - begun
        )
        return response


def _route_of(request: HttpRequest) -> str:
    match = request.resolver_match
    if match is None:
        return "unmatched"
    return match.view_name or match.route
