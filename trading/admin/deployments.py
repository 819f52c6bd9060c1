"""Lists of deployments and what they were told, for operators."""

from django.contrib import admin

from foundation.admin import ReadOnlyAdmin
from trading.admin.inlines import ReadOnlyInline
from trading.models import (
    Deployment,
    DeploymentCommand,
    DeploymentInstrument,
    DeploymentPosition,
    DeploymentRevision,
)


class InstrumentInline(ReadOnlyInline):
    """What a deployment trades."""

    model = DeploymentInstrument
    fields = ("instrument", "is_active", "is_exclusive", "marks", "last_bar_close_at")


class RevisionInline(ReadOnlyInline):
    """With which parameters, since when."""

    model = DeploymentRevision
    fields = ("number", "group", "parameters", "from_bar_at", "to_bar_at")


class PositionInline(ReadOnlyInline):
    """What a deployment holds."""

    model = DeploymentPosition
    fields = ("instrument", "quantity", "average_price", "realized_pnl", "fees", "last_price")


class CommandInline(ReadOnlyInline):
    """What a deployment was told."""

    model = DeploymentCommand
    fields = ("kind", "requested_at", "done_at", "outcome", "actor_kind", "actor_identifier")


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    """Deployments, with what they trade, hold and were told."""

    list_display = (
        "name",
        "owner",
        "strategy_version",
        "account",
        "timeframe",
        "desired_state",
        "actual_state",
        "health",
        "created_at",
    )
    list_filter = ("actual_state", "desired_state", "health", "timeframe", "account__venue")
    search_fields = ("name", "public_id", "owner__email", "health_code")
    list_select_related = ("owner", "strategy_version__strategy", "account")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    inlines = (InstrumentInline, PositionInline, RevisionInline, CommandInline)


@admin.register(DeploymentInstrument)
class DeploymentInstrumentAdmin(ReadOnlyAdmin):
    """What deployments trade."""

    list_display = ("id", "deployment", "instrument", "account", "is_active", "last_bar_close_at")
    list_filter = ("is_active", "is_exclusive", "instrument__venue")
    search_fields = ("deployment__name", "instrument__symbol", "owner__email")
    list_select_related = ("deployment", "instrument", "account")
    ordering = ("-id",)


@admin.register(DeploymentRevision)
class DeploymentRevisionAdmin(ReadOnlyAdmin):
    """The parameters of deployments over time."""

    list_display = ("id", "deployment", "number", "group", "from_bar_at", "to_bar_at")
    list_filter = (("to_bar_at", admin.EmptyFieldListFilter),)
    search_fields = ("deployment__name", "deployment__public_id", "owner__email")
    list_select_related = ("deployment", "group")
    ordering = ("-id",)


@admin.register(DeploymentCommand)
class DeploymentCommandAdmin(ReadOnlyAdmin):
    """What deployments were told, and whether it is done."""

    list_display = ("id", "deployment", "kind", "requested_at", "done_at", "outcome")
    list_filter = ("kind", ("done_at", admin.EmptyFieldListFilter))
    search_fields = ("deployment__name", "idempotency_key", "owner__email")
    list_select_related = ("deployment",)
    date_hierarchy = "requested_at"
    ordering = ("-id",)
