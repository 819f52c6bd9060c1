"""Lists of strategies, their versions and their evidence."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from foundation.admin import DeedAdmin, ReadOnlyAdmin
from strategies.admin.deeds import DEEDS
from strategies.models import Evidence, Strategy, StrategyVersion


@admin.register(Strategy)
class StrategyAdmin(DeedAdmin):
    """What the registry of code offers, as operators present it."""

    deeds = DEEDS
    list_display = (
        "name",
        "slug",
        "category",
        "risk",
        "suggested_timeframe",
        "position",
        "is_featured",
        "is_registered",
        "is_active",
        "has_evidence",
    )
    list_filter = ("category", "risk", "is_active", "is_registered", "is_featured")
    search_fields = ("slug", "name", "summary", "public_id")
    ordering = ("-is_featured", "position", "name", "pk")
    export_fields = (
        "slug",
        "name",
        "category",
        "risk",
        "suggested_timeframe",
        "is_featured",
        "is_registered",
        "is_active",
        "edited_fields",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Strategy]:
        """Look up in the same query whether there is evidence."""
        rows: QuerySet[Strategy] = super().get_queryset(request)
        return rows.annotate(
            shows_evidence=Exists(Evidence.objects.filter(version__strategy=OuterRef("pk")))
        )

    @admin.display(description="evidence", boolean=True)
    def has_evidence(self, strategy: Any) -> bool:
        """Whether any version was backtested; *strategy* carries the annotation, which its type does not know."""
        return bool(strategy.shows_evidence)


@admin.register(StrategyVersion)
class StrategyVersionAdmin(ReadOnlyAdmin):
    """The released states of each strategy."""

    list_display = ("strategy", "number", "code_fingerprint", "created_at")
    list_filter = ("strategy",)
    search_fields = ("strategy__slug", "code_fingerprint")
    list_select_related = ("strategy",)
    date_hierarchy = "created_at"
    ordering = ("strategy__slug", "-number")


@admin.register(Evidence)
class EvidenceAdmin(ReadOnlyAdmin):
    """The backtests that the catalogue shows."""

    list_display = (
        "version",
        "instrument",
        "timeframe",
        "effective_from_at",
        "to_at",
        "bar_count",
        "total_return",
        "engine_version",
        "recorded_at",
    )
    list_filter = ("version__strategy", "timeframe")
    search_fields = ("version__strategy__slug", "instrument__symbol")
    list_select_related = ("version__strategy", "instrument")
    date_hierarchy = "recorded_at"
    ordering = ("-id",)
    exclude = ("curve",)

    @admin.display(description="return")
    def total_return(self, row: Evidence) -> str:
        """Return the result in percent."""
        value = row.metrics.get("values", {}).get("total_return")
        return "" if value is None else f"{value:+.2%}"
