"""The description of the API: as a file for programs, and as a page to read and try."""

from functools import cache
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer


@login_not_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the API in a form that can be read and tried."""
    return TemplateResponse(request, "api/docs.html")


@login_not_required
@require_safe
@cache_control(max_age=300, public=True)
def openapi(request: HttpRequest) -> HttpResponse:
    """Return the description in the OpenAPI format."""
    return HttpResponse(document(), content_type="application/yaml; charset=utf-8")


@cache
def document() -> bytes:
    """Return the description of the code that runs here; made once in a process."""
    # The library's classes carry no types.
    generator: Any = SchemaGenerator
    renderer: Any = OpenApiYamlRenderer
    text: bytes = renderer().render(generator().get_schema(public=True), renderer_context={})
    return text
