"""How the database is emptied after a test that has committed.

Django truncates every table, whether anything is in it or not, and writes all content types and
permissions anew; with a hundred tables that takes longer than most tests. Here only what has
rows loses them, and content types and permissions, which no test changes, stay.
"""

from functools import cache
from typing import Final

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

_KEPT: Final = frozenset({"django_content_type", "auth_permission"})
#: More dead rows than these slow down whoever looks for living ones.
_MANY_ROWS: Final = 1_000

# Django's types leave out these two methods.
_empty_as_django_does = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]


def empty_databases(case: TransactionTestCase) -> None:
    """Remove the rows of all tables; stands in for the method of *case* that does."""
    for alias in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        connection = connections[alias]
        if not _may_skip_triggers(connection):
            _empty_as_django_does(case)
            return
        for table in _delete_rows(connection):
            with connection.cursor() as cursor:
                cursor.execute(f"VACUUM {table}")


def _delete_rows(connection: BaseDatabaseWrapper) -> list[str]:
    """Delete all rows; return the tables that had many."""
    tables = _tables(connection.alias)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        # As truncating would, wait for whoever still writes.
        cursor.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE")
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in tables
            )
        )
        filled = [name for (name,) in cursor.fetchall()]
        # Nothing is left for a foreign key to miss, and some tables refuse to lose a row.
        cursor.execute("SET LOCAL session_replication_role = replica")
        large = []
        for name in filled:
            cursor.execute(f"DELETE FROM {name}")
            if cursor.rowcount > _MANY_ROWS:
                large.append(name)
    return large


@cache
def _tables(alias: str) -> tuple[str, ...]:
    """Return the names of the tables of all models, quoted."""
    connection = connections[alias]
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(connection.ops.quote_name(name) for name in sorted(set(names) - _KEPT))


def _may_skip_triggers(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether the role is a superuser, as that of the suite's own server is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        row = cursor.fetchone()
    return row is not None and bool(row[0])
