"""Lists of what people sign in with; never anything that could be used to do so."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import PersonalToken, RefreshFamily
from foundation.admin import ReadOnlyAdmin
from foundation.admin.lists import withdraw

# The library's own lists show seeds and session keys, and change rows behind the services.
withdraw(EmailAddress, Authenticator, UserSession)


@admin.register(EmailAddress)
class EmailAddressAdmin(ReadOnlyAdmin):
    """Addresses and whether they are proven; changed at the person."""

    list_display = ("email", "user", "verified", "primary")
    list_filter = ("verified", "primary")
    search_fields = ("email", "user__email")
    list_select_related = ("user",)
    ordering = ("-id",)


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Who has a second factor since when; the seed and the codes stay out of sight."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    search_fields = ("user__email",)
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-id",)
    fields = ("user", "type", "created_at", "last_used_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the secrets in the database."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer("data")


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    """Where people are signed in; the key of a session would let its reader in."""

    list_display = ("user", "ip", "short_user_agent", "created_at", "last_seen_at")
    search_fields = ("user__email", "ip")
    list_select_related = ("user",)
    date_hierarchy = "last_seen_at"
    ordering = ("-id",)
    fields = ("user", "ip", "user_agent", "created_at", "last_seen_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the keys in the database."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer("session_key", "data")

    @admin.display(description="program")
    def short_user_agent(self, session: Any) -> str:
        """Return the beginning of what the browser calls itself."""
        return str(session.user_agent)[:60]


@admin.register(PersonalToken)
class PersonalTokenAdmin(ReadOnlyAdmin):
    """Keys of programs by their prefix; people revoke their own, deactivating a person revokes all."""

    list_display = (
        "name",
        "owner",
        "prefix",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "prefix", "owner__email")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-id",)
    exclude = ("secret_hash",)


@admin.register(RefreshFamily)
class RefreshFamilyAdmin(ReadOnlyAdmin):
    """Sign-ins of programs, and why they ended."""

    list_display = (
        "public_id",
        "owner",
        "ip_address",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
        "revoked_reason",
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "revoked_reason")
    search_fields = ("owner__email", "public_id", "ip_address")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-id",)
    exclude = ("current_jti_hash", "previous_jti_hash")
