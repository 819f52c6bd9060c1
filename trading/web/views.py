"""The pages of trading."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.web.presenters import present_offer
from exchanges.selectors import accounts, instruments
from foundation.http import actor_of
from market.errors import EntitlementError, NotFoundError, PlatformError
from strategies import registry
from strategies.models import StrategyVersion
from strategies.registry import UnknownStrategyError
from strategies.selectors import catalogue
from trading.models import ActualState, Deployment
from trading.selectors import decisions, orders, results, usage
from trading.selectors import deployments as selectors
from trading.selectors.charts import price_chart_for
from trading.selectors.entitled import entitlement_of
from trading.services import commands
from trading.services import deployments as services
from trading.web import charts, live, pages
from trading.web.forms import DeploymentForm
from trading.web.live import Live

_ORDERS_SHOWN: Final = 12
_FILLS_SHOWN: Final = 12
#: Bars in a row with the same decision become one line, so that more are read than shown.
_DECISIONS_READ: Final = 150


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Show the form of a strategy, or deploy it and go to its page."""
    strategies = catalogue.active_strategies()
    found = list(accounts.accounts_for(request.user))
    if not strategies or not found:
        return TemplateResponse(request, "trading/new_empty.html", {"strategies": strategies})
    version = _chosen_version(request, default=strategies[0].slug)
    form = DeploymentForm(
        request.POST if request.method == "POST" else None,
        schema=version.parameters_schema,
        accounts=found,
        instruments=instruments.active_instruments(),
        looks_at_many=_looks_at_many(version),
        initial=_initial(request, version),
    )
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            deployment = _deploy(request, version, form)
        except EntitlementError as error:
            refusal = error
        except PlatformError as error:
            form.add_problems(error)
        else:
            messages.success(request, _what_comes_next(deployment))
            return redirect("trading:detail", public_id=deployment.public_id)
    context = {
        "form": form,
        "strategy": version.strategy,
        "strategies": strategies,
        "offer": present_offer(
            request.user,
            product_code=usage.product_code(version.strategy.slug),
            now=timezone.now(),
        ),
        "refusal": refusal,
        "here": request.get_full_path(),
    }
    status = refusal.status if refusal else 422 if form.errors else 200
    return TemplateResponse(request, "trading/new.html", context, status=status)


@require_safe
def detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a deployment."""
    deployment = _deployment_or_404(request, public_id)
    moving = _live(request, deployment)
    context = {
        "page": pages.present_page(deployment, symbol=request.GET.get("symbol", "")),
        "live": moving,
        "parts": {part.name: part for part in moving.parts},
    }
    return TemplateResponse(request, "trading/detail.html", context)


@require_safe
def live_parts(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Answer the parts of the page that changed since the tags in ``since``; 204 if none did."""
    moving = _live(request, _deployment_or_404(request, public_id))
    changed = moving.changed(request.GET.get("since", ""))
    if not changed:
        return HttpResponse(status=204)
    context = {"live": moving, "changed": changed}
    return TemplateResponse(request, "trading/_live.html", context)


@require_safe
def chart(request: HttpRequest, public_id: UUID) -> JsonResponse:
    """Return the price chart's data."""
    deployment = _deployment_or_404(request, public_id)
    drawn = price_chart_for(
        request.user,
        deployment=deployment,
        symbol=request.GET.get("symbol", ""),
        now=timezone.now(),
    )
    return JsonResponse(charts.present_chart(drawn, deployment=deployment))


@require_POST
def command(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Tell a deployment something, once per idempotency key, and go back to its page."""
    _deployment_or_404(request, public_id)
    try:
        commands.request_command(
            owner=request.user,
            deployment_public_id=public_id,
            kind=request.POST.get("kind", ""),
            idempotency_key=request.POST.get("idempotency_key", ""),
            by=actor_of(request),
            now=timezone.now(),
        )
    except PlatformError as error:
        messages.error(request, error.message)
    return redirect("trading:detail", public_id=public_id)


def _what_comes_next(deployment: Deployment) -> str:
    if deployment.actual_state == ActualState.DRAFT:
        return f"“{deployment.name}” is a draft: it trades nothing until you start it."
    return f"“{deployment.name}” starts at the next bar."


def _deployment_or_404(request: HttpRequest, public_id: UUID) -> Deployment:
    try:
        return selectors.view_deployment_for(request.user, public_id=public_id).deployment
    except NotFoundError as error:
        raise Http404 from error


def _live(request: HttpRequest, deployment: Deployment) -> Live:
    owner = request.user
    return live.present_live(
        deployment,
        commands=selectors.commands_for(owner, deployment=deployment),
        orders=orders.orders_for(owner, deployment=deployment, limit=_ORDERS_SHOWN),
        fills=orders.fills_for(owner, deployment=deployment, limit=_FILLS_SHOWN),
        decisions=decisions.decisions_for(owner, deployment=deployment, limit=_DECISIONS_READ),
        entitlement=entitlement_of(owner, deployment=deployment, now=timezone.now()),
        unvalued_fees=results.unvalued_fees(owner, deployment_id=deployment.pk),
    )


def _chosen_version(request: HttpRequest, *, default: str) -> StrategyVersion:
    slug = request.GET.get("strategy") or default
    try:
        return catalogue.current_version(catalogue.get_strategy(slug))
    except UnknownStrategyError as error:
        raise Http404 from error


def _initial(request: HttpRequest, version: StrategyVersion) -> dict[str, Any]:
    """Return what the form says at first; other pages may name an account in the address."""
    return {
        "name": version.strategy.name,
        "timeframe": version.strategy.suggested_timeframe,
        "account": request.GET.get("account"),
        "universe": request.GET.get("universe", ""),
    }


def _looks_at_many(version: StrategyVersion) -> bool:
    """Tell whether the strategy trades a universe."""
    definition = registry.get_definition(version.strategy.slug)
    return definition.requirements(definition.default_params()).needs_universe


def _deploy(request: HttpRequest, version: StrategyVersion, form: DeploymentForm) -> Deployment:
    return services.deploy(
        owner=request.user,
        strategy_slug=version.strategy.slug,
        by=actor_of(request),
        now=timezone.now(),
        **form.wish(),
    )
