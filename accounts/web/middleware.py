"""What a signed-in person's requests get: their time zone, a trace of the session, and the operators' door."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from redis.exceptions import RedisError

from accounts.services import sessions
from foundation import site_settings
from foundation.http import address_of

GetResponse = Callable[[HttpRequest], HttpResponse]

SEEN_KEY: Final = "seen_at"
#: How often the time at which a session was last seen is written, at most.
_SEEN_EVERY: Final = timedelta(minutes=5)
_API_PREFIX: Final = "/api/"
_RETRY_AFTER_S: Final = 30


class PersonMiddleware:
    """Show times in the person's zone, note when a session was seen, and close what cannot be guarded."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer within the person's time zone."""
        if not request.user.is_authenticated:
            return self._get_response(request)
        now = timezone.now()
        if _is_idle(request, now=now):
            return self._end_session(request)
        if not _asks_by_itself(request):
            _note_seen(request, now=now)
        with timezone.override(_zone_of(request.user.time_zone)):
            return self._get_response(request)

    def _end_session(self, request: HttpRequest) -> HttpResponse:
        """Sign out whoever has not been here for long, and go on as with a stranger."""
        logout(request)
        minutes = settings.SESSION_IDLE_S // 60
        messages.info(request, f"You were signed out after {minutes} minutes without use.")
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer 503 on a page whose tries cannot be counted: without Redis nobody may guess at secrets."""
        if not isinstance(error, RedisError) or request.path.startswith(_API_PREFIX):
            return None
        context = {
            "site_name": site_settings.defaults().site_name,
            "status": 503,
            "message": "Signing in and changes of your account are closed for a moment.",
            "request_id": request.META.get("REQUEST_ID", ""),
        }
        response = render(request, "errors/error.html", context, status=503)
        response["Retry-After"] = str(_RETRY_AFTER_S)
        return response


class OperatorMiddleware:
    """Open the operators' pages to staff alone, and only after their second factor."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, arguments: Any, options: Any
    ) -> HttpResponse | None:
        """Lead to sign-in, to the second factor, or to nothing at all."""
        if not request.path.startswith(reverse("admin:index")):
            return None
        if not request.user.is_authenticated:
            return redirect_to_login(_wanted(request), reverse("account_login"))
        if not request.user.is_staff:
            raise Http404
        if not settings.STAFF_SECOND_FACTOR_REQUIRED or proved_second_factor(request):
            # The admin's own form would ask for a password alone; whoever is here is signed in.
            return redirect("admin:index") if request.path == reverse("admin:login") else None
        return _to_second_factor(request)


def proved_second_factor(request: HttpRequest) -> bool:
    """Tell whether this session has shown the person's second factor, at sign-in or since."""
    records = get_authentication_records(request, request.user)
    return any(record.get("method") == "mfa" for record in records)


def _to_second_factor(request: HttpRequest) -> HttpResponse:
    if is_mfa_enabled(request.user, [Authenticator.Type.TOTP]):
        query = urlencode({"next": _wanted(request)})
        return HttpResponseRedirect(f"{reverse('mfa_reauthenticate')}?{query}")
    messages.warning(request, "Operators need a second factor. Set it up, then open Admin again.")
    return redirect("mfa_activate_totp")


def _wanted(request: HttpRequest) -> str:
    """Return the page to come back to; a form that was sent cannot be sent again by a link."""
    index = reverse("admin:index")
    is_page = request.method in {"GET", "HEAD"} and request.path != reverse("admin:login")
    return request.get_full_path() if is_page else index


def _is_idle(request: HttpRequest, *, now: datetime) -> bool:
    """Tell whether the session was not used for so long that it ends, up to one writing of the time later."""
    seen = request.session.get(SEEN_KEY)
    if seen is None or not settings.SESSION_IDLE_S:
        return False
    longest_s = settings.SESSION_IDLE_S + _SEEN_EVERY.total_seconds()
    return bool(now.timestamp() - seen > longest_s)


def _asks_by_itself(request: HttpRequest) -> bool:
    """Tell whether a script asks for news of an open page, which is nobody's use of the session."""
    by_script = "HX-Request" in request.headers or request.headers.get("Sec-Fetch-Dest") == "empty"
    return request.method in {"GET", "HEAD"} and by_script


def _note_seen(request: HttpRequest, *, now: datetime) -> None:
    """Write at most every few minutes; a session that did not come through our sign-in has no row."""
    seen = request.session.get(SEEN_KEY)
    if seen is None or now.timestamp() - seen < _SEEN_EVERY.total_seconds():
        return
    request.session[SEEN_KEY] = now.timestamp()
    sessions.note_seen(
        session_key=request.session.session_key or "",
        address=address_of(request),
        user_agent=request.headers.get("User-Agent", ""),
        now=now,
    )


def _zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
