"""What a person sees when something goes wrong; programs below /api/ get a problem instead."""

import math

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from accounts.web.entries import session_ended
from accounts.web.waits import seconds_to_wait
from foundation import site_settings
from foundation.http import PROBLEM_CONTENT_TYPE

_API_PREFIX = "/api/"


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400."""
    return _answer(request, 400, "bad_request", "The request could not be understood.")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403."""
    return _answer(request, 403, "forbidden", "You may not do this.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form without its token, usually because the session ended."""
    if not request.path.startswith(_API_PREFIX):
        return session_ended(request)
    return _answer(request, 403, "session_ended", "Your session ended. Sign in again.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404, the same for what does not exist and what belongs to somebody else."""
    return _answer(request, 404, "not_found", "There is nothing here, or it is not yours.")


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """429, from the accounts library: too many tries to sign in, sign up, or be sent a link."""
    wait_s = seconds_to_wait(request)
    minutes = math.ceil(wait_s / 60)
    span = f"{wait_s} seconds" if wait_s < 100 else f"{minutes} minutes"
    response = _answer(request, 429, "rate_limited", f"Too many tries. Try again in {span}.")
    response["Retry-After"] = str(wait_s)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """500."""
    return _answer(request, 500, "server_error", "Something broke on our side. It has been logged.")


def _answer(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    request_id = request.META.get("REQUEST_ID", "")
    if request.path.startswith(_API_PREFIX):
        body = {
            "type": f"urn:problem:{code}",
            "title": message,
            "status": status,
            "code": code,
            "detail": message,
            "request_id": request_id,
        }
        return JsonResponse(body, status=status, content_type=PROBLEM_CONTENT_TYPE)
    context = {
        "site_name": site_settings.defaults().site_name,
        "status": status,
        "code": code,
        "message": message,
        "request_id": request_id,
    }
    return render(request, "errors/error.html", context, status=status)
