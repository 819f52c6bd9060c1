"""A page of a run, a sweep or a check asks for news of it until it is over."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from backtesting.models.work import Work

#: A page and its fragments have the same address.
VARY: Final = {"Vary": "HX-Request"}


def answer_poll(request: HttpRequest, work: Work, *, template: str, page: Any) -> HttpResponse:
    """Return where *work* stands as *template*; 204 if that is known there, and a wish to reload once it is over."""
    if work.is_finished:
        return HttpResponse(headers={"HX-Refresh": "true", **VARY})
    if request.GET.get("version") == str(work.version):
        return HttpResponse(status=204, headers=VARY)
    return TemplateResponse(request, template, {"page": page}, headers=VARY)
