"""Rows as CSV for operators: named columns only, streamed, and on record."""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse

from foundation import audit
from foundation.audit import Actor
from foundation.transactions import transactional

#: An export is for a spreadsheet, which holds about a million rows.
_ROWS_AT_MOST: Final = 100_000
_ROWS_AT_ONCE: Final = 1_000
#: A spreadsheet takes text that begins like this for a formula, and people choose their own names.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_response(
    rows: QuerySet[Any],
    *,
    columns: Mapping[str, Callable[[Any], object]],
    by: Actor,
    now: datetime,
) -> StreamingHttpResponse:
    """Return the first hundred thousand of *rows* as a file; who took them is recorded first."""
    _record(rows.model, columns=list(columns), count=rows[:_ROWS_AT_MOST].count(), by=by)
    name = f"{rows.model._meta.model_name}-{now:%Y%m%d-%H%M%S}.csv"
    response = StreamingHttpResponse(
        _lines(rows[:_ROWS_AT_MOST], columns), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def value_of(row: Model, path: str) -> object:
    """Return the value at *path* (``owner__email``) of *row*; None where there is nothing."""
    value: Any = row
    for name in path.split("__"):
        value = getattr(value, name, None)
    return value


@transactional
def _record(model: type[Model], *, columns: list[str], count: int, by: Actor) -> None:
    audit.record(
        actor=by, verb="list.exported", target=model, detail={"columns": columns, "rows": count}
    )


def _lines(rows: QuerySet[Any], columns: Mapping[str, Callable[[Any], object]]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(columns)
    for row in rows.iterator(chunk_size=_ROWS_AT_ONCE):
        yield writer.writerow([_cell(read(row)) for read in columns.values()])


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    text = str(value)
    is_formula = isinstance(value, str) and text.startswith(_FORMULA_STARTS)
    return f"'{text}" if is_formula else text
