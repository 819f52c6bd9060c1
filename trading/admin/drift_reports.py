"""Lists of drift reports and their trades, for operators."""

from django.contrib import admin

from foundation.admin import ReadOnlyAdmin
from trading.models import DriftReport, DriftTrade


@admin.register(DriftReport)
class DriftReportAdmin(ReadOnlyAdmin):
    """Deployments compared with their replays."""

    list_display = (
        "id",
        "deployment",
        "status",
        "live_pnl",
        "replay_pnl",
        "residual",
        "requested_at",
        "finished_at",
        "error_code",
    )
    list_filter = ("status", "error_code")
    search_fields = ("deployment__name", "owner__email", "public_id")
    list_select_related = ("deployment",)
    date_hierarchy = "requested_at"
    ordering = ("-id",)


@admin.register(DriftTrade)
class DriftTradeAdmin(ReadOnlyAdmin):
    """What each trade of a report and its twin came to."""

    list_display = ("id", "report", "number", "symbol", "live_pnl", "replay_pnl", "residual")
    list_filter = ("direction",)
    search_fields = ("symbol", "report__deployment__name", "owner__email")
    list_select_related = ("report",)
    date_hierarchy = "decided_at"
    ordering = ("-report_id", "number")
