"""What every template may use."""

from typing import Any

from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the site's name and the reader's theme."""
    theme = getattr(request.user, "theme", "SYSTEM") if hasattr(request, "user") else "SYSTEM"
    return {"site_name": "Trading Platform", "theme": theme.lower()}
