"""Lists of exchange accounts for operators; keys are in none of them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from exchanges.models import Balance, Credential, ExchangeAccount
from foundation.admin import ReadOnlyAdmin


@admin.register(ExchangeAccount)
class ExchangeAccountAdmin(ReadOnlyAdmin):
    """Accounts and what the last test of their key said."""

    list_display = (
        "label",
        "owner",
        "venue",
        "kind",
        "status",
        "status_code",
        "tested_at",
        "closed_at",
    )
    list_filter = ("status", "kind", "venue", ("closed_at", admin.EmptyFieldListFilter))
    search_fields = ("label", "owner__email", "public_id")
    list_select_related = ("owner", "venue")
    date_hierarchy = "created_at"
    ordering = ("-id",)


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin):
    """Which key an account used when; the sealed values stay out of sight."""

    list_display = ("account", "owner", "version", "shown_key", "created_at", "replaced_at")
    list_filter = (("replaced_at", admin.EmptyFieldListFilter),)
    search_fields = ("owner__email", "account__label")
    list_select_related = ("account", "owner")
    fields = ("account", "owner", "version", "shown_key", "created_at", "replaced_at")
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
