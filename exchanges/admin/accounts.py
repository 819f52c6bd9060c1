"""Lists of exchange accounts for operators; keys are in none of them."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from exchanges.models import Balance, Credential, ExchangeAccount
from exchanges.services import disabling
from foundation.admin import Deed, DeedAdmin, ReadOnlyAdmin
from foundation.admin.deeds import now
from foundation.audit import Actor

_PERMISSION: Final = "exchanges.change_exchangeaccount"


class NoteForm(forms.Form):
    """Why it is done; kept with the audit row."""

    note = forms.CharField(max_length=300, required=False, widget=UnfoldAdminTextInputWidget())


def _disable(account: ExchangeAccount, by: Actor, values: Mapping[str, Any]) -> None:
    disabling.disable_account(account_id=account.pk, note=values["note"], by=by, now=now())


def _enable(account: ExchangeAccount, by: Actor, _: Mapping[str, Any]) -> None:
    disabling.enable_account(account_id=account.pk, by=by, now=now())


DEEDS: Final = (
    Deed(
        name="disable",
        label="Disable",
        done="disabled",
        text=(
            "Nothing is sent to the exchange in its name any more, protective exits included. The owner "
            "is told. Stop its deployments first if they should close their positions."
        ),
        permission=_PERMISSION,
        perform=_disable,
        form=NoteForm,
        applies_to=lambda account: account.disabled_at is None and account.closed_at is None,
        is_dangerous=True,
    ),
    Deed(
        name="enable",
        label="Enable",
        done="enabled",
        text="A worker tests the key; if it works, the account can trade again.",
        permission=_PERMISSION,
        perform=_enable,
        applies_to=lambda account: account.disabled_at is not None and account.closed_at is None,
    ),
)


@admin.register(ExchangeAccount)
class ExchangeAccountAdmin(DeedAdmin):
    """Accounts and what the last test of their key said."""

    deeds = DEEDS
    list_display = (
        "label",
        "owner",
        "venue",
        "kind",
        "status",
        "status_code",
        "authentication_failures",
        "tested_at",
        "disabled_at",
        "closed_at",
    )
    list_filter = (
        "status",
        "kind",
        "venue",
        ("disabled_at", admin.EmptyFieldListFilter),
        ("closed_at", admin.EmptyFieldListFilter),
    )
    export_fields = (
        "public_id",
        "owner__email",
        "venue",
        "kind",
        "label",
        "status",
        "status_code",
        "connected_at",
        "disabled_at",
        "closed_at",
        "created_at",
    )
    search_fields = ("label", "owner__email", "public_id")
    list_select_related = ("owner", "venue")
    date_hierarchy = "created_at"
    ordering = ("-id",)


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin):
    """Which key an account used when; the sealed values stay out of sight."""

    list_display = (
        "account", "owner", "version", "shown_key", "declared_at", "created_at", "replaced_at"
    )  # fmt: skip
    list_filter = (("replaced_at", admin.EmptyFieldListFilter),)
    search_fields = ("owner__email", "account__label")
    list_select_related = ("account", "owner")
    fields = (
        "account", "owner", "version", "shown_key", "declared_at", "created_at", "replaced_at"
    )  # fmt: skip
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the sealed values in the database."""
        rows = super().get_queryset(request)
        return rows.defer("sealed_api_key", "sealed_secret", "sealed_passphrase")

    @admin.display(description="API key")
    def shown_key(self, credential: Credential) -> str:
        """Return the last four characters."""
        return str(credential)


@admin.register(Balance)
class BalanceAdmin(ReadOnlyAdmin):
    """What the venues last said of balances."""

    list_display = ("account", "owner", "currency", "free", "used", "venue_at")
    list_filter = ("currency",)
    search_fields = ("owner__email", "account__label", "currency")
    list_select_related = ("account", "owner")
    ordering = ("-id",)
