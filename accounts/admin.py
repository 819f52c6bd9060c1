"""The operators' list of people."""

from django.contrib import admin

from accounts.models import User
from foundation.admin import ReadOnlyAdmin


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    """Who is registered; never a password, not even its hash."""

    list_display = (
        "email",
        "display_name",
        "is_active",
        "is_staff",
        "date_joined",
        "last_login",
    )
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "display_name", "public_id")
    date_hierarchy = "date_joined"
    ordering = ("-id",)
    exclude = ("password",)
