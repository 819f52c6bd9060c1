"""What is halted or reduced, for operators: to look at, to set, and to let go on."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.utils import timezone

from foundation.admin import Deed, DeedAdmin, ReadOnlyAdmin
from foundation.admin.deeds import now
from foundation.audit import Actor
from trading.models import (
    DatabaseMark,
    ProtectionLimits,
    ProtectionMark,
    RestrictionState,
    TradingRestriction,
)
from trading.services import restrictions, targets


class RestrictForm(forms.Form):
    """What is to trade less, how much, and why."""

    scope = forms.CharField(label="What", help_text=" · ".join(targets.FORMS))
    state = forms.ChoiceField(choices=RestrictionState)
    reason = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Everybody concerned reads this. It stands in the audit log too.",
    )


class ReleaseForm(forms.Form):
    """Why it may go on."""

    note = forms.CharField(max_length=300, widget=forms.Textarea(attrs={"rows": 3}))


def _restrict(_: None, by: Actor, values: Mapping[str, Any]) -> str:
    row = restrictions.set_by_hand(
        target=targets.named(values["scope"]),
        state=values["state"],
        reason=values["reason"],
        by=by,
        is_operator=True,
        now=now(),
    )
    return f"{row}." if row else "Nothing is in force."


def _release(row: TradingRestriction, by: Actor, values: Mapping[str, Any]) -> str | None:
    left = restrictions.release(
        restriction=row, note=values["note"], by=by, is_operator=True, now=now()
    )
    return "You agree. Another operator has to agree as well." if left else None


_PERMISSION: Final = "trading.change_tradingrestriction"


@admin.register(TradingRestriction)
class TradingRestrictionAdmin(DeedAdmin):
    """Trading states that are not active, and those that were."""

    deeds = (
        Deed(
            name="release",
            label="Let it go on",
            done="over",
            text="What it restricts may trade again at once, unless something else restricts it. A "
            "halt of the platform needs a second operator.",
            permission=_PERMISSION,
            perform=_release,
            form=ReleaseForm,
            applies_to=lambda row: row.released_at is None,
        ),
    )
    deeds_of_list = (
        Deed(
            name="restrict",
            label="Halt or reduce",
            done="restricted",
            text="It holds for every order that is not on the wire yet. Halted, only cancellations "
            "go out; reducing, exits as well. Entries that rest at exchanges are canceled.",
            permission=_PERMISSION,
            perform=_restrict,
            form=RestrictForm,
            is_dangerous=True,
        ),
    )
    list_display = (
        "target_name",
        "state",
        "cause",
        "is_in_force",
        "since_at",
        "until_at",
        "release_rule",
        "approved_by",
        "set_by_identifier",
        "released_at",
    )
    list_filter = (
        ("released_at", admin.EmptyFieldListFilter),
        "state",
        "scope",
        "cause",
        "release_rule",
    )
    search_fields = ("target_name", "target_key", "reason", "owner__email")
    search_help_text = "A name, a key such as account:5, a reason or a person's address."
    date_hierarchy = "since_at"
    ordering = ("-id",)

    @admin.display(boolean=True, description="In force")
    def is_in_force(self, row: TradingRestriction) -> bool:
        """Whether it restricts anything at this moment."""
        return row.released_at is None and (row.until_at is None or row.until_at > timezone.now())


@admin.register(ProtectionLimits)
class ProtectionLimitsAdmin(ReadOnlyAdmin):
    """What people have limited."""

    list_display = (
        "target_key",
        "owner",
        "max_daily_loss_percent",
        "max_drawdown_percent",
        "max_exposure_percent",
        "max_open_positions",
        "updated_at",
    )
    search_fields = ("target_key", "owner__email")
    list_select_related = ("owner",)
    ordering = ("-id",)


@admin.register(ProtectionMark)
class ProtectionMarkAdmin(ReadOnlyAdmin):
    """From where losses are measured."""

    list_display = ("target_key", "currency", "owner", "day_on", "day_pnl", "peak_pnl")
    search_fields = ("target_key", "owner__email")
    list_select_related = ("owner",)
    ordering = ("-id",)


@admin.register(DatabaseMark)
class DatabaseMarkAdmin(ReadOnlyAdmin):
    """Which database this is; another one than before halts everything."""

    list_display = ("identity", "seen_at")
    search_fields = ("identity",)
    ordering = ("-id",)
