"""The usage page, and what a person does with subscriptions on pages."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from billing.selectors.products import ProductNotFoundError
from billing.selectors.subscriptions import SubscriptionNotFoundError
from billing.services import subscriptions
from billing.web import presenters
from foundation.http import actor_of
from market.errors import PlatformError


@require_safe
def usage(request: HttpRequest) -> HttpResponse:
    """Show a person's plan, what is used of it, the subscriptions, and what was granted."""
    page = presenters.present_usage(request.user, now=timezone.now())
    return TemplateResponse(request, "billing/usage.html", {"page": page})


@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    """Subscribe to the strategy in ``product``, and go back to ``next``; a repeat says the same."""
    try:
        subscription = subscriptions.subscribe(
            owner=request.user,
            product_code=request.POST.get("product", ""),
            by=actor_of(request),
            now=timezone.now(),
        )
    except ProductNotFoundError as error:
        raise Http404 from error
    except PlatformError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"You are subscribed to “{subscription.product.name}”.")
    return _back(request)


@require_POST
def cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """End a subscription, now or at its end, and go back to ``next``."""
    try:
        subscription = subscriptions.cancel(
            owner=request.user, public_id=public_id, by=actor_of(request), now=timezone.now()
        )
    except SubscriptionNotFoundError as error:
        raise Http404 from error
    except PlatformError as error:
        messages.error(request, error.message)
    else:
        when = "has ended" if subscription.ended_at else "ends at its end and is not extended"
        messages.success(request, f"Your subscription to “{subscription.product.name}” {when}.")
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    """Return to the page of the button, which is one of ours, or to the usage page."""
    asked = request.POST.get("next", "")
    is_ours = asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None)
    return HttpResponseRedirect(asked if is_ours else reverse("billing:usage"))
