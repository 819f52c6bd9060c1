"""Referral codes are made once per person."""

import secrets
import string

from django.db import IntegrityError, transaction

from foundation.transactions import transactional
from referrals.models import ReferralCode

_ALPHABET = "".join(sorted(set(string.ascii_uppercase + string.digits) - set("0O1I")))
_LENGTH = 8


@transactional
def ensure_code(*, owner_id: int) -> ReferralCode:
    """Return the person's code, making it the first time; a repeat changes nothing."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    try:
        with transaction.atomic():
            return ReferralCode.objects.create(owner_id=owner_id, code=code)
    except IntegrityError:
        return ReferralCode.objects.get(owner_id=owner_id)
