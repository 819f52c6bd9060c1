"""A person's own pages: profile, security, sessions, and the end of the account."""

from typing import Final

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Theme, User
from accounts.selectors import factors
from accounts.selectors import sessions as session_selectors
from accounts.selectors.sessions import SessionNotFoundError
from accounts.services import people, sessions
from accounts.web.forms import DeleteForm, ProfileForm
from accounts.web.presenters import present_security, present_sessions
from accounts.web.visitors import person_of
from foundation.http import actor_of
from market.errors import ConflictError, InvalidInputError

_PROFILE: Final = ("display_name", "bio", "time_zone", "currency", "theme")
_THEME_COOKIE: Final = "theme"
_THEME_COOKIE_AGE_S: Final = 31_536_000


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Show how a person is called and how they read, or change it."""
    person = person_of(request)
    form = ProfileForm(
        request.POST or None, initial={name: getattr(person, name) for name in _PROFILE}
    )
    if request.method == "POST" and form.is_valid():
        try:
            people.change_profile(
                person=person,
                **{name: form.cleaned_data[name] for name in _PROFILE},
                by=actor_of(request),
                now=timezone.now(),
            )
        except InvalidInputError as error:
            form.add_problems(error)
        else:
            messages.success(request, "Your profile is saved.")
            response = redirect("accounts:profile")
            _remember_theme(request, response, form.cleaned_data["theme"])
            return response
    status = 422 if form.errors else 200
    return TemplateResponse(request, "accounts/profile.html", {"form": form}, status=status)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the colors that were chosen in the menu, so that the next device has them too."""
    wanted = request.POST.get("theme", "").upper()
    if wanted not in Theme.values:
        return HttpResponseBadRequest()
    person = person_of(request)
    people.change_profile(
        person=person,
        **{name: getattr(person, name) for name in _PROFILE if name != "theme"},
        theme=wanted,
        by=actor_of(request),
        now=timezone.now(),
    )
    response = HttpResponse(status=204)
    _remember_theme(request, response, wanted)
    return response


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """Show how the account is guarded, with the way to change each part."""
    page = present_security(
        email=person_of(request).email,
        authenticators=factors.authenticators_of(person_of(request)),
        session_count=len(session_selectors.sessions_for(person_of(request), now=timezone.now())),
    )
    return TemplateResponse(request, "accounts/security.html", {"page": page})


@require_safe
def session_list(request: HttpRequest) -> HttpResponse:
    """List the browsers in which the person is signed in."""
    rows = present_sessions(
        session_selectors.sessions_for(person_of(request), now=timezone.now()),
        current_key=request.session.session_key,
    )
    return TemplateResponse(request, "accounts/sessions.html", {"rows": rows})


@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """Sign out one browser."""
    try:
        sessions.end_session(
            owner=person_of(request),
            reference=request.POST.get("session", ""),
            by=actor_of(request),
            now=timezone.now(),
        )
    except SessionNotFoundError as error:
        raise Http404 from error
    messages.success(request, "That device is signed out.")
    return redirect("accounts:sessions")


@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """Sign out every browser and program but this one."""
    person = people.end_all_sessions(
        person_id=person_of(request).pk,
        keep_session_key=request.session.session_key,
        by=actor_of(request),
        now=timezone.now(),
    )
    _stay_signed_in(request, person)
    messages.success(request, "All other devices are signed out.")
    return redirect("accounts:sessions")


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required(allow_get=True)  # type: ignore[untyped-decorator]  # the library ships no types
def delete(request: HttpRequest) -> HttpResponse:
    """Say what deleting an account means, or begin it and sign out."""
    form = DeleteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            people.request_erasure(
                person_id=person_of(request).pk, by=actor_of(request), now=timezone.now()
            )
        except ConflictError as error:
            form.add_error(None, error.message)
        else:
            logout(request)
            messages.success(request, "Your account is being deleted. You are signed out.")
            return redirect("web:home")
    status = 422 if form.errors else 200
    return TemplateResponse(request, "accounts/delete.html", {"form": form}, status=status)


def _stay_signed_in(request: HttpRequest, person: User) -> None:
    """Sign the present session anew after its epoch has ended, and list it under its new key."""
    before = request.session.session_key or ""
    update_session_auth_hash(request, person)
    request.session.save()
    sessions.rename_session(before=before, after=request.session.session_key or "")


def _remember_theme(request: HttpRequest, response: HttpResponse, theme: str) -> None:
    """Set the cookie from which pages are drawn before anybody is signed in; scripts read it too."""
    response.set_cookie(
        _THEME_COOKIE,
        theme.lower(),
        max_age=_THEME_COOKIE_AGE_S,
        samesite="Lax",
        secure=request.is_secure(),
    )
