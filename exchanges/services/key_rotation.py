"""Bringing the credentials of exchange accounts to the newest key."""

import logging
from typing import Final

from exchanges.models import Credential
from exchanges.selectors import key_rings
from foundation.crypto import (
    SealBrokenError,
    SealedSecret,
    newest_seal,
    open_sealed,
    reseal,
    sealed_with,
)
from foundation.crypto.rings import PRIVATE_RING, open_ring
from foundation.crypto.rotation import Batch, Ring
from foundation.transactions import transactional

logger = logging.getLogger(__name__)

_FIELDS: Final = ("api_key", "secret", "passphrase")


@transactional
def reseal_batch(*, after: int, limit: int) -> Batch:
    """Seal the next credentials that need another key with the newest one; what does not open stays as it is."""
    newest = newest_seal()
    keys = key_rings.credentials_not_sealed_with(newest, after=after, limit=limit)
    if not keys:
        return Batch(None)
    # Whoever replaces a key meanwhile comes before or after this lock, and never in between.
    locked = (
        Credential.objects.select_for_update(of=("self",))
        .select_related("account__owner")
        .filter(pk__in=keys)
        .order_by("pk")
    )
    changed: list[Credential] = []
    broken: list[int] = []
    for credential in locked:
        try:
            if _reseal(credential, newest):
                changed.append(credential)
        except SealBrokenError:
            logger.warning("key_rotation.broken", extra={"credential_id": credential.pk})
            broken.append(credential.pk)
    Credential.objects.bulk_update(changed, [f"sealed_{field}" for field in _FIELDS])
    return Batch(keys[-1], len(changed), tuple(broken))


def _reseal(credential: Credential, newest: int) -> bool:
    values: dict[str, SealedSecret] = {}
    for field in _FIELDS:
        sealed = getattr(credential, f"sealed_{field}")
        if not sealed or sealed_with(sealed) == newest:
            continue
        context = credential.context(field)
        values[field] = reseal(sealed, context)
        # Only what certainly opens takes the place of what opened until now.
        open_sealed(values[field], context)
    for field, sealed in values.items():
        setattr(credential, f"sealed_{field}", sealed)
    return bool(values)


CREDENTIALS: Final = Ring(
    name=PRIVATE_RING,
    protects="credentials",
    newest=newest_seal,
    count=key_rings.credentials_by_key_version,
    rotate_batch=reseal_batch,
)


def has_private_ring() -> bool:
    """Tell whether this process can open credentials at all."""
    return bool(open_ring(PRIVATE_RING))
