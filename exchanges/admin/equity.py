"""The operators' lists of what accounts were worth, and by which rates that is shown."""

from django.contrib import admin

from exchanges.models import ConversionRate, EquitySnapshot
from foundation.admin import ReadOnlyAdmin


@admin.register(ConversionRate)
class ConversionRateAdmin(ReadOnlyAdmin):
    """What one currency cost in another, by the hour."""

    list_display = ("base", "quote", "rate", "venue", "hour_at", "venue_at")
    list_filter = ("venue", "quote")
    search_fields = ("base", "quote")
    list_select_related = ("venue",)
    date_hierarchy = "hour_at"
    ordering = ("-id",)


@admin.register(EquitySnapshot)
class EquitySnapshotAdmin(ReadOnlyAdmin):
    """What accounts were worth, by the hour."""

    list_display = ("account", "owner", "equity", "is_complete", "hour_at")
    list_filter = ("is_complete",)
    search_fields = ("owner__email", "account__label")
    list_select_related = ("account", "owner")
    date_hierarchy = "hour_at"
    ordering = ("-id",)
