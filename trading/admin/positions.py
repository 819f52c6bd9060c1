"""Lists of what is held and set aside, for operators."""

from django.contrib import admin

from foundation.admin import ReadOnlyAdmin
from trading.models import (
    AccountPosition,
    DeadManSwitch,
    DeploymentPosition,
    FundingCursor,
    FundingPayment,
    Reservation,
    SwapSetting,
)


@admin.register(DeploymentPosition)
class DeploymentPositionAdmin(ReadOnlyAdmin):
    """What deployments hold by our fills."""

    list_display = (
        "id",
        "deployment",
        "instrument",
        "quantity",
        "average_price",
        "realized_pnl",
        "fees",
        "funding",
        "unprotected_since",
        "last_price",
        "last_price_at",
    )
    list_filter = ("instrument__venue", ("unprotected_since", admin.EmptyFieldListFilter))
    search_fields = ("deployment__name", "instrument__symbol", "owner__email")
    list_select_related = ("deployment", "instrument")
    ordering = ("-id",)


@admin.register(AccountPosition)
class AccountPositionAdmin(ReadOnlyAdmin):
    """What accounts hold by the venue's word, and what no deployment explains."""

    list_display = (
        "id",
        "account",
        "instrument",
        "quantity",
        "deployed_quantity",
        "external_quantity",
        "drift_seen",
        "venue_at",
    )
    list_filter = ("account__venue",)
    search_fields = ("account__label", "instrument__symbol", "owner__email")
    list_select_related = ("account", "instrument")
    ordering = ("-id",)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    """Quote currency that is set aside for buys on their way."""

    list_display = ("id", "account", "intent", "currency", "amount", "created_at", "released_at")
    list_filter = ("currency", ("released_at", admin.EmptyFieldListFilter))
    search_fields = ("account__label", "owner__email")
    list_select_related = ("account", "intent")
    date_hierarchy = "created_at"
    ordering = ("-id",)


@admin.register(SwapSetting)
class SwapSettingAdmin(ReadOnlyAdmin):
    """Leverage and margin mode as they were set at the venues."""

    list_display = ("id", "account", "instrument", "leverage", "margin_mode", "set_at")
    list_filter = ("margin_mode", "account__venue")
    search_fields = ("account__label", "instrument__symbol", "owner__email")
    list_select_related = ("account", "instrument")
    ordering = ("-id",)


@admin.register(DeadManSwitch)
class DeadManSwitchAdmin(ReadOnlyAdmin):
    """Switches of venues that may be armed: they cancel what rests when they are not called."""

    list_display = ("id", "account", "called_at")
    list_filter = ("account__venue",)
    search_fields = ("account__label", "owner__email")
    list_select_related = ("account",)
    ordering = ("-id",)


@admin.register(FundingPayment)
class FundingPaymentAdmin(ReadOnlyAdmin):
    """What fundings of swaps brought deployments, and took."""

    list_display = ("id", "deployment", "instrument", "amount", "currency", "paid_at")
    list_filter = ("instrument__venue",)
    search_fields = ("deployment__name", "instrument__symbol", "owner__email")
    list_select_related = ("deployment", "instrument")
    date_hierarchy = "paid_at"
    ordering = ("-id",)


@admin.register(FundingCursor)
class FundingCursorAdmin(ReadOnlyAdmin):
    """Up to when the fundings of accounts are booked."""

    list_display = ("account", "booked_to", "next_at")
    search_fields = ("account__label", "owner__email")
    list_select_related = ("account",)
    ordering = ("-id",)
