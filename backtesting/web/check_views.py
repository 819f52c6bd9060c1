"""The pages of checks: what speaks against a strategy."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backtesting.models import StrategyCheck
from backtesting.selectors import checks as selectors
from backtesting.services import checks
from backtesting.web import check_presenters as presenters
from backtesting.web import coverage
from backtesting.web.check_forms import CheckForm
from backtesting.web.polling import answer_poll
from backtesting.web.presenters import form_proposal
from foundation.http import actor_of, is_fragment
from market.errors import ConflictError, EntitlementError, InvalidInputError, UnprocessableError
from strategies.models import StrategyVersion
from strategies.registry import UnknownStrategyError
from strategies.selectors import catalogue

_CHECKS_A_PAGE: Final = 10


@require_http_methods(["GET", "HEAD", "POST"])
def strategy(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what everybody may see of a strategy's checks and one's own; POST requests one."""
    try:
        version = catalogue.current_version(catalogue.get_strategy(slug))
    except UnknownStrategyError as error:
        raise Http404 from error
    published = selectors.published_check(version)
    form = _form(request, version, published)
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            check = _request(request, slug, form)
        except EntitlementError as error:
            check, refusal = None, error
        if check is not None:
            return redirect("checks:detail", public_id=check.public_id)
    mine = Paginator(selectors.checks_for(request.user, strategy_slug=slug), _CHECKS_A_PAGE)
    page = mine.get_page(request.GET.get("page"))
    context = {
        "strategy": version.strategy,
        "version": version.number,
        "published": presenters.present_check(published) if published else None,
        "form": form,
        "has_series": bool(coverage.all_coverage()),
        "refusal": refusal,
        "page": page,
        "rows": [presenters.present_check(each) for each in page],
    }
    status = refusal.status if refusal else 200
    return TemplateResponse(request, "backtesting/checks/strategy.html", context, status=status)


@require_safe
def detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a check; answer only where it stands to htmx, and 204 if that is known there."""
    check = _check_or_404(request, public_id)
    page = presenters.present_check(check)
    if is_fragment(request):
        return answer_poll(request, check, template="backtesting/checks/_status.html", page=page)
    template = "backtesting/checks/detail.html"
    return TemplateResponse(request, template, {"page": page}, headers={"Vary": "HX-Request"})


@require_POST
def cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Cancel a check that is not over, and go back to its page."""
    check = _check_or_404(request, public_id)
    try:
        checks.cancel_check(check_id=check.pk, by=actor_of(request), now=timezone.now())
    except checks.CheckFinishedError as error:
        messages.info(request, error.message)
    return redirect("checks:detail", public_id=public_id)


def _check_or_404(request: HttpRequest, public_id: UUID) -> StrategyCheck:
    try:
        return selectors.get_check_for(request.user, public_id=public_id)
    except selectors.CheckNotFoundError as error:
        raise Http404 from error


def _form(
    request: HttpRequest, version: StrategyVersion, published: StrategyCheck | None
) -> CheckForm:
    series = coverage.all_coverage()
    known = {
        "schema": version.parameters_schema,
        "coverage": series,
        "is_operator": getattr(request.user, "is_staff", False),
    }
    if request.method == "POST":
        return CheckForm(request.POST, **known)
    suggested = coverage.proposal(series, timeframe=version.strategy.suggested_timeframe)
    initial = presenters.form_values(published, form_proposal(suggested))
    return CheckForm(initial=initial, **known)


def _request(request: HttpRequest, slug: str, form: CheckForm) -> StrategyCheck | None:
    """Return the requested check, or None after telling the form what is wrong.

    Raises EntitlementError if the person's plan does not allow it.
    """
    try:
        return checks.request_check(
            owner=request.user,
            strategy_slug=slug,
            **form.wish(),
            by=actor_of(request),
            now=timezone.now(),
        )
    except (InvalidInputError, UnprocessableError, ConflictError) as error:
        form.add_problems(error)
        return None
