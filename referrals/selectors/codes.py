"""Whose code it is."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from referrals.models import ReferralCode

#: The signed-in person as a request knows them.
Owner = AbstractBaseUser | AnonymousUser


def find_active_code(code: str) -> ReferralCode | None:
    """Return the code of a person who may bring others, in any case; None for every other text."""
    wanted = code.strip().upper()
    if not (wanted.isascii() and wanted.isalnum()):
        return None
    return ReferralCode.objects.filter(code=wanted, owner__is_active=True).first()


def find_code_of(owner: Owner) -> ReferralCode | None:
    """Return the code of a person; None in the moment before it is made."""
    return ReferralCode.objects.filter(owner_id=owner.pk).first()
