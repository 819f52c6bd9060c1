"""Lists of the foundation's own tables, and of the schedule that beat keeps."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.auth.models import Group
from django.db.models import Model
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from foundation.admin.base import ReadOnlyAdmin
from foundation.models import (
    AuditEntry,
    EventReceipt,
    Heartbeat,
    IdempotentRequest,
    OutboxEvent,
)


def withdraw(*models: type[Model]) -> None:
    """Take lists of libraries back: they would let rows be changed by hand, or show what they must not."""
    for model in models:
        try:
            admin.site.unregister(model)
        except NotRegistered:
            continue


# Nobody here is given single permissions through groups, and the schedule is declared in code.
withdraw(
    Group,
    PeriodicTask,
    IntervalSchedule,
    CrontabSchedule,
    ClockedSchedule,
    SolarSchedule,
)


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    """Events and whether they were delivered."""

    list_display = ("id", "name", "queue", "owner", "occurred_at", "delivered_at", "attempts")
    list_filter = ("name", "queue", ("delivered_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "owner__email")
    list_select_related = ("owner",)
    date_hierarchy = "occurred_at"
    ordering = ("-id",)


@admin.register(EventReceipt)
class EventReceiptAdmin(ReadOnlyAdmin):
    """Who confirmed which event."""

    list_display = ("id", "event", "subscriber", "recorded_at")
    list_filter = ("subscriber",)
    search_fields = ("event__name", "subscriber")
    list_select_related = ("event",)
    date_hierarchy = "recorded_at"
    ordering = ("-id",)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what to which thing."""

    list_display = (
        "at",
        "actor_kind",
        "actor_identifier",
        "verb",
        "target_kind",
        "target_identifier",
        "owner",
    )
    list_filter = ("actor_kind", "target_kind", "verb")
    search_fields = ("verb", "target_identifier", "actor_identifier", "owner__email")
    search_help_text = "A verb, an identifier, or the address of the person concerned."
    list_select_related = ("owner",)
    date_hierarchy = "at"
    ordering = ("-id",)
    export_fields = (
        "at",
        "actor_kind",
        "actor_identifier",
        "verb",
        "target_kind",
        "target_identifier",
        "owner__email",
        "detail",
    )


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """The last signs of life."""

    list_display = ("process", "beat_at")
    search_fields = ("process",)
    ordering = ("process",)


@admin.register(IdempotentRequest)
class IdempotentRequestAdmin(ReadOnlyAdmin):
    """Requests of programs that must happen once; what they were answered is theirs."""

    list_display = ("id", "owner", "route", "key", "status_code", "requested_at", "answered_at")
    list_filter = ("route", "status_code", ("answered_at", admin.EmptyFieldListFilter))
    search_fields = ("owner__email", "route")
    list_select_related = ("owner",)
    date_hierarchy = "requested_at"
    ordering = ("-id",)
    exclude = ("answer", "body_hash")


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    """What beat sends and when it last did; the code declares it."""

    list_display = ("name", "task", "schedule", "enabled", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    search_fields = ("name", "task")
    list_select_related = ("interval", "crontab", "solar", "clocked")
    ordering = ("name",)

    @admin.display(description="schedule")
    def schedule(self, task: Any) -> str:
        """Say how often."""
        return str(task.scheduler)
