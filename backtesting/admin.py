"""Lists of backtests for operators."""

from django.contrib import admin

from backtesting.models import BacktestRun, BacktestTrade
from foundation.admin import ReadOnlyAdmin


@admin.register(BacktestRun)
class BacktestRunAdmin(ReadOnlyAdmin):
    """Runs and where they stand."""

    list_display = (
        "public_id",
        "owner",
        "strategy_version",
        "instrument",
        "timeframe",
        "status",
        "progress",
        "attempts",
        "requested_at",
        "finished_at",
    )
    list_filter = ("status", "timeframe", "strategy_version__strategy")
    search_fields = ("public_id", "owner__email", "spec_hash", "error_code")
    list_select_related = ("owner", "strategy_version__strategy", "instrument")
    date_hierarchy = "requested_at"
    ordering = ("-id",)
    exclude = ("equity",)


@admin.register(BacktestTrade)
class BacktestTradeAdmin(ReadOnlyAdmin):
    """Trades of all runs."""

    list_display = (
        "run",
        "number",
        "owner",
        "direction",
        "entry_at",
        "exit_at",
        "quantity",
        "pnl",
        "exit_reason",
    )
    list_filter = ("direction", "exit_reason", "is_open")
    search_fields = ("run__public_id", "owner__email")
    list_select_related = ("run", "owner")
    ordering = ("-id",)
