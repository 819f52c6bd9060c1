"""Referral codes."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class ReferralCode(models.Model):
    """The random code by which a person brings others.

    There is one row for each person; its lock puts everything that moves their commissions in order.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    code = models.CharField(max_length=16, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.code
