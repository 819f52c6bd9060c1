"""Lists of what people were told, on the pages and by mail."""

from django.contrib import admin

from accounts.models import Mail, Notification
from foundation.admin import ReadOnlyAdmin


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """What was told to whom, and whether they have read it."""

    list_display = ("created_at", "owner", "kind", "level", "title", "read_at")
    list_filter = ("kind", "level", ("read_at", admin.EmptyFieldListFilter))
    search_fields = ("owner__email", "title", "key")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-id",)


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    """Which mails went out, wait, or were given up; what the last try failed of."""

    list_display = (
        "created_at",
        "recipient",
        "kind",
        "attempts",
        "sent_at",
        "failed_at",
        "last_error",
    )
    list_filter = (
        "kind",
        ("sent_at", admin.EmptyFieldListFilter),
        ("failed_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("recipient", "owner__email", "key")
    date_hierarchy = "created_at"
    ordering = ("-id",)
