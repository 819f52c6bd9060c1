"""Lists of what was decided at each bar, for operators."""

from django.contrib import admin

from foundation.admin import ReadOnlyAdmin
from trading.models import DeploymentDecision, GroupDecision, GroupShard, SignalGroup


@admin.register(SignalGroup)
class SignalGroupAdmin(ReadOnlyAdmin):
    """What is computed once for many people."""

    list_display = (
        "id",
        "strategy_version",
        "timeframe",
        "signal_hash",
        "anchor_at",
        "last_bar_close_at",
        "lease_until",
    )
    list_filter = ("timeframe", "strategy_version__strategy")
    search_fields = ("signal_hash", "universe_key")
    list_select_related = ("strategy_version__strategy",)
    ordering = ("-id",)


@admin.register(GroupShard)
class GroupShardAdmin(ReadOnlyAdmin):
    """Up to which bar the deployments of a group have been stepped."""

    list_display = ("id", "group", "number", "of", "last_bar_close_at")
    list_filter = ("group__timeframe",)
    search_fields = ("group__signal_hash",)
    list_select_related = ("group",)
    ordering = ("-id",)


@admin.register(GroupDecision)
class GroupDecisionAdmin(ReadOnlyAdmin):
    """What strategies said at each bar."""

    list_display = ("id", "group", "instrument", "bar_close_at", "reason", "recorded_at")
    list_filter = ("reason",)
    search_fields = ("group__signal_hash", "instrument__symbol")
    list_select_related = ("group", "instrument")
    date_hierarchy = "bar_close_at"
    ordering = ("-bar_close_at", "-id")


@admin.register(DeploymentDecision)
class DeploymentDecisionAdmin(ReadOnlyAdmin):
    """Where a deployment did something else than its group's row says."""

    list_display = ("id", "deployment", "instrument", "bar_close_at", "reason", "recorded_at")
    list_filter = ("reason",)
    search_fields = ("deployment__name", "instrument__symbol", "owner__email")
    list_select_related = ("deployment", "instrument")
    date_hierarchy = "bar_close_at"
    ordering = ("-bar_close_at", "-id")
