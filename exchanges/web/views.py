"""The pages of exchange accounts."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exchanges.adapters import key_guides
from exchanges.models import AccountKind, ExchangeAccount, Venue
from exchanges.selectors import accounts as selectors
from exchanges.selectors import connecting, equity, instruments
from exchanges.selectors.equity import EquityHistory
from exchanges.services import account_tests, accounts
from exchanges.web.equity import chart_of, present_totals, remark_on
from exchanges.web.forms import KEY_FIELDS, ConnectForm, KeyForm, PaperForm
from exchanges.web.presenters import (
    present_account,
    present_choice,
    present_guide,
    present_paper_only,
)
from foundation.http import actor_of, is_fragment
from market.errors import ConflictError, EntitlementError, InvalidInputError

_HEADERS = {"Vary": "HX-Request"}
#: How far back charts of equity go.
_CHARTED: Final = timedelta(days=90)
_ROWS_A_PAGE: Final = 50


@require_safe
def account_list(request: HttpRequest) -> HttpResponse:
    """List a person's open accounts, and what all of them are worth."""
    mine = list(selectors.accounts_for(request.user))
    valuation = equity.value_for(request.user, accounts=mine, now=timezone.now())
    page = Paginator(mine, _ROWS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [present_account(each, valuation.by_account.get(each.pk)) for each in page],
        "equity": present_totals(valuation),
    }
    return TemplateResponse(request, "exchanges/list.html", context)


@require_safe
def equity_chart(request: HttpRequest) -> JsonResponse:
    """Return what a person's accounts were worth, for a chart."""
    return JsonResponse(chart_of(_history(request)))


@require_safe
def account_equity_chart(request: HttpRequest, public_id: UUID) -> JsonResponse:
    """Return what one account was worth, for a chart."""
    account = _account_or_404(request, public_id)
    return JsonResponse(chart_of(_history(request, account)))


def _history(request: HttpRequest, account: ExchangeAccount | None = None) -> EquityHistory:
    now = timezone.now()
    return equity.history_for(request.user, since=now - _CHARTED, now=now, account=account)


@require_safe
def choose(request: HttpRequest) -> HttpResponse:
    """Let a person choose where to connect: the first step."""
    context = {
        "venues": [present_choice(venue) for venue in connecting.connectable_venues()],
        "paper_only": [present_paper_only(venue) for venue in connecting.paper_only_venues()],
        "paper_form": _paper_form(request),
    }
    return TemplateResponse(request, "exchanges/choose.html", context)


@sensitive_post_parameters(*KEY_FIELDS)
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest, venue_code: str) -> HttpResponse:
    """Explain what a key may do and take it: the second step; the third is the account's page, where the test shows."""
    venue = _venue_or_404(venue_code)
    guide = key_guides.guide_for(venue)
    form = ConnectForm(request.POST or None, guide=guide)
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            account = accounts.connect_account(
                owner=request.user,
                venue_code=venue.code,
                label=form.cleaned_data["label"],
                **form.entered,
                by=actor_of(request),
                now=timezone.now(),
            )
        except (ConflictError, InvalidInputError) as error:
            form.add_problems(error)
        except EntitlementError as error:
            refusal = error
        else:
            return _to_account(request, account, form)
    context = {"form": form, "refusal": refusal, "page": present_guide(venue, guide)}
    status = refusal.status if refusal else 422 if form.errors else 200
    return TemplateResponse(request, "exchanges/connect.html", context, status=status)


@require_safe
def detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show an account; answer only where it stands to htmx, and 204 if that is known there."""
    account = _account_or_404(request, public_id)
    if not is_fragment(request):
        valuation = equity.value_for(request.user, accounts=[account], now=timezone.now())
        context = {
            "page": present_account(account, valuation.by_account.get(account.pk)),
            "remark": remark_on(valuation),
        }
        return TemplateResponse(request, "exchanges/detail.html", context, headers=_HEADERS)
    page = present_account(account)
    if request.GET.get("version") == str(page.version):
        return HttpResponse(status=204, headers=_HEADERS)
    if not page.is_being_tested:
        # What can be done with an account, and its balances, change with the result.
        return HttpResponse(headers={"HX-Refresh": "true", **_HEADERS})
    return TemplateResponse(request, "exchanges/_status.html", {"page": page}, headers=_HEADERS)


@require_POST
def test(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Have the key tested, and go back to the account's page."""
    _account_or_404(request, public_id)
    try:
        account_tests.request_test(
            owner=request.user,
            account_public_id=public_id,
            by=actor_of(request),
            now=timezone.now(),
        )
    except ConflictError as error:
        messages.error(request, error.message)
    return redirect("exchanges:detail", public_id=public_id)


@sensitive_post_parameters(*KEY_FIELDS)
@require_http_methods(["GET", "HEAD", "POST"])
def replace_key(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the form for new keys, or put them in the place of the old ones."""
    account = _account_or_404(request, public_id)
    if account.kind == AccountKind.PAPER or account.closed_at is not None:
        raise Http404
    guide = key_guides.guide_for(account.venue)
    form = KeyForm(request.POST or None, guide=guide)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.replace_credential(
                owner=request.user,
                account_public_id=public_id,
                **form.entered,
                by=actor_of(request),
                now=timezone.now(),
            )
        except (ConflictError, InvalidInputError) as error:
            form.add_problems(error)
        else:
            return _to_account(request, account, form)
    context = {
        "form": form,
        "account": present_account(account),
        "page": present_guide(account.venue, guide),
    }
    return TemplateResponse(
        request, "exchanges/replace_key.html", context, status=422 if form.errors else 200
    )


@require_POST
def declare(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take the person's word about the key in use, and go back to the account's page, where the test shows."""
    _account_or_404(request, public_id)
    if "declares_safe" not in request.POST:
        messages.error(request, "Tick the declaration, or replace the key.")
        return redirect("exchanges:detail", public_id=public_id)
    try:
        accounts.declare_safe(
            owner=request.user,
            account_public_id=public_id,
            by=actor_of(request),
            now=timezone.now(),
        )
    except ConflictError as error:
        messages.error(request, error.message)
    return redirect("exchanges:detail", public_id=public_id)


@require_POST
def close(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Close an account and go to the list."""
    account = _account_or_404(request, public_id)
    try:
        accounts.close_account(
            owner=request.user,
            account_public_id=public_id,
            by=actor_of(request),
            now=timezone.now(),
        )
    except ConflictError as error:
        messages.error(request, error.message)
        return redirect("exchanges:detail", public_id=public_id)
    messages.success(request, f"“{account.label}” is closed, and its keys are erased.")
    return redirect("exchanges:list")


@require_POST
def paper(request: HttpRequest) -> HttpResponse:
    """Open a paper account at a venue, or go to the one that is there."""
    form = _paper_form(request)
    if not form.is_valid():
        messages.error(request, "Choose the exchange whose prices the paper account should use.")
        return redirect("exchanges:choose")
    account = accounts.ensure_paper_account(
        owner=request.user,
        venue_code=form.cleaned_data["paper_venue"],
        by=actor_of(request),
        now=timezone.now(),
    )
    return redirect("exchanges:detail", public_id=account.public_id)


def _paper_form(request: HttpRequest) -> PaperForm:
    data = request.POST if "paper_venue" in request.POST else None
    return PaperForm(data, venues=instruments.active_venues())


def _to_account(request: HttpRequest, account: ExchangeAccount, form: KeyForm) -> HttpResponse:
    for note in form.notes:
        messages.info(request, note)
    return redirect("exchanges:detail", public_id=account.public_id)


def _venue_or_404(code: str) -> Venue:
    try:
        return connecting.get_connectable_venue(code)
    except instruments.UnknownVenueError as error:
        raise Http404 from error


def _account_or_404(request: HttpRequest, public_id: UUID) -> ExchangeAccount:
    try:
        return selectors.get_account_for(request.user, public_id=public_id)
    except selectors.ExchangeAccountNotFoundError as error:
        raise Http404 from error
