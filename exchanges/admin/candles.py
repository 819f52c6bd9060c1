"""Lists of the candle store and of the feeds that fill it."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from exchanges.models import (
    CandleChunk,
    CandleFeed,
    CandleGap,
    CandleImport,
    CandleRevision,
    CandleTail,
    FeedHold,
    FundingFeed,
    FundingRate,
    HistoryFetch,
    QuarantinedBar,
    Quote,
)
from foundation.admin import ReadOnlyAdmin


class SeriesAdmin(ReadOnlyAdmin):
    """What all rows of a series share."""

    list_filter: tuple[Any, ...] = ("timeframe", "instrument__venue")
    search_fields: tuple[str, ...] = ("instrument__symbol",)
    list_select_related: tuple[str, ...] = ("instrument__venue",)

    @admin.display(description="venue", ordering="instrument__venue__code")
    def venue(self, row: Any) -> str:
        """Where the instrument trades; *row* is a row of any of these tables."""
        return str(row.instrument.venue.code)


@admin.register(CandleChunk)
class CandleChunkAdmin(SeriesAdmin):
    """Sealed stretches; the bytes themselves are never fetched for a list."""

    list_display = (
        "instrument",
        "venue",
        "timeframe",
        "starts_at",
        "row_count",
        "version",
        "codec",
        "first_open_at",
        "last_open_at",
    )
    exclude = ("data",)
    date_hierarchy = "starts_at"
    ordering = ("-starts_at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CandleChunk]:
        """Leave the bytes where they are."""
        chunks: QuerySet[CandleChunk] = super().get_queryset(request)
        return chunks.defer("data")


@admin.register(CandleTail)
class CandleTailAdmin(SeriesAdmin):
    """Bars that are not sealed yet."""

    list_display = (
        "instrument",
        "venue",
        "timeframe",
        "open_at",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "revision",
        "recorded_at",
    )
    ordering = ("-pk",)


@admin.register(CandleRevision)
class CandleRevisionAdmin(SeriesAdmin):
    """Former values of bars that a venue has changed."""

    list_display = (
        "instrument",
        "venue",
        "timeframe",
        "open_at",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "recorded_at",
    )
    date_hierarchy = "recorded_at"
    ordering = ("-pk",)


@admin.register(CandleGap)
class CandleGapAdmin(SeriesAdmin):
    """Bars that the source does not have."""

    list_display = (
        "instrument",
        "venue",
        "timeframe",
        "from_at",
        "to_at",
        "missing",
        "asked_at",
        "denials",
        "confirmed_at",
    )
    date_hierarchy = "from_at"
    ordering = ("-from_at", "-pk")


@admin.register(CandleImport)
class CandleImportAdmin(SeriesAdmin):
    """Files that were imported."""

    list_display = (
        "file_name",
        "instrument",
        "venue",
        "timeframe",
        "row_count",
        "added",
        "revised",
        "missing",
        "imported_at",
    )
    search_fields = ("instrument__symbol", "file_name", "sha256")
    date_hierarchy = "imported_at"
    ordering = ("-pk",)


class FeedHoldInline(TabularInline):  # type: ignore[misc]  # the theme ships no types
    """Who needs the feed."""

    model = FeedHold
    extra = 0
    can_delete = False
    readonly_fields = ("holder", "created_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Services hold feeds."""
        return False


@admin.register(CandleFeed)
class CandleFeedAdmin(SeriesAdmin):
    """What is being fetched, how far it is and what went wrong last."""

    list_display = (
        "instrument",
        "venue",
        "timeframe",
        "holders",
        "last_open_at",
        "backfilled_from_at",
        "next_due_at",
        "lease_until",
        "behind_since_at",
        "failures",
        "last_error",
    )
    list_filter = (
        "timeframe",
        "instrument__venue",
        ("last_error", admin.EmptyFieldListFilter),
        ("behind_since_at", admin.EmptyFieldListFilter),
    )
    ordering = ("next_due_at", "pk")
    inlines = (FeedHoldInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CandleFeed]:
        """Count the holders in the same query."""
        feeds: QuerySet[CandleFeed] = super().get_queryset(request)
        return feeds.annotate(holder_count=Count("holds"))

    @admin.display(description="holders", ordering="holder_count")
    def holders(self, feed: Any) -> int:
        """How many need it; *feed* carries the annotation, which its type does not know."""
        return int(feed.holder_count)


@admin.register(FeedHold)
class FeedHoldAdmin(ReadOnlyAdmin):
    """Who needs which feed."""

    list_display = ("holder", "feed", "created_at")
    search_fields = ("holder", "feed__instrument__symbol")
    list_select_related = ("feed",)
    ordering = ("-pk",)


@admin.register(QuarantinedBar)
class QuarantinedBarAdmin(SeriesAdmin):
    """Bars that cannot be."""

    list_display = (
        "instrument",
        "venue",
        "timeframe",
        "open_ms",
        "code",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "times_seen",
        "last_seen_at",
        "settled_at",
    )
    list_filter = (*SeriesAdmin.list_filter, "code", ("settled_at", admin.EmptyFieldListFilter))
    ordering = ("-last_seen_at", "-pk")


@admin.register(HistoryFetch)
class HistoryFetchAdmin(SeriesAdmin):
    """History that people asked for."""

    list_display = (
        "instrument",
        "venue",
        "timeframe",
        "from_at",
        "to_at",
        "reached_at",
        "status",
        "added",
        "error_message",
        "requested_by",
        "requested_at",
    )
    list_filter = (*SeriesAdmin.list_filter, "status")
    list_select_related = ("instrument__venue", "requested_by")
    ordering = ("-requested_at", "-pk")


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    """The last prices that venues have told."""

    list_display = (
        "instrument",
        "venue",
        "last",
        "bid",
        "ask",
        "quote_volume",
        "mark_price",
        "funding_rate",
        "next_funding_at",
        "recorded_at",
    )
    list_filter = ("instrument__venue",)
    search_fields = ("instrument__symbol",)
    list_select_related = ("instrument__venue",)
    ordering = ("instrument__venue__code", "instrument__symbol", "pk")

    @admin.display(description="venue", ordering="instrument__venue__code")
    def venue(self, quote: Quote) -> str:
        """Where the instrument trades."""
        return quote.instrument.venue.code


@admin.register(FundingRate)
class FundingRateAdmin(ReadOnlyAdmin):
    """What holders of swaps have paid."""

    list_display = ("instrument", "funded_at", "rate", "recorded_at")
    list_filter = ("instrument__venue",)
    search_fields = ("instrument__symbol",)
    list_select_related = ("instrument",)
    date_hierarchy = "funded_at"
    ordering = ("-funded_at", "-pk")


@admin.register(FundingFeed)
class FundingFeedAdmin(ReadOnlyAdmin):
    """How much funding has been asked for."""

    list_display = ("instrument", "from_at", "until_at", "last_error")
    search_fields = ("instrument__symbol",)
    list_select_related = ("instrument",)
    ordering = ("-until_at", "-pk")
