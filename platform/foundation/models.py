"""The outbox, its receipts, the audit trail, answered requests and the signs of life."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class OutboxEvent(models.Model):
    """Something that happened, recorded with the change itself; its id is the sequence."""

    name = models.CharField(max_length=100)
    queue = models.CharField(max_length=20, default="default")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    payload = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    delivered_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(
                fields=["not_before"],
                name="outbox_undelivered",
                condition=models.Q(delivered_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.pk}"


class EventReceipt(models.Model):
    """A subscriber's confirmation that it has dealt with an event."""

    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="receipts")
    subscriber = models.CharField(max_length=200)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event", "subscriber"], name="event_confirmed_once_per_subscriber"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscriber} {self.event_id}"


class AuditEntry(models.Model):
    """Who did what to which thing; never changed and never deleted."""

    at = models.DateTimeField(db_default=Now(), editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    actor_kind = models.CharField(max_length=20)
    actor_identifier = models.CharField(max_length=100)
    verb = models.CharField(max_length=100)
    target_kind = models.CharField(max_length=100)
    target_identifier = models.CharField(max_length=100)
    detail = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["owner", "-at"], name="audit_by_owner"),
            models.Index(fields=["target_kind", "target_identifier"], name="audit_by_target"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.target_kind} {self.target_identifier}"


class Heartbeat(models.Model):
    """The last sign of life of a process."""

    process = models.CharField(max_length=100, unique=True)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.process


class IdempotentRequest(models.Model):
    """A request that must happen once, with the answer that it got; kept for a day.

    Without an answer it is being worked on, or its process died: the effect and the answer are
    written in one transaction wherever possible, so such a row tells that nothing happened.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    route = models.CharField(max_length=100)
    key = models.UUIDField()
    body_hash = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.JSONField(null=True, blank=True)
    requested_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "route", "key"], name="request_once_per_key"),
        ]
        indexes = [models.Index(fields=["requested_at"], name="idempotent_requests_by_age")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
