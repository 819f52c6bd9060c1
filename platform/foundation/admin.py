"""Lists for operators: of the foundation's own tables, and the base that all apps' lists share."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from foundation.models import AuditEntry, EventReceipt, Heartbeat, OutboxEvent


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # the theme ships no types
    """Rows that services own: to look at, never to add, change or delete by hand."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Services add rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Services change rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted by hand."""
        return False


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    """Events and whether they were delivered."""

    list_display = ("id", "name", "queue", "owner", "occurred_at", "delivered_at", "attempts")
    list_filter = ("name", "queue", ("delivered_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "owner__email")
    list_select_related = ("owner",)
    ordering = ("-id",)


@admin.register(EventReceipt)
class EventReceiptAdmin(ReadOnlyAdmin):
    """Who confirmed which event."""

    list_display = ("id", "event", "subscriber", "recorded_at")
    list_filter = ("subscriber",)
    list_select_related = ("event",)
    ordering = ("-id",)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what to which thing."""

    list_display = (
        "at",
        "actor_kind",
        "actor_identifier",
        "verb",
        "target_kind",
        "target_identifier",
    )
    list_filter = ("verb", "actor_kind")
    search_fields = ("verb", "target_identifier", "actor_identifier", "owner__email")
    date_hierarchy = "at"
    ordering = ("-id",)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """The last signs of life."""

    list_display = ("process", "beat_at")
    ordering = ("process",)
