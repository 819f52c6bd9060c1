"""The page of a referrer, and asking for a payout."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from foundation.http import actor_of
from market.errors import PlatformError
from referrals.domain.amounts import money
from referrals.selectors.earnings import balances_of
from referrals.services import payouts
from referrals.web import presenters
from referrals.web.forms import PayoutForm


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show the link, what came of it, and what was paid out."""
    return _page(request, None)


@require_POST
@reauthentication_required  # type: ignore[untyped-decorator]  # the library ships no types
def request_payout(request: HttpRequest) -> HttpResponse:
    """Ask for all that is payable in one currency; whoever names where money goes proves who they are."""
    currencies = [balance.currency for balance in balances_of(request.user)]
    form = PayoutForm(request.POST, currencies=currencies)
    if not form.is_valid():
        return _page(request, form)
    try:
        payout = payouts.request_payout(
            owner=request.user,
            currency=form.cleaned_data["currency"],
            method=form.cleaned_data["method"],
            destination=form.cleaned_data["destination"],
            by=actor_of(request),
            now=timezone.now(),
        )
    except PlatformError as error:
        form.add_problems(error)
        return _page(request, form)
    messages.success(request, f"You asked for {money(payout.amount, payout.currency)}.")
    return redirect("referrals:overview")


def _page(request: HttpRequest, form: PayoutForm | None) -> HttpResponse:
    page = presenters.present_overview(
        request.user, page_number=request.GET.get("page", "1"), now=timezone.now()
    )
    context = {"page": page, "form": form or PayoutForm(currencies=page.can_ask_for)}
    return TemplateResponse(
        request, "referrals/overview.html", context, status=422 if form else 200
    )
