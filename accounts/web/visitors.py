"""Who asks for a page."""

from typing import cast

from django.http import HttpRequest

from accounts.models import User


def person_of(request: HttpRequest) -> User:
    """Return the signed-in person; for pages that nobody else reaches."""
    return cast(User, request.user)
