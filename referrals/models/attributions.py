"""Who was brought by whom."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Attribution(models.Model):
    """One person was brought by another: written once after the sign-up, and never changed.

    ``owner`` is who brought the other one and earns. Only the first payment is noted later.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    referred = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    code = models.CharField(max_length=16)
    clicked_at = models.DateTimeField(help_text="When the link was followed for the first time.")
    signed_up_at = models.DateTimeField()
    first_paid_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(owner=models.F("referred")), name="nobody_brings_themselves"
            ),
            models.CheckConstraint(
                condition=models.Q(signed_up_at__gte=models.F("clicked_at")),
                name="followed_before_sign_up",
            ),
        ]
        indexes = [models.Index(fields=["owner", "-id"], name="attributions_of_owner")]
        triggers = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="only_first_payment_noted",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(exclude=["first_paid_at"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.referred_id} by {self.owner_id}"
