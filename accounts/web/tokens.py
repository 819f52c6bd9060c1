"""The page of the tokens with which a person's programs come in."""

import secrets
from typing import Final
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.selectors import tokens as selectors
from accounts.selectors.tokens import TokenNotFoundError
from accounts.services import personal_tokens
from accounts.web.forms import TokenForm
from accounts.web.presenters import present_token
from accounts.web.visitors import person_of
from foundation.http import actor_of
from market.errors import ConflictError, InvalidInputError

#: Where the session keeps the mark of the form that may be sent once.
_FORM_KEY: Final = "token_form"


@require_safe
def token_list(request: HttpRequest) -> HttpResponse:
    """List a person's tokens, with the form of a new one."""
    return _page(request, TokenForm())


@require_POST
@reauthentication_required  # type: ignore[untyped-decorator]  # the library ships no types
def create(request: HttpRequest) -> HttpResponse:
    """Make a token and show its text, this once; the same form again makes no second one."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    mark = request.session.pop(_FORM_KEY, None)
    if mark is None or mark != request.POST.get("form"):
        messages.info(request, "That token is made already. If you lost its text, make a new one.")
        return redirect("accounts:tokens")
    try:
        token, text = personal_tokens.create_token(
            owner=person_of(request),
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_in_days=form.cleaned_data["expires_in_days"],
            by=actor_of(request),
            now=timezone.now(),
        )
    except (ConflictError, InvalidInputError) as error:
        form.add_problems(error)
        return _page(request, form, status=422)
    context = {"token": present_token(token, now=timezone.now()), "text": text}
    return TemplateResponse(request, "accounts/token_made.html", context)


@require_POST
def revoke(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """End a token at once."""
    try:
        token = personal_tokens.revoke_token(
            owner=person_of(request), public_id=public_id, by=actor_of(request), now=timezone.now()
        )
    except TokenNotFoundError as error:
        raise Http404 from error
    messages.success(request, f"“{token.name}” is revoked.")
    return redirect("accounts:tokens")


def _page(request: HttpRequest, form: TokenForm, *, status: int = 200) -> HttpResponse:
    now = timezone.now()
    mark = request.session[_FORM_KEY] = secrets.token_hex(8)
    rows = [present_token(token, now=now) for token in selectors.tokens_for(person_of(request))]
    context = {"form": form, "rows": rows, "mark": mark}
    return TemplateResponse(request, "accounts/tokens.html", context, status=status)
