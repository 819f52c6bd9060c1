"""Which database a list or a report reads."""

from typing import Final

from django.conf import settings

_REPLICA: Final = "replica"


def using() -> str:
    """Return the alias for reads that may lag behind by some seconds: ``Run.objects.using(replica.using())``.

    It is the primary database unless ``DATABASE_REPLICA_URL`` names a copy. Nothing that decides, writes or shows a
    person what they have just done may read from it.
    """
    return _REPLICA if _REPLICA in settings.DATABASES else "default"
