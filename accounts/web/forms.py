"""The sign-up form."""

from typing import Any

from allauth.account.forms import SignupForm as BaseSignupForm


class SignupForm(BaseSignupForm):  # type: ignore[misc]  # the library ships no types
    """E-mail address and password, with our hints."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = "At least 10 characters."
