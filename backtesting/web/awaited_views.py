"""The page of a backtest that waits for candles."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from backtesting.models import AwaitedRun
from backtesting.selectors import awaited as selectors
from backtesting.selectors.runs import BacktestNotFoundError
from backtesting.services import awaited
from backtesting.web.polling import VARY
from foundation.http import actor_of, is_fragment


@require_safe
def detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show how far the candles are; lead to the backtest once it has begun."""
    found = _awaited_or_404(request, public_id)
    if is_fragment(request):
        if found.is_finished:
            return HttpResponse(headers={"HX-Refresh": "true", **VARY})
        if request.GET.get("version") == str(found.version):
            return HttpResponse(status=204, headers=VARY)
        return TemplateResponse(
            request, "backtesting/_awaited.html", {"awaited": found}, headers=VARY
        )
    if found.run is not None:
        return redirect("backtesting:detail", public_id=found.run.public_id)
    context = {"awaited": found, "form_address": _form_address(found)}
    return TemplateResponse(request, "backtesting/awaited.html", context, headers=VARY)


@require_POST
def cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take the wish back, and go to the list."""
    found = _awaited_or_404(request, public_id)
    try:
        awaited.cancel(awaited_id=found.pk, by=actor_of(request), now=timezone.now())
    except awaited.AwaitedEndedError as error:
        messages.info(request, error.message)
        return redirect("backtesting:awaited", public_id=public_id)
    messages.success(request, "The backtest does not wait any more.")
    return redirect("backtesting:list")


def _awaited_or_404(request: HttpRequest, public_id: UUID) -> AwaitedRun:
    try:
        return selectors.get_awaited_for(request.user, public_id=public_id)
    except BacktestNotFoundError as error:
        raise Http404 from error


def _form_address(found: AwaitedRun) -> str:
    return f"{reverse('backtesting:new')}?strategy={found.strategy_slug}"
