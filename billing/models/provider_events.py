"""What payment providers told us: every notice once, with its raw body."""

from django.db import models
from django.db.models.functions import Now

from billing.models.payments import Payment


class ProviderEventState(models.TextChoices):
    """What became of a notice."""

    NEW = "NEW", "To be dealt with"
    DONE = "DONE", "Dealt with"
    IGNORED = "IGNORED", "Nothing to do"
    UNMATCHED = "UNMATCHED", "About nothing that we know"
    FAILED = "FAILED", "A person has to look at it"


class ProviderEvent(models.Model):
    """One notice of a provider, stored when its signature was proven, and dealt with by a worker."""

    provider = models.CharField(max_length=20)
    external_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=100)
    reference = models.CharField(max_length=200, blank=True)
    is_live = models.BooleanField()
    occurred_at = models.DateTimeField()
    body = models.BinaryField()
    body_hash = models.CharField(max_length=64)
    secret_slot = models.CharField(max_length=10)
    deliveries = models.PositiveIntegerField(default=1)
    body_changed = models.BooleanField(
        default=False, help_text="A repeat of the same id had another body."
    )
    state = models.CharField(
        max_length=10, choices=ProviderEventState, default=ProviderEventState.NEW
    )
    reason = models.CharField(max_length=100, blank=True)
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="provider_events"
    )
    received_at = models.DateTimeField(db_default=Now(), editable=False)
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "external_id"], name="provider_event_stored_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["not_before"],
                name="provider_events_to_process",
                condition=models.Q(state__in=["NEW", "UNMATCHED"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.external_id}"
