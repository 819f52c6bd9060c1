"""Which keys the stored credentials were sealed with."""

from collections.abc import Mapping
from typing import Final

from django.db import connection

#: The version is the two bytes after the magic and the format (foundation.crypto.envelopes).
_SEALED: Final = """
    SELECT credential.id, get_byte(value, 4) * 256 + get_byte(value, 5) AS version
    FROM exchanges_credential credential,
         LATERAL (VALUES (sealed_api_key), (sealed_secret), (sealed_passphrase)) sealed (value)
    WHERE length(value) > 6
"""


def credentials_by_key_version() -> Mapping[int, int]:
    """Return how many credentials need each version of the ring of keys; one may need two."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT version, count(DISTINCT id) FROM ({_SEALED}) sealed GROUP BY 1 ORDER BY 1"  # noqa: S608  words of ours
        )
        return dict(cursor.fetchall())


def credentials_not_sealed_with(version: int, *, after: int, limit: int) -> list[int]:
    """Return the keys of at most *limit* credentials with a value of another version, after a key; for the rotation."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT id FROM ({_SEALED}) sealed WHERE version <> %s AND id > %s "  # noqa: S608  words of ours
            "ORDER BY id LIMIT %s",
            [version, after, limit],
        )
        return [key for (key,) in cursor.fetchall()]
