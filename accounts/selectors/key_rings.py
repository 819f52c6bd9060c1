"""Which keys the stored second factors were encrypted with."""

from collections.abc import Mapping
from typing import Final

from django.db import connection

#: What the library encrypts of a second factor: the seed of codes, the seed of recovery codes, and codes of old.
ENCRYPTED: Final = ("secret", "seed")
ENCRYPTED_LISTS: Final = ("migrated_codes",)

#: The version is the two bytes after the magic and the format (foundation.crypto.envelopes).
_ENCRYPTED: Final = """
    SELECT id, get_byte(value, 4) * 256 + get_byte(value, 5) AS version
    FROM (
        SELECT authenticator.id, decode(text, 'base64') AS value
        FROM mfa_authenticator authenticator, LATERAL (
            SELECT data ->> 'secret' AS text
            UNION ALL SELECT data ->> 'seed'
            UNION ALL SELECT jsonb_array_elements_text(
                CASE jsonb_typeof(data -> 'migrated_codes')
                WHEN 'array' THEN data -> 'migrated_codes' ELSE '[]' END)
        ) texts
        WHERE text IS NOT NULL
    ) encrypted
    WHERE length(value) > 6
"""


def second_factors_by_key_version() -> Mapping[int, int]:
    """Return how many second factors need each version of the ring of keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT version, count(DISTINCT id) FROM ({_ENCRYPTED}) found GROUP BY 1 ORDER BY 1"  # noqa: S608  words of ours
        )
        return dict(cursor.fetchall())


def second_factors_not_encrypted_with(version: int, *, after: int, limit: int) -> list[int]:
    """Return the keys of at most *limit* second factors with a value of another version, after a key."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT id FROM ({_ENCRYPTED}) found WHERE version <> %s AND id > %s "  # noqa: S608  words of ours
            "ORDER BY id LIMIT %s",
            [version, after, limit],
        )
        return [key for (key,) in cursor.fetchall()]
