"""The public front page and the dashboard."""

from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from backtesting.selectors.runs import runs_for
from backtesting.web.presenters import present_row
from exchanges.selectors import equity
from exchanges.selectors.accounts import accounts_for
from exchanges.web.equity import present_totals
from foundation.http import is_fragment
from trading.selectors.deployments import deployments_for
from trading.selectors.orders import fills_for
from trading.selectors.results import earned_by_fill
from trading.web.overview import Overview, present_overview
from web.presenters import Dashboard, present_dashboard

_DEPLOYMENTS: Final = 6
_FILLS: Final = 6
_BACKTESTS: Final = 5
#: Fills behind each small curve.
_TREND_FILLS: Final = 60


@login_not_required
def home(request: HttpRequest) -> HttpResponse:
    """Tell a stranger what this is; take a signed-in person to the dashboard."""
    if request.user.is_authenticated:
        return redirect("web:dashboard")
    return TemplateResponse(request, "web/home.html")


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show a person's deployments, positions and latest backtests; 204 to htmx if nothing has moved."""
    page = _dashboard(request)
    headers = {"Vary": "HX-Request"}
    if is_fragment(request):
        if request.GET.get("since") == page.tag:
            return HttpResponse(status=204, headers=headers)
        return TemplateResponse(request, "web/_dashboard.html", {"page": page}, headers=headers)
    return TemplateResponse(request, "web/dashboard.html", {"page": page}, headers=headers)


def _dashboard(request: HttpRequest) -> Dashboard:
    owner = request.user
    mine = list(accounts_for(owner))
    valuation = equity.value_for(owner, accounts=mine, now=timezone.now())
    return present_dashboard(
        _overview(request),
        runs=[present_row(run) for run in runs_for(owner)[:_BACKTESTS]],
        equity=present_totals(valuation),
        has_account=bool(mine),
    )


def _overview(request: HttpRequest) -> Overview:
    deployments = [view.deployment for view in deployments_for(request.user)]
    ids = [deployment.pk for deployment in deployments[:_DEPLOYMENTS]]
    return present_overview(
        deployments,
        shown=_DEPLOYMENTS,
        trends=earned_by_fill(request.user, deployment_ids=ids, at_most=_TREND_FILLS),
        fills=fills_for(request.user, limit=_FILLS),
    )
