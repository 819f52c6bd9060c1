"""The page that compares a deployment with a replay of the same bars."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from foundation.http import actor_of
from market.errors import NotFoundError, PlatformError
from trading import drift_exports
from trading.models import Deployment, DriftReport
from trading.selectors import deployments as selectors
from trading.selectors import drift_reports, holdings
from trading.services import live_drift
from trading.web import drift_presenters

_TRADES_A_PAGE: Final = 100
_VARY: Final = {"Vary": "HX-Request"}


@require_http_methods(["GET", "HEAD", "POST"])
def drift(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the newest report, or ask for another one and come back."""
    deployment = _deployment_or_404(request, public_id)
    if request.method == "POST":
        try:
            live_drift.request_report(
                owner=request.user,
                deployment_public_id=public_id,
                by=actor_of(request),
                now=timezone.now(),
            )
        except PlatformError as error:
            messages.error(request, error.message)
        return redirect("trading:drift", public_id=public_id)
    report = drift_reports.find_latest(request.user, deployment=deployment)
    if "version" in request.GET and report is not None:
        return _answer_poll(request, report)
    context: dict[str, Any] = {
        "deployment": deployment,
        "currency": holdings.instrument_of(deployment).settle,
        "drift": None if report is None else drift_presenters.present_drift(report),
    }
    if report is not None:
        found = drift_reports.trades_of(request.user, report=report)
        page = Paginator(found, _TRADES_A_PAGE).get_page(request.GET.get("page"))
        context |= {"page": page, "trades": drift_presenters.present_trades(page)}
    return TemplateResponse(request, "trading/drift.html", context)


@require_safe
def drift_lines(request: HttpRequest, public_id: UUID) -> JsonResponse:
    """Return both lines of equity."""
    return JsonResponse(drift_presenters.present_lines(_report_or_404(request, public_id)))


@require_safe
def drift_csv(request: HttpRequest, public_id: UUID) -> StreamingHttpResponse:
    """Return the trades of the newest report as a file."""
    report = _report_or_404(request, public_id)
    trades = drift_reports.trades_of(request.user, report=report)
    return StreamingHttpResponse(
        drift_exports.trades_csv(trades.iterator()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="drift-{public_id}.csv"'},
    )


def _answer_poll(request: HttpRequest, report: DriftReport) -> HttpResponse:
    """Answer 204 while nothing has changed, and a wish to reload when something has."""
    if request.GET["version"] == str(report.version):
        return HttpResponse(status=204, headers=_VARY)
    return HttpResponse(headers={"HX-Refresh": "true", **_VARY})


def _report_or_404(request: HttpRequest, public_id: UUID) -> DriftReport:
    deployment = _deployment_or_404(request, public_id)
    try:
        return drift_reports.get_latest(request.user, deployment=deployment)
    except NotFoundError as error:
        raise Http404 from error


def _deployment_or_404(request: HttpRequest, public_id: UUID) -> Deployment:
    try:
        return selectors.view_deployment_for(request.user, public_id=public_id).deployment
    except NotFoundError as error:
        raise Http404 from error
