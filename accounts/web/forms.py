"""The forms of signing up and in, of the profile, and of what ends an account."""

from datetime import timedelta
from typing import Any, Final

from allauth.account import forms as library
from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from accounts.domain.profiles import CURRENCIES, LONGEST_BIO, LONGEST_NAME, time_zones
from accounts.models import Theme, TokenScope
from accounts.services import people
from accounts.services.people import AddressTakenError
from accounts.services.personal_tokens import MAXIMUM_DAYS, MAXIMUM_NAME
from accounts.web.middleware import SEEN_KEY
from market.errors import PlatformError

#: From so few tries on a person is told how many are left.
_TRIES_TOLD: Final = 2
_MISMATCH: Final = "email_password_mismatch"
#: What has to be typed before an account is deleted.
DELETE_WORD: Final = "delete my account"

_RULE: Final = "At least 10 characters, and not a common password."
_UNAVAILABLE: Final = {"invalid_choice": "That choice is not available."}


class LoginForm(library.LoginForm):  # type: ignore[misc]  # the library ships no types
    """E-mail address and password; a session ends at a fixed time after this."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail address"

    def _clean_with_password(self, credentials: dict[str, str]) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super()._clean_with_password(credentials)
        except forms.ValidationError as error:
            left = get_adapter().tries_left(self.request, credentials["email"])
            if error.code != _MISMATCH or left is None or left > _TRIES_TOLD:
                raise
            told = {0: "No try is left", 1: "One try is left"}.get(left, f"{left} tries are left")
            raise forms.ValidationError(
                f"{error.message} {told} in the next minutes.", code=error.code
            ) from None
        return cleaned

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """Sign in, or go on to what is still to be proved."""
        response: HttpResponse = super().login(request, redirect_url)
        now = timezone.now()
        # An instant, not a number of seconds: those would count anew with each change of the session.
        request.session.set_expiry(now + timedelta(seconds=settings.SESSION_COOKIE_AGE))
        request.session[SEEN_KEY] = now.timestamp()
        return response


class SignupForm(library.SignupForm):  # type: ignore[misc]  # the library ships no types
    """E-mail address and password; the answer does not tell whether the address was known already."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "E-mail address"
        self.fields["password1"].help_text = _RULE
        self.fields["password2"].label = "Password, once more"

    def validate_unique_email(self, value: str) -> str:
        """Accept every address here: whether it is free shows when the row is written."""
        return value

    def try_save(self, request: HttpRequest) -> tuple[None, HttpResponse]:
        """Register the person, or tell the one who has the address; the answer is the same."""
        try:
            get_adapter().save_user(request, get_adapter().new_user(request), self)
        except AddressTakenError:
            people.remind_of_account(email=self.cleaned_data["email"])
        return None, redirect("account_email_verification_sent")


class ChangeAddressForm(library.AddEmailForm):  # type: ignore[misc]  # the library ships no types
    """The address to change to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "New e-mail address"


class ChangePasswordForm(library.ChangePasswordForm):  # type: ignore[misc]  # the library ships no types
    """The present password and, twice, a new one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].label = "Current password"
        _name_new_passwords(self)


class ForgottenPasswordForm(library.ResetPasswordForm):  # type: ignore[misc]  # the library ships no types
    """The address of whoever forgot their password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "E-mail address"


class ResetPasswordForm(library.ResetPasswordKeyForm):  # type: ignore[misc]  # the library ships no types
    """A new password, twice, for the holder of the link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_new_passwords(self)


def _name_new_passwords(form: forms.Form) -> None:
    form.fields["password1"].label = "New password"
    form.fields["password1"].help_text = _RULE
    form.fields["password2"].label = "New password, once more"


class SendLinkForm(forms.Form):
    """The address that a new link should go to."""

    email = forms.EmailField(label="E-mail address", max_length=254)


class PlatformForm(forms.Form):
    """A form whose service may find more that is wrong."""

    def add_problems(self, error: PlatformError) -> None:
        """Show an expected failure beside the fields that it names, or above the form."""
        for problem in error.problems:
            field = problem.field if problem.field in self.fields else None
            self.add_error(field, forms.ValidationError(problem.message, code=problem.code))
        if not error.problems:
            self.add_error(None, forms.ValidationError(error.message, code=error.code))


class ProfileForm(PlatformForm):
    """How a person is called, and how they read."""

    display_name = forms.CharField(
        label="Name", required=False, max_length=LONGEST_NAME, help_text="How mails greet you."
    )
    bio = forms.CharField(
        label="About you",
        required=False,
        max_length=LONGEST_BIO,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    time_zone = forms.ChoiceField(
        label="Time zone",
        choices=[(name, name.replace("_", " ")) for name in time_zones()],
        error_messages=_UNAVAILABLE,
        help_text="Times on all pages are shown in it.",
    )
    currency = forms.ChoiceField(
        label="Currency",
        choices=[(code, code) for code in CURRENCIES],
        error_messages=_UNAVAILABLE,
        help_text="The one you think in; each amount is shown in the currency that it trades in.",
    )
    theme = forms.ChoiceField(
        label="Colors",
        choices=Theme.choices,
        error_messages=_UNAVAILABLE,
        help_text="On this device and on new ones.",
    )


class TokenForm(PlatformForm):
    """A new token for a program."""

    name = forms.CharField(label="Name", max_length=MAXIMUM_NAME, help_text="What it is for.")
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=TokenScope.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages=_UNAVAILABLE,
    )
    expires_in_days = forms.IntegerField(
        label="Days until it ends", min_value=1, max_value=MAXIMUM_DAYS, initial=90
    )


class DeleteForm(forms.Form):
    """The typed word that deletes an account."""

    confirmation = forms.CharField(
        label=f"Type “{DELETE_WORD}”",
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_confirmation(self) -> str:
        """Accept the words alone, in any case."""
        typed: str = self.cleaned_data["confirmation"]
        if " ".join(typed.split()).lower() != DELETE_WORD:
            raise forms.ValidationError(f"Type “{DELETE_WORD}” to go on.", code="not_confirmed")
        return typed
