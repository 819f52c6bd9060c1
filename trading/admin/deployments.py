"""Lists of deployments and what they were told, for operators."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from foundation.admin import DeedAdmin, ReadOnlyAdmin
from trading.admin.deeds import DEPLOYMENT_DEEDS
from trading.admin.inlines import ReadOnlyInline
from trading.models import (
    Deployment,
    DeploymentCommand,
    DeploymentInstrument,
    DeploymentPosition,
    DeploymentRevision,
)
from trading.selectors.entitled import with_entitlement


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
    fields = (
        "instrument",
        "quantity",
        "average_price",
        "realized_pnl",
        "fees",
        "funding",
        "last_price",
    )


class CommandInline(ReadOnlyInline):
    """What a deployment was told."""

    model = DeploymentCommand
    fields = (
        "kind",
        "requested_at",
        "done_at",
        "outcome",
        "note",
        "actor_kind",
        "actor_identifier",
    )
    ordering = ("-pk",)


class EntitlementFilter(admin.SimpleListFilter):
    """By whether the owner has the right to the strategy now."""

    title = "entitled"
    parameter_name = "entitled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer both answers."""
        return [("yes", "Yes"), ("no", "No")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Deployment]
    ) -> QuerySet[Deployment]:
        """Return what the choice leaves."""
        if self.value() not in {"yes", "no"}:
            return queryset
        rows: QuerySet[Any] = queryset  # with the annotation, which its type does not know
        return rows.filter(is_entitled=self.value() == "yes")


@admin.register(Deployment)
class DeploymentAdmin(DeedAdmin):
    """Deployments, with what they trade, hold and were told.

    The right to the strategy, what was asked, what is true and health are four things.
    """

    deeds = DEPLOYMENT_DEEDS
    list_display = (
        "name",
        "owner",
        "strategy_version",
        "account",
        "timeframe",
        "entitled",
        "desired_state",
        "actual_state",
        "health",
        "created_at",
    )
    list_filter = (
        EntitlementFilter,
        "actual_state",
        "desired_state",
        "health",
        "timeframe",
        "account__kind",
        "account__venue",
        "strategy_version__strategy",
    )
    search_fields = ("name", "public_id", "owner__email", "health_code", "account__label")
    search_help_text = "A name, a public id, a person's address, an account or a code of health."
    list_select_related = ("owner", "strategy_version__strategy", "account")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    inlines = (InstrumentInline, PositionInline, RevisionInline, CommandInline)
    export_fields = (
        "public_id",
        "name",
        "owner",
        "strategy_version",
        "account",
        "timeframe",
        "capital",
        "entitled",
        "desired_state",
        "actual_state",
        "health",
        "health_code",
        "created_at",
        "stopped_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        """Look up in the same query whether each owner has the right to the strategy."""
        found: QuerySet[Deployment] = super().get_queryset(request)
        return with_entitlement(found, now=timezone.now())

    @admin.display(boolean=True, description="Entitled")
    def entitled(self, deployment: Any) -> bool:
        """Whether positions may be opened; *deployment* carries the annotation, which its type does not know."""
        return bool(deployment.is_entitled)


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

    list_display = (
        "id",
        "deployment",
        "kind",
        "actor_kind",
        "requested_at",
        "done_at",
        "outcome",
        "note",
    )
    list_filter = ("kind", "actor_kind", ("done_at", admin.EmptyFieldListFilter))
    search_fields = ("deployment__name", "idempotency_key", "owner__email")
    list_select_related = ("deployment",)
    date_hierarchy = "requested_at"
    ordering = ("-id",)
