"""The operators' lists of what is offered, and of who has a right to it until when."""

from django.contrib import admin
from unfold.admin import TabularInline

from billing.admin.deeds import GRANT, PLAN_DEEDS, PRODUCT_DEEDS, SUBSCRIPTION_DEEDS
from billing.models import BillingAccount, Grant, Plan, Price, Product, Subscription
from foundation.admin import DeedAdmin, ReadOnlyAdmin


@admin.register(Product)
class ProductAdmin(DeedAdmin):
    """What people can have a right to."""

    deeds = PRODUCT_DEEDS
    list_display = ("code", "name", "kind", "is_active", "created_at")
    list_filter = ("kind", "is_active")
    search_fields = ("code", "name", "public_id")
    ordering = ("code",)
    export_fields = ("code", "name", "kind", "is_active", "created_at")


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """What products cost and cost before."""

    list_display = ("product", "interval", "amount", "currency", "valid_from", "valid_to")
    list_filter = ("interval", "currency", ("valid_to", admin.EmptyFieldListFilter))
    search_fields = ("product__code", "product__name", "public_id")
    list_select_related = ("product",)
    date_hierarchy = "valid_from"
    ordering = ("-valid_from", "-pk")
    export_fields = ("product", "interval", "amount", "currency", "valid_from", "valid_to")


@admin.register(Plan)
class PlanAdmin(DeedAdmin):
    """What each plan allows; an empty limit is no limit."""

    deeds = PLAN_DEEDS
    list_display = (
        "product",
        "rank",
        "is_default",
        "live_deployments",
        "paper_deployments",
        "exchange_accounts",
        "backtests_per_day",
        "bars_per_run",
        "trials_per_sweep",
    )
    search_fields = ("product__code", "product__name", "summary")
    list_select_related = ("product",)
    ordering = ("rank", "pk")


@admin.register(BillingAccount)
class BillingAccountAdmin(ReadOnlyAdmin):
    """The rows whose lock puts in order what counts against a person's limits."""

    list_display = ("owner", "created_at")
    search_fields = ("owner__email",)
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-pk",)


class GrantInline(TabularInline):  # type: ignore[misc]  # the theme ships no types
    """The stretches of time of a subscription."""

    model = Grant
    fields = ("source", "from_at", "to_at", "actor_kind", "actor_identifier", "note", "created_at")
    readonly_fields = fields
    ordering = ("-pk",)
    extra = 0
    can_delete = False

    def has_add_permission(self, request: object, obj: object = None) -> bool:
        """Services add grants."""
        return False


@admin.register(Subscription)
class SubscriptionAdmin(DeedAdmin):
    """Who has a right to what, and until when."""

    deeds = SUBSCRIPTION_DEEDS
    deeds_of_list = (GRANT,)
    list_display = ("owner", "product", "status", "started_at", "ends_at", "ended_at")
    list_filter = (
        "status",
        "product__kind",
        ("ends_at", admin.EmptyFieldListFilter),
        ("ended_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("owner__email", "product__code", "product__name", "public_id")
    list_select_related = ("owner", "product")
    date_hierarchy = "started_at"
    ordering = ("-started_at", "-pk")
    inlines = (GrantInline,)
    export_fields = (
        "public_id",
        "owner",
        "product",
        "status",
        "started_at",
        "ends_at",
        "ended_at",
    )


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    """Every stretch of time that was ever given, by whom and why."""

    list_display = (
        "owner",
        "subscription",
        "source",
        "from_at",
        "to_at",
        "actor_kind",
        "actor_identifier",
        "created_at",
    )
    list_filter = ("source", "actor_kind", "subscription__product__kind")
    search_fields = ("owner__email", "subscription__product__code", "note", "public_id")
    list_select_related = ("owner", "subscription__product")
    date_hierarchy = "created_at"
    ordering = ("-pk",)
    export_fields = (
        "public_id",
        "owner",
        "subscription",
        "source",
        "from_at",
        "to_at",
        "actor_kind",
        "actor_identifier",
        "note",
        "created_at",
    )
