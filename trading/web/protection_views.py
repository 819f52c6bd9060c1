"""The page on protections and trading states of a person, and what can be done there."""

from typing import Any
from uuid import UUID, uuid4

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exchanges.selectors import accounts
from foundation.http import actor_of
from market.errors import NotFoundError, PlatformError
from trading.selectors import deployments as deployment_selectors
from trading.selectors import limits as limit_selectors
from trading.selectors import restrictions as selectors
from trading.services import flattening, limits, restrictions, targets
from trading.services.targets import UnknownTargetError
from trading.web.protection_forms import FlattenForm, LimitsForm, StateForm
from trading.web.protection_presenters import present_limited, present_restriction


@require_safe
def protections(request: HttpRequest) -> HttpResponse:
    """Show what is restricted, what is limited, and what was."""
    return _page(request, _state_form(request))


@require_POST
def set_state(request: HttpRequest) -> HttpResponse:
    """Let something of the person's trade less, or go on."""
    form = _state_form(request, request.POST)
    if form.is_valid():
        try:
            restrictions.set_by_hand(
                target=targets.of_own(request.user, text=form.cleaned_data["scope"]),
                state=form.cleaned_data["state"],
                reason=form.cleaned_data["reason"],
                by=actor_of(request),
                is_operator=False,
                now=timezone.now(),
            )
        except PlatformError as error:
            form.add_problems(error)
        else:
            messages.success(request, "Done. It holds at once.")
            return redirect("trading:protections")
    return _page(request, form, status=422)


@require_POST
def release(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """End a restriction that is the person's to end."""
    try:
        row = selectors.get_restriction_for(request.user, public_id=public_id)
        restrictions.release(
            restriction=row,
            note="Released by its owner.",
            by=actor_of(request),
            is_operator=False,
            now=timezone.now(),
        )
    except NotFoundError as error:
        raise Http404 from error
    except PlatformError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{row.target_name}: it goes on from the next bar.")
    return redirect("trading:protections")


@require_http_methods(["GET", "HEAD", "POST"])
def change_limits(request: HttpRequest) -> HttpResponse:
    """Show the limits of a deployment, an account or everything, or change them."""
    text = request.GET.get("of", "person")
    try:
        target = targets.of_own(request.user, text=text)
    except (NotFoundError, UnknownTargetError) as error:
        raise Http404 from error
    known = limit_selectors.find_limits_for(request.user, key=target.key)
    form = LimitsForm(request.POST if request.method == "POST" else None, limits=known)
    if request.method == "POST" and form.is_valid():
        try:
            limits.save_limits(
                target=target,
                owner_id=request.user.pk or 0,
                values=form.wish(),
                by=actor_of(request),
                now=timezone.now(),
            )
        except PlatformError as error:
            form.add_problems(error)
        else:
            messages.success(request, f"{target.name}: the limits hold from now on.")
            return redirect("trading:protections")
    status = 422 if form.errors else 200
    context = {"form": form, "target": target}
    return TemplateResponse(request, "trading/limits.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required(allow_get=True)  # type: ignore[untyped-decorator]  # the library ships no types
def flatten(request: HttpRequest) -> HttpResponse:
    """Ask whether everything is to be closed, or close it."""
    form = FlattenForm(request.POST or None, initial={"idempotency_key": uuid4().hex})
    if request.method == "POST" and form.is_valid():
        try:
            told = flattening.flatten_all(
                owner_id=request.user.pk or 0,
                idempotency_key=form.cleaned_data["idempotency_key"],
                reason=form.cleaned_data["reason"],
                by=actor_of(request),
                now=timezone.now(),
            )
        except PlatformError as error:
            form.add_problems(error)
        else:
            messages.success(request, f"{told} deployments close what they hold.")
            return redirect("trading:protections")
    status = 422 if form.errors else 200
    return TemplateResponse(request, "trading/flatten.html", {"form": form}, status=status)


def _page(request: HttpRequest, form: StateForm, *, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "form": form,
        "in_force": [
            present_restriction(row, owner_id=request.user.pk, now=now)
            for row in selectors.concerning(request.user, now=now)
        ],
        "limited": [present_limited(each) for each in limit_selectors.limits_for(request.user)],
        "targets": _targets(request),
        "history": [
            present_restriction(row, owner_id=request.user.pk, now=now)
            for row in selectors.history_of(request.user)
        ],
    }
    return TemplateResponse(request, "trading/protections.html", context, status=status)


def _state_form(request: HttpRequest, data: Any = None) -> StateForm:
    return StateForm(
        data,
        accounts=list(accounts.accounts_for(request.user)),
        deployments=deployment_selectors.at_work_for(request.user),
    )


def _targets(request: HttpRequest) -> list[tuple[str, str]]:
    """Return what may be limited, by the word in the address."""
    own = [("person", "Everything of mine")]
    own += [
        (f"account:{a.public_id}", f"Account {a.label}")
        for a in accounts.accounts_for(request.user)
    ]
    own += [
        (f"deployment:{d.public_id}", f"“{d.name}”")
        for d in deployment_selectors.at_work_for(request.user)
    ]
    return own
