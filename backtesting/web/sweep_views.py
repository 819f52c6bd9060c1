"""The pages of sweeps."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backtesting import sweep_reports
from backtesting.models import Sweep
from backtesting.selectors import sweeps as selectors
from backtesting.services import sweeps as services
from backtesting.services.sweep_plans import SweepWish
from backtesting.web import coverage, heatmap_presenters, sweep_presenters
from backtesting.web.polling import answer_poll
from backtesting.web.sweep_forms import SweepForm
from foundation.http import actor_of, is_fragment
from market.errors import (
    ConflictError,
    EntitlementError,
    InvalidInputError,
    NotFoundError,
    UnprocessableError,
)
from strategies import parameters
from strategies.registry import UnknownStrategyError
from strategies.selectors import catalogue
from strategies.shapes import Requirements

_SWEEPS_A_PAGE = 25
_TRIALS_A_PAGE = 50


@require_safe
def sweeps(request: HttpRequest) -> HttpResponse:
    """List a person's sweeps, newest first."""
    page = Paginator(selectors.sweeps_for(request.user), _SWEEPS_A_PAGE).get_page(
        request.GET.get("page")
    )
    rows = [sweep_presenters.present_row(sweep) for sweep in page]
    return TemplateResponse(request, "backtesting/sweeps/list.html", {"page": page, "rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Show the form of a strategy, or request a sweep and go to its page."""
    strategies = catalogue.active_strategies()
    series = coverage.all_coverage()
    if not strategies or not series:
        empty = {"strategies": strategies}
        return TemplateResponse(request, "backtesting/new_empty.html", empty)
    try:
        strategy = catalogue.get_strategy(request.GET.get("strategy") or strategies[0].slug)
    except UnknownStrategyError as error:
        raise Http404 from error
    schema = catalogue.current_version(strategy).parameters_schema
    form = _form(request, schema, series, needs=catalogue.needs_of(strategy))
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            sweep = _request(request, strategy.slug, form)
        except EntitlementError as error:
            sweep, refusal = None, error
        if sweep is not None:
            return redirect("sweeps:detail", public_id=sweep.public_id)
    context = {
        "form": form,
        "strategy": strategy,
        "strategies": strategies,
        "refusal": refusal,
    }
    status = refusal.status if refusal else 200
    return TemplateResponse(request, "backtesting/sweeps/new.html", context, status=status)


@require_safe
def detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a sweep; answer only where it stands to htmx, and 204 if that is known there."""
    sweep = _sweep_or_404(request, public_id)
    page = sweep_presenters.present_sweep(sweep)
    if is_fragment(request):
        return answer_poll(request, sweep, template="backtesting/sweeps/_status.html", page=page)
    context = {"page": page, **_trials(request, sweep)}
    return TemplateResponse(
        request, "backtesting/sweeps/detail.html", context, headers={"Vary": "HX-Request"}
    )


@require_POST
def cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Cancel a sweep that is not over, and go back to its page."""
    sweep = _sweep_or_404(request, public_id)
    try:
        services.cancel_sweep(sweep_id=sweep.pk, by=actor_of(request), now=timezone.now())
    except services.SweepFinishedError as error:
        messages.info(request, error.message)
    return redirect("sweeps:detail", public_id=public_id)


@require_POST
def delete(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Delete a sweep that is over, and go to the list."""
    sweep = _sweep_or_404(request, public_id)
    try:
        services.delete_sweep(sweep_id=sweep.pk, by=actor_of(request), now=timezone.now())
    except services.SweepUnfinishedError as error:
        messages.info(request, error.message)
        return redirect("sweeps:detail", public_id=public_id)
    messages.success(request, "The sweep was deleted.")
    return redirect("sweeps:list")


@require_POST
def run(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Run a trial as a backtest, and go to its page."""
    sweep = _sweep_or_404(request, public_id)
    try:
        backtest = services.run_trial(
            owner=request.user,
            sweep=sweep,
            number=int(request.POST.get("number", "")),
            by=actor_of(request),
            now=timezone.now(),
        )
    except (ValueError, NotFoundError) as error:
        raise Http404 from error
    except (EntitlementError, InvalidInputError, UnprocessableError, ConflictError) as error:
        messages.error(request, error.message)
        return redirect("sweeps:detail", public_id=public_id)
    return redirect("backtesting:detail", public_id=backtest.public_id)


@require_safe
def trials_csv(request: HttpRequest, public_id: UUID) -> StreamingHttpResponse:
    """Return the trials as a file."""
    return sweep_reports.csv_response(_sweep_or_404(request, public_id))


@require_safe
def trials_json(request: HttpRequest, public_id: UUID) -> StreamingHttpResponse:
    """Return the sweep with its trials as a file."""
    return sweep_reports.json_response(_sweep_or_404(request, public_id))


def _trials(request: HttpRequest, sweep: Sweep) -> dict[str, Any]:
    """Return the heat map and a page of the table; nothing if there are no trials yet."""
    trials = selectors.trials_of(sweep)
    if not len(trials):
        return {}
    order = request.GET.get("sort") or sweep_presenters.default_order(sweep)
    try:
        ranked = sweep_reports.sorted_trials(trials, order)
    except sweep_reports.UnknownOrderError as error:
        raise Http404 from error
    page = Paginator(ranked, _TRIALS_A_PAGE).get_page(request.GET.get("page"))
    return {
        "order": order,
        "columns": sweep_presenters.columns_of(sweep, trials, order),
        "trials": page,
        "rows": [sweep_presenters.trial_row(sweep, trials, index) for index in page],
        "map": heatmap_presenters.present_heat_map(sweep, trials, request.GET.dict()),
    }


def _sweep_or_404(request: HttpRequest, public_id: UUID) -> Sweep:
    try:
        return selectors.get_sweep_for(request.user, public_id=public_id)
    except selectors.SweepNotFoundError as error:
        raise Http404 from error


def _form(
    request: HttpRequest,
    schema: Mapping[str, Any],
    series: Sequence[coverage.CoverageRow],
    *,
    needs: Requirements | None,
) -> SweepForm:
    """Return the form with what was sent, with a former sweep, or with a proposal to click on."""
    looks_at_many = needs is not None and needs.needs_universe
    if request.method == "POST":
        return SweepForm(request.POST, schema=schema, coverage=series, looks_at_many=looks_at_many)
    if request.GET.get("copy"):
        initial = sweep_presenters.form_values(_copied_sweep_or_404(request))
    else:
        row = coverage.proposed(series, needs=needs)
        initial = sweep_presenters.form_proposal(row, parameters.describe(schema))
        initial["universe"] = coverage.universe_of(series, row) if row is not None else ""
    return SweepForm(initial=initial, schema=schema, coverage=series, looks_at_many=looks_at_many)


def _copied_sweep_or_404(request: HttpRequest) -> Sweep:
    try:
        return _sweep_or_404(request, UUID(request.GET["copy"]))
    except ValueError as error:
        raise Http404 from error


def _request(request: HttpRequest, slug: str, form: SweepForm) -> Sweep | None:
    """Return the requested sweep, or None after telling the form what is wrong.

    Raises EntitlementError if the person's plan does not allow it.
    """
    try:
        wish = SweepWish(strategy_slug=slug, **form.wish())
        return services.request_sweep(
            owner=request.user, wish=wish, by=actor_of(request), now=timezone.now()
        )
    except (InvalidInputError, UnprocessableError, ConflictError) as error:
        form.add_problems(error)
        return None
