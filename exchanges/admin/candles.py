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
)
from foundation.admin import ReadOnlyAdmin


class SeriesAdmin(ReadOnlyAdmin):
    """What all rows of a series share."""

    list_filter: tuple[Any, ...] = ("timeframe", "instrument__venue")
    search_fields: tuple[str, ...] = ("instrument__symbol",)
    list_select_related = ("instrument__venue",)

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

    list_display = ("instrument", "venue", "timeframe", "from_at", "to_at", "missing")
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
        "failures",
        "last_error",
    )
    list_filter = ("timeframe", "instrument__venue", ("last_error", admin.EmptyFieldListFilter))
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
