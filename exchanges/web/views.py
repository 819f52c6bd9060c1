"""The pages of exchange accounts."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exchanges.models import AccountKind, ExchangeAccount
from exchanges.selectors import accounts as selectors
from exchanges.selectors import instruments
from exchanges.services import account_tests, accounts
from exchanges.web.forms import KEY_FIELDS, ConnectForm, KeyForm, PaperForm
from exchanges.web.presenters import present_account
from foundation.http import actor_of, is_fragment
from market.errors import ConflictError, EntitlementError, InvalidInputError

_HEADERS = {"Vary": "HX-Request"}


@require_safe
def account_list(request: HttpRequest) -> HttpResponse:
    """List a person's open accounts."""
    rows = [present_account(account) for account in selectors.accounts_for(request.user)]
    return TemplateResponse(request, "exchanges/list.html", {"rows": rows})


@sensitive_post_parameters(*KEY_FIELDS)
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest) -> HttpResponse:
    """Show the form of a new account, or store it and go to its page, where the test shows."""
    venues = [venue for venue in instruments.active_venues() if venue.takes_live_accounts]
    form = ConnectForm(request.POST or None, venues=venues)
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            account = accounts.connect_account(
                owner=request.user,
                venue_code=form.cleaned_data["venue"],
                label=form.cleaned_data["label"],
                **{name: form.cleaned_data[name] for name in KEY_FIELDS},
                by=actor_of(request),
                now=timezone.now(),
            )
        except (ConflictError, InvalidInputError) as error:
            form.add_problems(error)
        except EntitlementError as error:
            refusal = error
        else:
            return _to_account(request, account, form)
    context = {"form": form, "paper_form": _paper_form(request), "refusal": refusal}
    status = refusal.status if refusal else 422 if form.errors else 200
    return TemplateResponse(request, "exchanges/connect.html", context, status=status)


@require_safe
def detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show an account; answer only where it stands to htmx, and 204 if that is known there."""
    page = present_account(_account_or_404(request, public_id))
    if not is_fragment(request):
        return TemplateResponse(request, "exchanges/detail.html", {"page": page}, headers=_HEADERS)
    if request.GET.get("version") == str(page.version):
        return HttpResponse(status=204, headers=_HEADERS)
    if not page.is_testing:
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
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.replace_credential(
                owner=request.user,
                account_public_id=public_id,
                **{name: form.cleaned_data[name] for name in KEY_FIELDS},
                by=actor_of(request),
                now=timezone.now(),
            )
        except (ConflictError, InvalidInputError) as error:
            form.add_problems(error)
        else:
            return _to_account(request, account, form)
    context = {"form": form, "page": present_account(account)}
    return TemplateResponse(
        request, "exchanges/replace_key.html", context, status=422 if form.errors else 200
    )


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
        return redirect("exchanges:connect")
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


def _account_or_404(request: HttpRequest, public_id: UUID) -> ExchangeAccount:
    try:
        return selectors.get_account_for(request.user, public_id=public_id)
    except selectors.ExchangeAccountNotFoundError as error:
        raise Http404 from error
