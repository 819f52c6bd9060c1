"""Lists of venues, instruments and their rules."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import TabularInline

from exchanges.models import Instrument, InstrumentRules, Venue
from foundation.admin import ReadOnlyAdmin


class InstrumentRulesInline(TabularInline):  # type: ignore[misc]  # the theme ships no types
    """The rules of one instrument since it is known."""

    model = InstrumentRules
    extra = 0
    can_delete = False
    ordering = ("-valid_from",)
    fields = (
        "valid_from",
        "tick_size",
        "lot_step",
        "minimum_quantity",
        "minimum_notional",
        "contract_size",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Services add rules."""
        return False


@admin.register(Venue)
class VenueAdmin(ReadOnlyAdmin):
    """Exchanges and simulations."""

    list_display = (
        "code",
        "name",
        "ccxt_id",
        "real_money",
        "use",
        "is_active",
        "clock_offset_ms",
        "clock_measured_at",
    )
    list_filter = ("real_money", "takes_live_accounts", "is_active")
    search_fields = ("code", "name")
    # A form field for an address would have to guess a scheme; here it is only shown.
    readonly_fields = ("api_url",)
    ordering = ("code",)

    @admin.display(description="Use")
    def use(self, venue: Venue) -> str:
        """Return what the venue is good for here."""
        return venue.use.label


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    """What trades where, and by which steps."""

    list_display = (
        "symbol",
        "venue",
        "kind",
        "tick_size",
        "lot_step",
        "minimum_notional",
        "is_active",
        "delisted_at",
    )
    list_filter = ("venue", "kind", "is_active", "quote")
    search_fields = ("symbol", "base", "quote")
    list_select_related = ("venue",)
    ordering = ("venue__code", "symbol")
    inlines = (InstrumentRulesInline,)


@admin.register(InstrumentRules)
class InstrumentRulesAdmin(ReadOnlyAdmin):
    """Every change of trading rules."""

    list_display = (
        "instrument",
        "valid_from",
        "tick_size",
        "lot_step",
        "minimum_quantity",
        "minimum_notional",
    )
    list_filter = ("instrument__venue",)
    search_fields = ("instrument__symbol",)
    list_select_related = ("instrument",)
    date_hierarchy = "valid_from"
    ordering = ("-valid_from", "-pk")
