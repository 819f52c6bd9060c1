"""The pages of backtesting."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backtesting import reports
from backtesting.models import BacktestRun
from backtesting.selectors import runs as selectors
from backtesting.services import runs
from backtesting.web import coverage, presenters
from backtesting.web.forms import RunForm
from foundation.http import actor_of, is_fragment
from market.errors import (
    ConflictError,
    EntitlementError,
    InvalidInputError,
    UnprocessableError,
)
from strategies.registry import UnknownStrategyError
from strategies.selectors import catalogue

_RUNS_A_PAGE = 25
_TRADES_A_PAGE = 50


@require_safe
def backtests(request: HttpRequest) -> HttpResponse:
    """List a person's backtests, newest first."""
    page = Paginator(selectors.runs_for(request.user), _RUNS_A_PAGE).get_page(
        request.GET.get("page")
    )
    rows = [presenters.present_row(run) for run in page]
    return TemplateResponse(request, "backtesting/list.html", {"page": page, "rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Show the form of a strategy, or request a run and go to its page."""
    strategies = catalogue.active_strategies()
    series = coverage.all_coverage()
    if not strategies or not series:
        return TemplateResponse(request, "backtesting/new_empty.html", {"strategies": strategies})
    try:
        strategy = catalogue.get_strategy(request.GET.get("strategy") or strategies[0].slug)
    except UnknownStrategyError as error:
        raise Http404 from error
    schema = catalogue.current_version(strategy).parameters_schema
    form = _form(request, schema, series)
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            run = _request(request, strategy.slug, form)
        except EntitlementError as error:
            run, refusal = None, error
        if run is not None:
            return redirect("backtesting:detail", public_id=run.public_id)
    context = {
        "form": form,
        "strategy": strategy,
        "strategies": strategies,
        "series": series,
        "refusal": refusal,
    }
    status = refusal.status if refusal else 200
    return TemplateResponse(request, "backtesting/new.html", context, status=status)


@require_safe
def detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a run; answer only where it stands to htmx, and 204 if that is known there."""
    run = _run_or_404(request, public_id)
    if is_fragment(request):
        if run.is_finished:
            return HttpResponse(headers={"HX-Refresh": "true", "Vary": "HX-Request"})
        if request.GET.get("version") == str(run.version):
            return HttpResponse(status=204, headers={"Vary": "HX-Request"})
    page = presenters.present_run(run)
    template = "backtesting/_status.html" if is_fragment(request) else "backtesting/detail.html"
    context: dict[str, Any] = {"page": page}
    if page.result is not None:
        trades = Paginator(run.trades.order_by("-number"), _TRADES_A_PAGE)
        context["trades"] = trades.get_page(request.GET.get("page"))
    return TemplateResponse(request, template, context, headers={"Vary": "HX-Request"})


@require_POST
def cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Cancel a run that is not over, and go back to its page."""
    run = _run_or_404(request, public_id)
    try:
        runs.cancel_run(run_id=run.pk, by=actor_of(request), now=timezone.now())
    except runs.RunFinishedError as error:
        messages.info(request, error.message)
    return redirect("backtesting:detail", public_id=public_id)


@require_safe
def equity(request: HttpRequest, public_id: UUID) -> JsonResponse:
    """Return equity and buy-and-hold for a chart."""
    run = _done_run_or_404(request, public_id)
    return JsonResponse(reports.equity_series(run, kinds=("equity", "benchmark")))


@require_safe
def drawdown(request: HttpRequest, public_id: UUID) -> JsonResponse:
    """Return the drawdown for a chart."""
    run = _done_run_or_404(request, public_id)
    return JsonResponse(reports.equity_series(run, kinds=("drawdown",)))


@require_safe
def candles(request: HttpRequest, public_id: UUID) -> JsonResponse:
    """Return candles, trades and the strategy's lines for a chart."""
    return JsonResponse(reports.candle_chart(_done_run_or_404(request, public_id)))


@require_safe
def trades_csv(request: HttpRequest, public_id: UUID) -> StreamingHttpResponse:
    """Return the trades as a file."""
    return reports.csv_response(_done_run_or_404(request, public_id))


def _run_or_404(request: HttpRequest, public_id: UUID) -> BacktestRun:
    try:
        return selectors.get_run_for(request.user, public_id=public_id)
    except selectors.BacktestNotFoundError as error:
        raise Http404 from error


def _done_run_or_404(request: HttpRequest, public_id: UUID) -> BacktestRun:
    run = _run_or_404(request, public_id)
    try:
        reports.require_done(run)
    except reports.RunNotDoneError as error:
        raise Http404 from error
    return run


def _form(
    request: HttpRequest, schema: Mapping[str, Any], series: Sequence[coverage.CoverageRow]
) -> RunForm:
    """Return the form with what was sent, with a former run, or with a proposal to click on."""
    if request.method == "POST":
        return RunForm(request.POST, schema=schema, coverage=series)
    if request.GET.get("copy"):
        initial = presenters.form_values(_copied_run_or_404(request))
    else:
        asked = {name: request.GET.get(name, "") for name in ("market", "timeframe")}
        initial = presenters.form_proposal(coverage.proposal(series, **asked))
    return RunForm(initial=initial, schema=schema, coverage=series)


def _copied_run_or_404(request: HttpRequest) -> BacktestRun:
    try:
        return _run_or_404(request, UUID(request.GET["copy"]))
    except ValueError as error:
        raise Http404 from error


def _request(request: HttpRequest, slug: str, form: RunForm) -> BacktestRun | None:
    """Return the requested run, or None after telling the form what is wrong.

    Raises EntitlementError if the person's plan does not allow it.
    """
    try:
        return runs.request_run(
            owner=request.user,
            strategy_slug=slug,
            **form.wish(),
            by=actor_of(request),
            now=timezone.now(),
        )
    except (InvalidInputError, UnprocessableError, ConflictError) as error:
        form.add_problems(error)
        return None
