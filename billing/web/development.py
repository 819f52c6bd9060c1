"""The page of the bank for development: pay, wait, fail or take back, and see what follows."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from billing.models import DevelopmentCharge
from billing.providers.development import DevelopmentProvider
from billing.providers.registry import find_provider
from billing.selectors import development as selectors
from billing.services import development
from market.errors import PlatformError

#: What each button does, and whether the person goes back to where they came from.
_DEEDS: Final[Mapping[str, tuple[Callable[..., Any], bool]]] = MappingProxyType(
    {
        "pay": (development.pay, True),
        "delay": (development.delay, True),
        "decline": (development.decline, True),
        "refund": (development.refund, False),
    }
)


@require_http_methods(["GET", "HEAD", "POST"])
def charge(request: HttpRequest, reference: UUID) -> HttpResponse:
    """Show a charge to the person who is asked for it; POST does what the button says."""
    found = _charge_or_404(request, reference)
    if request.method != "POST":
        context = {"charge": found, "return_path": _path(found.return_url)}
        context["cancel_path"] = _path(found.cancel_url)
        return TemplateResponse(request, "billing/development.html", context)
    deed = _DEEDS.get(request.POST.get("deed", ""))
    if deed is None:
        raise Http404
    perform, goes_back = deed
    try:
        perform(reference=reference, now=timezone.now())
    except PlatformError as error:
        messages.error(request, error.message)
        return redirect("billing:development", reference=reference)
    if goes_back:
        return HttpResponseRedirect(_path(found.return_url))
    messages.success(request, "The bank has given the money back.")
    return redirect("billing:development", reference=reference)


def _charge_or_404(request: HttpRequest, reference: UUID) -> DevelopmentCharge:
    if find_provider(DevelopmentProvider.code) is None:
        raise Http404
    found = selectors.find_charge_for(request.user, reference=reference)
    if found is None:
        raise Http404
    return found


def _path(url: str) -> str:
    """Return an address of this site without its host, so that any name of the site works."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
