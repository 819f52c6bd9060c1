"""The page of stored market data: what is held, and fetching more of it."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from exchanges.selectors import fetches, instruments
from exchanges.selectors.held import HeldFilter
from exchanges.services import history
from exchanges.web.held_forms import FetchForm, HeldForm
from exchanges.web.held_presenters import HeldList, present_fetches, present_series
from foundation.http import actor_of
from market.errors import PlatformError
from market.timeframes import Timeframe

_SERIES_A_PAGE: Final = 50


@require_http_methods(["GET", "HEAD", "POST"])
def market_data(request: HttpRequest) -> HttpResponse:
    """List what is stored of every series; POST has history fetched from its exchange."""
    form = FetchForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _fetch(request, form):
        return redirect("market-data:held")
    status = 422 if form.errors else 200
    return TemplateResponse(
        request, "exchanges/market_data.html", _context(request, form), status=status
    )


def _context(request: HttpRequest, form: FetchForm) -> dict[str, Any]:
    # A template's context has values of every type.
    filters = HeldForm(request.GET, venues=instruments.active_venues())
    wanted = filters.wanted()
    found = HeldList(wanted, order=filters.order())
    page, series = found.page(request.GET.get("page"), size=_SERIES_A_PAGE)
    return {
        "form": form,
        "filters": filters,
        "is_narrowed": wanted != HeldFilter(),
        "page": page,
        "rows": [present_series(each) for each in series],
        "total": found.total,
        "fetches": present_fetches(fetches.fetches_for(request.user, now=timezone.now())),
        "most_bars": history.MOST_BARS,
    }


def _fetch(request: HttpRequest, form: FetchForm) -> bool:
    """Have the history fetched and say so, or put the problem into the form."""
    from_at, to_at = form.window()
    try:
        instrument = instruments.parse_market(form.cleaned_data["market"])
        history.request_fetch(
            owner=request.user,
            instrument_id=instrument.pk,
            timeframe=Timeframe(form.cleaned_data["fetch_timeframe"]),
            from_at=from_at,
            to_at=to_at,
            by=actor_of(request),
            now=timezone.now(),
        )
    except PlatformError as error:
        form.add_problem(error)
        return False
    messages.success(
        request, f"{instrument.symbol} is being fetched; this page shows how far it is."
    )
    return True
