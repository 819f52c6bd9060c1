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

from backtesting import comparison, exports, reports
from backtesting.models import AwaitedRun, BacktestRun
from backtesting.results import present_run
from backtesting.selectors import awaited as awaited_selectors
from backtesting.selectors import excursions
from backtesting.selectors import runs as selectors
from backtesting.services import awaited, history, runs
from backtesting.web import coverage, missing_candles, presenters
from backtesting.web.forms import AnnotationForm, HistoryForm, RunForm
from backtesting.web.polling import answer_poll
from foundation.http import actor_of, is_fragment
from market.errors import (
    ConflictError,
    EntitlementError,
    InvalidInputError,
    UnprocessableError,
)
from strategies.registry import UnknownStrategyError
from strategies.selectors import catalogue
from strategies.shapes import Requirements

_RUNS_A_PAGE = 25
_TRADES_A_PAGE = 25


@require_safe
def backtests(request: HttpRequest) -> HttpResponse:
    """List a person's backtests, newest first, narrowed down as asked."""
    form = HistoryForm(
        request.GET,
        kinds=selectors.kinds_of(request.user),
        tags=selectors.tags_of(request.user),
    )
    wanted = form.wanted()
    runs_found = wanted.apply(selectors.runs_for(request.user))
    page = Paginator(runs_found, _RUNS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [presenters.present_row(run) for run in page],
        "waiting": awaited_selectors.waiting_for(request.user),
        "form": form,
        "is_narrowed": wanted != selectors.RunFilter(),
    }
    return TemplateResponse(request, "backtesting/list.html", context)


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
    form = _form(request, schema, series, needs=catalogue.needs_of(strategy))
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            run = _request(request, strategy.slug, form)
        except EntitlementError as error:
            run, refusal = None, error
        if isinstance(run, AwaitedRun):
            return redirect("backtesting:awaited", public_id=run.public_id)
        if run is not None:
            missing_candles.tell_of_a_shorter_window(request, form, run)
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
        return answer_poll(request, run, template="backtesting/_status.html", page=present_run(run))
    return _detail_page(request, run, AnnotationForm.of(run))


@require_POST
def cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Cancel a run that is not over, and go back to its page."""
    run = _run_or_404(request, public_id)
    try:
        runs.cancel_run(run_id=run.pk, by=actor_of(request), now=timezone.now())
    except runs.RunFinishedError as error:
        messages.info(request, error.message)
    return redirect("backtesting:detail", public_id=public_id)


@require_POST
def annotate(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Write tags and a note on a run, and go back to its page."""
    run = _run_or_404(request, public_id)
    form = AnnotationForm(request.POST)
    if form.is_valid():
        try:
            history.annotate_run(run_id=run.pk, **form.wish(), by=actor_of(request))
        except InvalidInputError as error:
            form.add_problems(error)
    if form.errors:
        return _detail_page(request, run, form)
    return redirect("backtesting:detail", public_id=public_id)


@require_POST
def delete(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Delete a run that is over, and go back to the list."""
    run = _run_or_404(request, public_id)
    try:
        history.delete_run(run_id=run.pk, by=actor_of(request), now=timezone.now())
    except history.RunUnfinishedError as error:
        messages.error(request, error.message)
        return redirect("backtesting:detail", public_id=public_id)
    messages.success(request, "The backtest was deleted.")
    return redirect("backtesting:list")


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Show a few finished runs side by side."""
    chosen = request.GET.getlist("run")
    try:
        comparison.require_comparable(chosen)
        found = selectors.get_runs_for(request.user, public_ids=[UUID(each) for each in chosen])
        compared = comparison.compare(found)
    except (selectors.BacktestNotFoundError, ValueError) as error:
        raise Http404 from error
    except (comparison.InvalidComparisonError, reports.RunNotDoneError) as error:
        messages.warning(request, error.message)
        return redirect("backtesting:list")
    context = {"page": presenters.present_comparison(compared)}
    return TemplateResponse(request, "backtesting/compare.html", context)


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
    """Return candles, trades and the strategy's lines for a chart, of one market of a universe."""
    run = _done_run_or_404(request, public_id)
    return JsonResponse(reports.candle_chart(run, symbol=request.GET.get("symbol", "")))


@require_safe
def exposure(request: HttpRequest, public_id: UUID) -> JsonResponse:
    """Return what a run over a universe had at stake for a chart."""
    try:
        return JsonResponse(reports.exposure_series(_done_run_or_404(request, public_id)))
    except reports.RunNotDoneError as error:
        raise Http404 from error


@require_safe
def trades_csv(request: HttpRequest, public_id: UUID) -> StreamingHttpResponse:
    """Return the trades as a file."""
    return reports.csv_response(_done_run_or_404(request, public_id))


@require_safe
def equity_csv(request: HttpRequest, public_id: UUID) -> StreamingHttpResponse:
    """Return the value after every bar as a file."""
    return exports.equity_response(_done_run_or_404(request, public_id))


@require_safe
def document(request: HttpRequest, public_id: UUID) -> StreamingHttpResponse:
    """Return the run with its trades as one JSON file."""
    return exports.json_response(_done_run_or_404(request, public_id))


@require_safe
def report(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return the run as one HTML file that needs nothing else."""
    return exports.report_response(_done_run_or_404(request, public_id))


def _detail_page(request: HttpRequest, run: BacktestRun, form: AnnotationForm) -> HttpResponse:
    page = present_run(run)
    context: dict[str, Any] = {"page": page, "annotation": form}
    if page.result is not None:
        trades = Paginator(run.trades.order_by("-number"), _TRADES_A_PAGE)
        context["trades"] = trades.get_page(request.GET.get("page"))
        context["symbol"] = request.GET.get("symbol") or run.symbols[0]
        context["scatter"] = presenters.present_excursions(excursions.of_run(run))
    return TemplateResponse(
        request, "backtesting/detail.html", context, headers={"Vary": "HX-Request"}
    )


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
    request: HttpRequest,
    schema: Mapping[str, Any],
    series: Sequence[coverage.CoverageRow],
    *,
    needs: Requirements | None,
) -> RunForm:
    """Return the form with what was sent, with a former run, or with a proposal to click on."""
    looks_at_many = needs is not None and needs.needs_universe
    if request.method == "POST":
        return RunForm(request.POST, schema=schema, coverage=series, looks_at_many=looks_at_many)
    if request.GET.get("copy"):
        initial = presenters.form_values(_copied_run_or_404(request))
    else:
        asked = {name: request.GET.get(name, "") for name in ("market", "timeframe")}
        row = coverage.proposed(series, **asked, needs=needs)
        initial = presenters.form_proposal(row)
        proposed = coverage.universe_of(series, row) if row is not None else ""
        initial["universe"] = request.GET.get("universe") or proposed
    return RunForm(initial=initial, schema=schema, coverage=series, looks_at_many=looks_at_many)


def _copied_run_or_404(request: HttpRequest) -> BacktestRun:
    try:
        return _run_or_404(request, UUID(request.GET["copy"]))
    except ValueError as error:
        raise Http404 from error


def _request(request: HttpRequest, slug: str, form: RunForm) -> BacktestRun | AwaitedRun | None:
    """Return the requested run, or the wish that waits for candles, or None after telling the form what is wrong.

    Raises EntitlementError if the person's plan does not allow it.
    """
    request_run = awaited.request_run if "fetch" in request.POST else runs.request_run
    try:
        return request_run(
            owner=request.user,
            strategy_slug=slug,
            **form.wish(),
            by=actor_of(request),
            now=timezone.now(),
        )
    except (InvalidInputError, UnprocessableError, ConflictError) as error:
        form.add_problems(error)
        return None
