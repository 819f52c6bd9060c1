"""Forms of exchange accounts; what a key must look like is checked by the domain, so that the API agrees."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms

from exchanges.domain.credentials import CredentialFormatError, PastedCredential, clean_credential
from exchanges.models import Venue
from market.errors import PlatformError

_KEY_ATTRIBUTES: Final = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


def _key_field(label: str, **options: Any) -> forms.CharField:
    # A password box never shows again what was sent, and no trimming hides what was pasted.
    return forms.CharField(
        label=label,
        widget=forms.PasswordInput(attrs=_KEY_ATTRIBUTES),
        strip=False,
        error_messages={"required": "This is empty."},
        **options,
    )


class KeyForm(forms.Form):
    """The keys of an account; ``notes`` tell what was trimmed."""

    api_key = _key_field("API key")
    secret = _key_field("Secret")
    passphrase = _key_field(
        "Passphrase",
        required=False,
        help_text="Only for exchanges that gave you one with the key.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.notes: tuple[str, ...] = ()

    def clean(self) -> dict[str, Any]:
        """Put each problem with the keys beside its field."""
        values = super().clean() or {}
        pasted = PastedCredential(*(values.get(name, "") for name in KEY_FIELDS))
        try:
            self.notes = clean_credential(pasted).notes
        except CredentialFormatError as error:
            self.add_problems(error)
        return values

    def add_problems(self, error: PlatformError) -> None:
        """Show an expected failure beside the fields that it names, or above the form."""
        for problem in error.problems:
            field = problem.field if problem.field in self.fields else None
            if field in self.errors:
                # The form itself has already said what is wrong with it.
                continue
            self.add_error(field, forms.ValidationError(problem.message, code=problem.code))
        if not error.problems:
            self.add_error(None, forms.ValidationError(error.message, code=error.code))


KEY_FIELDS: Final = ("api_key", "secret", "passphrase")


class ConnectForm(KeyForm):
    """A new account at a venue that takes keys."""

    venue = forms.ChoiceField(label="Exchange")
    label = forms.CharField(
        label="Name",
        required=False,
        help_text="How you call this account; empty for the name of the exchange.",
    )
    field_order = ("venue", "label", *KEY_FIELDS)

    def __init__(self, *args: Any, venues: Iterable[Venue], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(venue.code, _venue_name(venue)) for venue in venues]
        self.fields["venue"] = forms.ChoiceField(label="Exchange", choices=choices)
        self.order_fields(self.field_order)


class PaperForm(forms.Form):
    """The venue of a paper account."""

    def __init__(self, *args: Any, venues: Iterable[Venue], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(venue.code, venue.name) for venue in venues]
        self.fields["paper_venue"] = forms.ChoiceField(label="Prices from", choices=choices)


def _venue_name(venue: Venue) -> str:
    return f"{venue.name} (real money)" if venue.real_money else venue.name
