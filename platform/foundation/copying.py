"""Many rows at once into the database."""

from collections.abc import Sequence

from django.db import connection, models


def copy_rows(rows: Sequence[models.Model]) -> None:
    """Insert *rows*, new ones of one model, by PostgreSQL's COPY: many times as fast as INSERT.

    Constraints hold as ever. The objects do not learn their keys, no signal is sent, and values go
    out as they are: every field has one, of the type that the field gives back when it is read.
    """
    if not rows:
        return
    meta = rows[0]._meta
    fields = [field for field in meta.concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    names = [field.attname for field in fields]
    with (
        connection.cursor() as cursor,
        # Table and columns are the model's own words.
        cursor.copy(f"COPY {quote(meta.db_table)} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row([getattr(row, name) for name in names])
