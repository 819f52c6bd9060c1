"""What operators are asked before a deed."""

from django import forms


class NoteForm(forms.Form):
    """A word about why, which the owner reads as well."""

    note = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The owner reads this. It stands in the audit log too.",
    )


class OptionalNoteForm(forms.Form):
    """A word about why, if there is something to say."""

    note = forms.CharField(
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The owner reads this. It stands in the audit log too.",
    )


class CloseOrderForm(forms.Form):
    """How an order under review, or in doubt, ended as it was seen at the exchange."""

    closed_as = forms.ChoiceField(
        label="What is true",
        choices=[
            ("CANCELED", "It rests at the exchange no more; what it filled is booked"),
            ("FILLED", "All of it has filled, and is booked"),
            ("REJECTED", "It never reached the exchange"),
            ("ABANDONED", "Nobody can tell; give it up, and go on watching for it for a day"),
        ],
    )
    note = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What you saw, and where. It is kept as evidence with the order.",
    )
