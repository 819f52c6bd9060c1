"""People."""

from typing import Any

from accounts.models import User

PASSWORD = "quiet-harbor-71"


def make_person(email: str = "ada@example.com", **fields: Any) -> User:
    """Return a person who can sign in with PASSWORD."""
    return User.objects.create_user(email, PASSWORD, **fields)


def make_operator(email: str = "operator@example.com") -> User:
    """Return a person with every permission."""
    return User.objects.create_superuser(email, PASSWORD)
