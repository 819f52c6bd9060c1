"""The list that every table of ours has: to look at, to search and to take away as CSV."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import DecimalField, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from foundation import exports
from foundation.audit import Actor

#: How many rows a list counts and pages through; further rows are found by searching.
_COUNTED_AT_MOST: Final = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # no generic at run time
    """Counts no further than a few thousand rows: in a table of millions, counting is the slow part."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or the bound if there are more."""
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[:_COUNTED_AT_MOST].count()
        return len(rows)


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # the theme ships no types
    """Rows that services own: to look at, never to add, change or delete by hand.

    With ``export_fields`` (names of columns or of methods of this class, never a secret) the chosen
    rows can be taken away as CSV, which leaves an audit row.
    """

    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    list_filter_submit = True
    warn_unsaved_form = False
    export_fields: tuple[str, ...] = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Services add rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Services change rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted by hand."""
        return False

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Show amounts without the zeros that fill their columns."""
        return [self._plainly(name) for name in super().get_list_display(request)]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the export where its columns are named."""
        actions: dict[str, Any] = super().get_actions(request)
        if self.export_fields:
            actions["export_csv"] = (_export, "export_csv", "Export the chosen rows as CSV")
        return actions

    def export_columns(self) -> dict[str, Callable[[Any], object]]:
        """Return how each exported column is read from a row, by its heading."""
        return {name: self._column(name) for name in self.export_fields}

    def _plainly(self, name: Any) -> Any:
        """Return the column *name*, or what stands in its place where it holds decimals."""
        fields = {field.name: field for field in self.model._meta.concrete_fields}
        field = fields.get(name) if isinstance(name, str) else None
        if not isinstance(field, DecimalField):
            return name

        @admin.display(description=field.verbose_name, ordering=name, empty_value="-")
        def amount(row: Any) -> str | None:
            value: Decimal | None = getattr(row, name)
            return None if value is None else f"{value.normalize():f}"

        amount.__name__ = name
        return amount

    def _column(self, name: str) -> Callable[[Any], object]:
        method = getattr(self, name, None)
        if callable(method):
            return method  # type: ignore[no-any-return]  # a method of a subclass
        return lambda row: exports.value_of(row, name)


@admin.action(permissions=["view"])
def _export(
    model_admin: ReadOnlyAdmin, request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse | StreamingHttpResponse:
    return exports.csv_response(
        queryset,
        columns=model_admin.export_columns(),
        by=Actor.person(request.user.pk or 0),
        now=timezone.now(),
    )
