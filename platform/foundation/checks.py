"""What keeps the platform from starting: here, an address of the API that does not say who may call it."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from django.core import checks
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView


def api_views() -> Iterator[tuple[str, type[APIView]]]:
    """Yield the route and the class of every view of the API."""
    yield from _views_below(get_resolver(), "")


def _views_below(resolver: URLResolver, path: str) -> Iterator[tuple[str, type[APIView]]]:
    for entry in resolver.url_patterns:
        route = path + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _views_below(entry, route)
        elif isinstance(entry, URLPattern):
            view = getattr(entry.callback, "cls", None)
            if isinstance(view, type) and issubclass(view, APIView):
                yield route, view


@checks.register(checks.Tags.security)
def every_view_declares_its_scope(**_: Any) -> list[checks.CheckMessage]:
    """Refuse to start with an address of the API that does not say who may call it."""
    return [
        checks.Error(
            f"{view.__module__}.{view.__qualname__} at /{route} declares no scope for {method}.",
            hint="Set required_scope to a scope, PERSON or ANYBODY (see foundation.scopes).",
            id="foundation.E010",
        )
        for route, view in api_views()
        for method in _undeclared_methods(view)
    ]


def _undeclared_methods(view: type[APIView]) -> list[str]:
    offered = [name.upper() for name in view.http_method_names if hasattr(view, name)]
    offered = [name for name in offered if name not in {"OPTIONS", "HEAD"}]
    if not hasattr(view, "required_scope"):
        return offered
    declared = cast(Any, view).required_scope
    if isinstance(declared, Mapping):
        return [name for name in offered if name not in declared]
    return []
