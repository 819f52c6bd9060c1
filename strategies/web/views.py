"""The pages of the catalogue."""

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from strategies.registry import UnknownStrategyError
from strategies.selectors import catalogue
from strategies.web import presenters


@require_safe
def strategies(request: HttpRequest) -> HttpResponse:
    """List what the platform offers."""
    page = presenters.present_list(catalogue.active_strategies())
    return TemplateResponse(request, "strategies/list.html", {"page": page})


@require_safe
def strategy(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one strategy with what may be set."""
    try:
        version = catalogue.current_version(catalogue.get_strategy(slug))
        page = presenters.present_strategy(version)
    except UnknownStrategyError as error:
        raise Http404 from error
    return TemplateResponse(request, "strategies/detail.html", {"page": page})
