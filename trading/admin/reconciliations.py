"""Lists of what reconciliation has found, for operators."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from foundation.admin import ReadOnlyAdmin
from trading.models import ExternalOrder, ReconciliationReport, WorkerStart

Reports = QuerySet[ReconciliationReport]


class FoundFilter(admin.SimpleListFilter):
    """Reports that are not empty, as they should be."""

    title = "findings"
    parameter_name = "found"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("some", "Something is wrong"), ("none", "Empty, as it should be")]

    def queryset(self, request: HttpRequest, queryset: Reports) -> Reports:
        """Return the reports of the chosen kind."""
        match self.value():
            case "some":
                return queryset.filter(finding_count__gt=0)
            case "none":
                return queryset.filter(finding_count=0)
            case _:
                return queryset


@admin.register(ReconciliationReport)
class ReconciliationReportAdmin(ReadOnlyAdmin):
    """What was wrong on an account in the 48 hours before a day's report."""

    list_display = ("day", "account", "owner", "finding_count", "made_at")
    list_filter = (FoundFilter, "account__venue")
    search_fields = ("owner__email", "account__label")
    list_select_related = ("account", "owner")
    date_hierarchy = "day"
    ordering = ("-day", "-id")


@admin.register(ExternalOrder)
class ExternalOrderAdmin(ReadOnlyAdmin):
    """Orders on people's accounts that were not made here; nothing here touches them."""

    list_display = (
        "venue_order_id",
        "account",
        "instrument",
        "side",
        "quantity",
        "filled_quantity",
        "status",
        "first_seen_at",
        "gone_at",
    )
    list_filter = (("gone_at", admin.EmptyFieldListFilter), "side", "account__venue")
    search_fields = ("venue_order_id", "client_order_id", "owner__email", "instrument__symbol")
    list_select_related = ("account", "instrument")
    date_hierarchy = "first_seen_at"
    ordering = ("-id",)


@admin.register(WorkerStart)
class WorkerStartAdmin(ReadOnlyAdmin):
    """Starts of workers that act for accounts: each makes every account be compared first."""

    list_display = ("started_at", "token")
    search_fields = ("token",)
    date_hierarchy = "started_at"
    ordering = ("-started_at", "-id")
