"""The list of drift reports, for operators."""

from django.contrib import admin

from foundation.admin import ReadOnlyAdmin
from trading.models import DriftReport


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
