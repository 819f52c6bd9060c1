"""Which keys the stored credentials were sealed with."""

from collections.abc import Mapping

from django.db import connection

from exchanges.models import Credential


def credentials_by_key_version() -> Mapping[int, int]:
    """Return how many credentials were sealed with each version of the ring of keys."""
    # The version is the two bytes after the magic and the format (foundation.crypto.envelopes).
    table = connection.ops.quote_name(Credential._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT get_byte(sealed_secret, 4) * 256 + get_byte(sealed_secret, 5), count(*) "  # noqa: S608  a name of ours
            f"FROM {table} WHERE length(sealed_secret) > 6 GROUP BY 1"
        )
        return dict(cursor.fetchall())
