"""The first page of the operators."""

from typing import Any

from django.http import HttpRequest


def fill_summary(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return *context* of the admin's first page."""
    return context
