"""Referral codes are made once per person."""

import secrets
import string
from typing import Final

from django.db import IntegrityError, transaction

from foundation.transactions import part_of_transaction, transactional
from referrals.models import ReferralCode

#: Without the letters and digits that people take for each other.
_ALPHABET: Final = "".join(sorted(set(string.ascii_uppercase + string.digits) - set("0O1I")))
_LENGTH: Final = 8
#: A second try nearly never happens: there are 32 ** 8 codes.
_TRIES: Final = 5


@transactional
def ensure_code(*, owner_id: int) -> ReferralCode:
    """Return the person's code, making it the first time; a repeat changes nothing."""
    for _ in range(_TRIES):
        code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        try:
            with transaction.atomic():
                return ReferralCode.objects.create(owner_id=owner_id, code=code)
        except IntegrityError:
            present = ReferralCode.objects.filter(owner_id=owner_id).first()
            if present is not None:
                return present
    raise RuntimeError(f"No free code was found in {_TRIES} tries.")


@part_of_transaction
def lock_referrer(*, owner_id: int) -> bool:
    """Wait for everybody else who moves this person's commissions; False for somebody without a code."""
    row = ReferralCode.objects.select_for_update().filter(owner_id=owner_id)
    return row.values_list("pk", flat=True).first() is not None
