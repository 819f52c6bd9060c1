"""The page that finds markets by what they are like, for strategies that look at many."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from exchanges.domain.universe import written
from exchanges.selectors import instruments, universe
from exchanges.web.universe_forms import UniverseForm

_SHOWN: Final = 200


@require_safe
def choose(request: HttpRequest) -> HttpResponse:
    """Show the markets of an exchange that fit, written as a universe, and why others do not."""
    venues = list(instruments.active_venues())
    is_asked = "venue" in request.GET
    form = UniverseForm(request.GET if is_asked else None, venues=venues)
    context: dict[str, Any] = {"form": form, "is_asked": is_asked}
    status = 200
    if is_asked and form.is_valid():
        now = timezone.now()
        venue = form.cleaned_data["venue"]
        chosen = universe.choose_at(venue, form.wanted(), at=now, now=now)
        context |= {
            "chosen": chosen,
            "markets": chosen.markets[:_SHOWN],
            "refused": list(chosen.refused.items())[:_SHOWN],
            "universe": written(venue, chosen),
        }
    elif is_asked:
        status = 422
    return TemplateResponse(request, "exchanges/universe.html", context, status=status)
