"""The pages of the catalogue."""

from typing import Final

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.web.presenters import present_offer, present_offers
from strategies.registry import UnknownStrategyError
from strategies.selectors import catalogue
from strategies.selectors.entries import entries_of
from strategies.web import narrowing, presenters
from strategies.web.forms import CatalogueForm

_CARDS_A_PAGE: Final = 24


@require_safe
def strategies(request: HttpRequest) -> HttpResponse:
    """List what the platform offers, narrowed down as asked."""
    now = timezone.now()
    entries = entries_of(catalogue.active_strategies(), now=now)
    form = CatalogueForm(request.GET)
    wanted = form.wanted()
    found = narrowing.narrow(entries, wanted)
    page = Paginator(found, _CARDS_A_PAGE).get_page(request.GET.get("page"))
    codes = [entry.strategy.product_code for entry in page]
    context = {
        "cards": presenters.present_list(
            list(page), present_offers(request.user, product_codes=codes, now=now)
        ),
        "page": page,
        "form": form,
        "total": len(entries),
        "is_narrowed": bool(wanted.keys() - {"sort"}),
    }
    return TemplateResponse(request, "strategies/list.html", context)


@require_safe
def strategy(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one strategy with its evidence, what it costs and what may be set."""
    now = timezone.now()
    try:
        found = catalogue.get_strategy_for(request.user, slug, now=now)
        version = catalogue.current_version(found)
        [entry] = entries_of([version.strategy], now=now)
        offer = present_offer(request.user, product_code=version.strategy.product_code, now=now)
        page = presenters.present_strategy(entry, version, offer)
    except UnknownStrategyError as error:
        raise Http404 from error
    context = {"page": page, "offer": offer, "next": request.path}
    return TemplateResponse(request, "strategies/detail.html", context)
