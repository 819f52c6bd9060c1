"""The operators' lists of the catalogue."""

from django.contrib import admin

from foundation.admin import ReadOnlyAdmin
from strategies.models import Evidence, Strategy, StrategyVersion


@admin.register(Strategy)
class StrategyAdmin(ReadOnlyAdmin):
    """What the registry of code offers."""

    list_display = (
        "slug",
        "name",
        "category",
        "risk",
        "suggested_timeframe",
        "is_active",
        "created_at",
    )
    list_filter = ("category", "risk", "is_active")
    search_fields = ("slug", "name", "summary")
    ordering = ("slug",)


@admin.register(StrategyVersion)
class StrategyVersionAdmin(ReadOnlyAdmin):
    """The released states of each strategy."""

    list_display = ("strategy", "number", "code_fingerprint", "created_at")
    list_filter = ("strategy",)
    search_fields = ("strategy__slug", "code_fingerprint")
    list_select_related = ("strategy",)
    ordering = ("strategy__slug", "-number")


@admin.register(Evidence)
class EvidenceAdmin(ReadOnlyAdmin):
    """The backtests that the catalogue shows."""

    list_display = (
        "version",
        "instrument",
        "timeframe",
        "from_at",
        "to_at",
        "engine_version",
        "recorded_at",
    )
    list_filter = ("version__strategy", "timeframe")
    search_fields = ("version__strategy__slug", "instrument__symbol")
    list_select_related = ("version__strategy", "instrument")
    date_hierarchy = "recorded_at"
    ordering = ("-id",)
