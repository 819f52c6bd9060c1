"""What somebody had typed into a form when their session ended: theirs to copy, secrets left out."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from foundation import scrubbing, site_settings

_MOST_ENTRIES: Final = 40
_LONGEST: Final = 2_000
#: Parts of a form that nobody typed, and codes, which are secrets by another name.
_NOT_TYPED: Final = frozenset({"csrfmiddlewaretoken", "next", "form", "code", "session", "login"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One field that somebody had filled in."""

    label: str
    value: str


def entries_of(request: HttpRequest) -> list[Entry]:
    """Return what was typed into the form that *request* sends, without anything that looks like a secret."""
    if request.method != "POST":
        return []
    found = []
    for name, values in request.POST.lists():
        value = ", ".join(str(part) for part in values).strip()[:_LONGEST]
        is_secret = scrubbing.scrub_value(value, name=name) != value
        if value and not is_secret and name not in _NOT_TYPED:
            found.append(Entry(name.replace("_", " ").capitalize(), value))
    return found[:_MOST_ENTRIES]


def session_ended(request: HttpRequest) -> HttpResponse:
    """Answer 403 with the way to sign in again and what was typed, so that nothing is lost."""
    context = {
        "site_name": site_settings.defaults().site_name,
        "status": 403,
        "message": "Your session ended",
        "entries": entries_of(request),
        "sign_in_url": f"{reverse('account_login')}?{urlencode({'next': _page_of_form(request)})}",
    }
    return render(request, "errors/session_ended.html", context, status=403)


def _page_of_form(request: HttpRequest) -> str:
    """Return the page on which the form was: some forms are sent to an address that shows none."""
    came_from = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(came_from, allowed_hosts={request.get_host()}):
        return urlsplit(came_from).path
    return request.path


class SignInMiddleware(LoginRequiredMiddleware):
    """Leads strangers to sign-in; a form that was filled in is not lost on the way."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> Any:
        """Show what was typed, if there was a form, else redirect to sign-in."""
        if entries_of(request):
            return session_ended(request)
        return super().handle_no_permission(request, view_func)
