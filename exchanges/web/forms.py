"""Forms of exchange accounts; what a key must look like is checked by the domain, so that the API agrees."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms

from exchanges.domain.credentials import CredentialFormatError, PastedCredential, clean_credential
from exchanges.domain.guides import ConnectGuide
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
    """The keys of an account at a venue with that guide; ``notes`` tell what was trimmed."""

    api_key = _key_field("API key")
    secret = _key_field("Secret")

    def __init__(self, *args: Any, guide: ConnectGuide, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.notes: tuple[str, ...] = ()
        if guide.needs_passphrase:
            self.fields["passphrase"] = _key_field("Passphrase")
        if not guide.tells_permissions:
            self.fields["declares_safe"] = forms.BooleanField(
                label="I declare that this key can neither withdraw nor transfer.",
                required=False,
                help_text="This exchange does not tell, so nobody but you can know.",
            )

    def clean(self) -> dict[str, Any]:
        """Put each problem with the keys beside its field."""
        values = super().clean() or {}
        pasted = PastedCredential(*(values.get(name, "") for name in KEY_FIELDS))
        try:
            self.notes = clean_credential(pasted).notes
        except CredentialFormatError as error:
            self.add_problems(error)
        return values

    @property
    def entered(self) -> dict[str, Any]:
        """The keys and the declaration, by the names under which services take them."""
        keys = {name: self.cleaned_data.get(name, "") for name in KEY_FIELDS}
        return {**keys, "declares_safe": bool(self.cleaned_data.get("declares_safe"))}

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

    label = forms.CharField(
        label="Name",
        required=False,
        help_text="How you call this account; empty for the name of the exchange.",
    )
    field_order = ("label", *KEY_FIELDS, "declares_safe")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(self.field_order)


class PaperForm(forms.Form):
    """The venue of a paper account."""

    def __init__(self, *args: Any, venues: Iterable[Venue], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(venue.code, venue.name) for venue in venues]
        self.fields["paper_venue"] = forms.ChoiceField(label="Prices from", choices=choices)
