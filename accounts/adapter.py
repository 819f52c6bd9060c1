"""How the accounts library makes people of ours."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from accounts.models import User
from accounts.services import people


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library ships no types
    """Registers through our service, so that the row, the audit entry and the event belong together."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Create the person that *form* describes."""
        return people.register_person(
            email=form.cleaned_data["email"],
            password=form.cleaned_data.get("password1"),
            person=user,
        )
