"""Bringing the seeds of second factors to the newest key."""

import base64
import logging
from typing import Any, Final

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator

from accounts.selectors import key_rings
from foundation.crypto import SealBrokenError, encrypted_with, newest_encryption
from foundation.crypto.rings import FIELD_RING
from foundation.crypto.rotation import Batch, Ring
from foundation.transactions import transactional

logger = logging.getLogger(__name__)


@transactional
def reencrypt_batch(*, after: int, limit: int) -> Batch:
    """Encrypt the next second factors that need another key with the newest one; what does not open stays."""
    newest = newest_encryption()
    keys = key_rings.second_factors_not_encrypted_with(newest, after=after, limit=limit)
    if not keys:
        return Batch(None)
    # Locked, because the row also says which recovery codes are used up.
    locked = Authenticator.objects.select_for_update().filter(pk__in=keys).order_by("pk")
    changed: list[Authenticator] = []
    broken: list[int] = []
    for authenticator in locked:
        try:
            data = _reencrypted(authenticator.data, newest)
        except SealBrokenError:
            logger.warning("key_rotation.broken", extra={"authenticator_id": authenticator.pk})
            broken.append(authenticator.pk)
            continue
        if data != authenticator.data:
            authenticator.data = data
            changed.append(authenticator)
    Authenticator.objects.bulk_update(changed, ["data"])
    return Batch(keys[-1], len(changed), tuple(broken))


def _reencrypted(data: dict[str, Any], newest: int) -> dict[str, Any]:
    fresh = dict(data)
    for name in key_rings.ENCRYPTED:
        if data.get(name):
            fresh[name] = _renewed(data[name], newest)
    for name in key_rings.ENCRYPTED_LISTS:
        if data.get(name):
            fresh[name] = [_renewed(text, newest) for text in data[name]]
    return fresh


def _renewed(text: str, newest: int) -> str:
    if encrypted_with(base64.b64decode(text)) == newest:
        return text
    adapter = get_adapter()
    renewed: str = adapter.encrypt(adapter.decrypt(text))
    return renewed


SECOND_FACTORS: Final = Ring(
    name=FIELD_RING,
    protects="second factors",
    newest=newest_encryption,
    count=key_rings.second_factors_by_key_version,
    rotate_batch=reencrypt_batch,
)
