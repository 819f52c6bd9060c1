"""Lists of decisions to order, orders, their steps and executions, for operators."""

from django.contrib import admin

from foundation.admin import DeedAdmin, ReadOnlyAdmin
from trading.admin.deeds import ORDER_DEEDS
from trading.admin.inlines import ReadOnlyInline
from trading.models import Fill, Order, OrderIntent, OrderTransition


class TransitionInline(ReadOnlyInline):
    """The steps of an order, with their evidence."""

    model = OrderTransition
    fields = ("at", "from_status", "to_status", "actor", "evidence")
    ordering = ("pk",)


class FillInline(ReadOnlyInline):
    """The executions of an order."""

    model = Fill
    fields = ("venue_at", "venue_trade_id", "side", "quantity", "price", "fee", "fee_currency")
    ordering = ("pk",)


@admin.register(OrderIntent)
class OrderIntentAdmin(ReadOnlyAdmin):
    """Decisions to order, those that our own limits denied too."""

    list_display = (
        "id",
        "deployment",
        "instrument",
        "leg",
        "side",
        "order_type",
        "quantity",
        "status",
        "reason_code",
        "created_at",
    )
    list_filter = ("status", "leg", "side", "reason_code")
    search_fields = ("decision_key", "public_id", "deployment__name", "owner__email")
    list_select_related = ("deployment", "instrument")
    date_hierarchy = "created_at"
    ordering = ("-id",)


@admin.register(Order)
class OrderAdmin(DeedAdmin):
    """Orders with their steps and executions; those under review wait for an operator."""

    deeds = ORDER_DEEDS
    list_display = (
        "client_order_id",
        "deployment",
        "instrument",
        "leg",
        "side",
        "order_type",
        "quantity",
        "filled_quantity",
        "status",
        "submitted_at",
    )
    list_filter = ("status", "leg", "side", "order_type", "account__venue")
    search_fields = (
        "client_order_id",
        "venue_order_id",
        "public_id",
        "owner__email",
        "deployment__name",
        "instrument__symbol",
    )
    search_help_text = "Our id or the exchange's, a person's address, a deployment or a symbol."
    list_select_related = ("deployment", "instrument")
    date_hierarchy = "submitted_at"
    ordering = ("-id",)
    inlines = (TransitionInline, FillInline)
    export_fields = (
        "public_id",
        "client_order_id",
        "venue_order_id",
        "owner",
        "deployment",
        "instrument",
        "leg",
        "side",
        "order_type",
        "quantity",
        "filled_quantity",
        "average_price",
        "status",
        "reason_code",
        "submitted_at",
        "finished_at",
    )


@admin.register(OrderTransition)
class OrderTransitionAdmin(ReadOnlyAdmin):
    """Every step of every order."""

    list_display = ("id", "order", "from_status", "to_status", "actor", "at")
    list_filter = ("to_status", "actor")
    search_fields = ("order__client_order_id", "order__venue_order_id", "owner__email")
    list_select_related = ("order",)
    date_hierarchy = "at"
    ordering = ("-id",)


@admin.register(Fill)
class FillAdmin(ReadOnlyAdmin):
    """Executions."""

    list_display = (
        "id",
        "deployment",
        "instrument",
        "side",
        "quantity",
        "price",
        "fee",
        "fee_currency",
        "realized_pnl",
        "venue_at",
    )
    list_filter = (
        "side",
        "liquidity",
        "is_manual",
        ("fee_in_quote", admin.EmptyFieldListFilter),
        "account__venue",
    )
    search_fields = (
        "venue_trade_id",
        "order__client_order_id",
        "owner__email",
        "deployment__name",
        "instrument__symbol",
    )
    export_fields = (
        "venue_trade_id",
        "order",
        "owner",
        "deployment",
        "instrument",
        "side",
        "quantity",
        "price",
        "fee",
        "fee_currency",
        "fee_in_quote",
        "realized_pnl",
        "venue_at",
    )
    list_select_related = ("deployment", "instrument")
    date_hierarchy = "venue_at"
    ordering = ("-id",)
