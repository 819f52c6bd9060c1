"""The pages on which a person buys: plans, the order, its payment, the history and the receipt."""

from typing import Final
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from billing.domain.payments import PAID
from billing.models import Payment
from billing.selectors import payments
from billing.services import checkout as orders
from billing.web import payment_presenters as presenters
from foundation.http import actor_of, is_fragment
from market.errors import PlatformError

_PAGE: Final = 20
_HEADERS: Final = {"Vary": "HX-Request", "Cache-Control": "no-store"}


@login_not_required
@require_safe
def plans(request: HttpRequest) -> HttpResponse:
    """Show the plans with what they allow and cost, to anybody."""
    owner = request.user if request.user.is_authenticated else None
    context = {
        "plans": presenters.present_plans(owner, now=timezone.now()),
        "is_selling": presenters.is_selling(),
    }
    return TemplateResponse(request, "billing/plans.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest) -> HttpResponse:
    """Show what the ``price`` in the query buys; POST orders it, once for each time the page was opened."""
    price_id = _uuid(request.GET.get("price", ""))
    if request.method == "POST" and price_id is not None:
        return _order(request, price_id)
    page = None
    if price_id is not None:
        page = presenters.present_checkout(request.user, price_id=price_id, now=timezone.now())
    if page is None:
        messages.error(request, "This price is not on offer any more. These are.")
        return redirect("billing:plans")
    context = {"page": page, "request_key": uuid4(), "is_selling": presenters.is_selling()}
    return TemplateResponse(request, "billing/checkout.html", context, headers=_HEADERS)


@require_safe
def payment(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show an order while it is prepared and paid; answer only news to htmx.

    With ``go`` the browser goes on to the provider as soon as the address is known.
    """
    page = presenters.present_payment(
        _payment_or_404(request, public_id),
        was_canceled="canceled" in request.GET,
        goes_on="go" in request.GET,
    )
    context = {"page": page}
    if not is_fragment(request):
        return TemplateResponse(request, "billing/payment.html", context, headers=_HEADERS)
    if page.goes_on and page.checkout_url:
        return HttpResponse(headers={"HX-Redirect": page.checkout_url, **_HEADERS})
    if request.GET.get("version") == page.version:
        return HttpResponse(status=204, headers=_HEADERS)
    return TemplateResponse(request, "billing/_payment.html", context, headers=_HEADERS)


@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """List what a person has ordered and paid."""
    paginator = Paginator(payments.payments_for(request.user).select_related("price"), _PAGE)
    page = paginator.get_page(request.GET.get("page"))
    rows = [presenters.present_row(row) for row in page]
    return TemplateResponse(request, "billing/payments.html", {"rows": rows, "page": page})


@require_safe
def receipt(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the receipt of a paid order, ready to print."""
    found = _payment_or_404(request, public_id)
    if found.state not in PAID:
        raise Http404
    context = {"page": presenters.present_receipt(found)}
    return TemplateResponse(request, "billing/receipt.html", context)


def _order(request: HttpRequest, price_id: UUID) -> HttpResponse:
    request_key = _uuid(request.POST.get("request_key", ""))
    if request_key is None:
        messages.error(request, "The order could not be read. Try again.")
        return redirect("billing:plans")
    try:
        placed = orders.place_order(
            owner=request.user,
            price_id=price_id,
            request_key=request_key,
            by=actor_of(request),
            now=timezone.now(),
        )
    except PlatformError as error:
        messages.error(request, error.message)
        return redirect("billing:plans")
    # Never from here to the provider: forms may lead to pages of this site only.
    return HttpResponseRedirect(f"{reverse('billing:payment', args=[placed.public_id])}?go=1")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _payment_or_404(request: HttpRequest, public_id: UUID) -> Payment:
    try:
        return payments.get_payment_for(request.user, public_id=public_id)
    except payments.PaymentNotFoundError as error:
        raise Http404 from error
