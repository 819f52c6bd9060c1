"""The sign-up form."""

from contextlib import suppress
from typing import Any

from allauth.account.forms import SignupForm as BaseSignupForm
from allauth.account.utils import get_next_redirect_url
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from accounts.services.people import AddressTakenError

_ANSWER = "If the address was free, your account is ready. Sign in with your password."


class SignupForm(BaseSignupForm):  # type: ignore[misc]  # the library ships no types
    """E-mail address and password; the answer does not tell whether the address was known already."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "E-mail address"
        self.fields["password1"].help_text = "At least 10 characters, and not a common password."
        self.fields["password2"].label = "Password, once more"

    def validate_unique_email(self, value: str) -> str:
        """Accept every address here: whether it is free shows when the row is written."""
        return value

    def try_save(self, request: HttpRequest) -> tuple[None, HttpResponse]:
        """Register the person, and lead to the sign-in page whatever came of it."""
        with suppress(AddressTakenError):
            self.save(request)
        messages.success(request, _ANSWER)
        address = reverse("account_login")
        following = get_next_redirect_url(request)
        if following:
            address = f"{address}?{urlencode({'next': following})}"
        return None, redirect(address)
