"""The long lists: a person's deployments, positions and orders, and a deployment's decisions."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from exchanges.selectors import accounts
from market.errors import NotFoundError
from strategies.reasons import phrase
from trading.models import Deployment
from trading.selectors import decisions as decision_selectors
from trading.selectors import deployments as selectors
from trading.selectors import orders as order_selectors
from trading.selectors import pages
from trading.selectors.decisions import DecisionView
from trading.web import live, presenters
from trading.web.list_forms import (
    DecisionListForm,
    DeploymentListForm,
    ExternalOrderListForm,
    OrderListForm,
)

_ROWS_A_PAGE: Final = 50
_DECISIONS_A_PAGE: Final = 200
#: Over so many days the reasons are counted.
_COUNTED: Final = timedelta(days=7)


@require_safe
def deployments(request: HttpRequest) -> HttpResponse:
    """List a person's deployments, those at work first, narrowed down as asked."""
    form = DeploymentListForm(request.GET, strategies=selectors.strategies_of(request.user))
    wanted = form.wanted()
    found = selectors.listed_for(request.user, wanted=wanted)
    page = Paginator(found, _ROWS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [presenters.present_row(deployment) for deployment in page],
        "form": form,
        "is_narrowed": wanted != selectors.ListFilter(),
    }
    return TemplateResponse(request, "trading/list.html", context)


@require_safe
def positions(request: HttpRequest) -> HttpResponse:
    """List what a person's deployments hold, the newest first."""
    found = selectors.open_positions_of(request.user)
    page = Paginator(found, _ROWS_A_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "rows": [presenters.present_position(row) for row in page]}
    return TemplateResponse(request, "trading/positions.html", context)


@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    """List a person's orders with their steps, newest first, narrowed down as asked."""
    form = OrderListForm(request.GET)
    wanted = form.wanted()
    before = request.GET.get("before", "")
    try:
        found = order_selectors.listed_for(
            request.user, wanted=wanted, before=before, limit=_ROWS_A_PAGE + 1
        )
    except NotFoundError as error:
        raise Http404 from error
    shown = found[:_ROWS_A_PAGE]
    context = {
        "orders": [(live.present_order(order), order.deployment) for order in shown],
        "older": shown[-1].public_id if len(found) > _ROWS_A_PAGE else "",
        "form": form,
        "is_narrowed": wanted != order_selectors.OrderFilter(),
        "external": () if before else _external(request),
    }
    return TemplateResponse(request, "trading/orders.html", context)


@require_safe
def external_orders(request: HttpRequest) -> HttpResponse:
    """List what was not made here on a person's accounts, newest first, narrowed down as asked."""
    form = ExternalOrderListForm(request.GET, accounts=list(accounts.accounts_for(request.user)))
    wanted = form.wanted()
    found = pages.external_of(request.user, wanted=wanted)
    page = Paginator(found, _ROWS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "external": [presenters.present_external(order) for order in page],
        "form": form,
        "is_narrowed": wanted != pages.ExternalFilter(),
    }
    return TemplateResponse(request, "trading/external_orders.html", context)


def _external(request: HttpRequest) -> list[presenters.ExternalView]:
    found = order_selectors.external_for(request.user, limit=_ROWS_A_PAGE)
    return [presenters.present_external(order) for order in found]


@require_safe
def decisions(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Say why a deployment did or did not trade: bar by bar, and how often for which reason."""
    deployment = _deployment_or_404(request, public_id)
    form = DecisionListForm(request.GET)
    reason, now = form.wanted(), timezone.now()
    found = decision_selectors.decisions_for(
        request.user,
        deployment=deployment,
        limit=_DECISIONS_A_PAGE + 1,
        reason=reason,
        below=_key_of(request.GET.get("before", "")),
    )
    counts = decision_selectors.reason_counts(
        request.user, deployment=deployment, since=now - _COUNTED
    )
    shown = found[:_DECISIONS_A_PAGE]
    context = {
        "deployment": deployment,
        "form": form,
        "reason": reason,
        "lines": live.present_lines(shown),
        "older": _name_of(shown[-1]) if len(found) > _DECISIONS_A_PAGE else "",
        "counts": [(each.value, phrase(each), number) for each, number in counts.items()],
        "counted": sum(counts.values()),
        "days": _COUNTED.days,
    }
    return TemplateResponse(request, "trading/decisions.html", context)


def _name_of(decision: DecisionView) -> str:
    """Return the key of a decision as it stands in an address."""
    return f"{decision.bar_close_at.timestamp():.3f}-{decision.instrument_id}"


def _key_of(text: str) -> tuple[datetime, int] | None:
    """Return the key that an address names; None for none, or for what is no key."""
    at, _, instrument_id = text.partition("-")
    try:
        return datetime.fromtimestamp(float(at), UTC), int(instrument_id)
    except (ValueError, OverflowError, OSError):
        return None


def _deployment_or_404(request: HttpRequest, public_id: UUID) -> Deployment:
    try:
        return selectors.get_deployment_for(request.user, public_id=public_id)
    except NotFoundError as error:
        raise Http404 from error
