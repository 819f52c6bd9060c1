"""What a deployment earned against a replay of the same bars, and why it differs."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from foundation.fields import money_field
from trading.models.deployments import Deployment


class DriftStatus(models.TextChoices):
    """Where a report stands."""

    QUEUED = "QUEUED", "Waiting"
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"


class DriftColumns(models.Model):
    """The difference by its causes, in the settle currency; they add up to live less replay."""

    live_pnl = money_field(default=0, help_text="After fees, what is open at the last price.")
    replay_pnl = money_field(default=0, help_text="The same of the replay.")
    missed = money_field(default=0)
    halts = money_field(default=0)
    late = money_field(default=0)
    size = money_field(default=0)
    partial = money_field(default=0)
    slippage = money_field(default=0)
    fees = money_field(default=0)
    funding = money_field(default=0)
    manual = money_field(default=0)
    residual = money_field(default=0)

    class Meta:
        abstract = True


class DriftReport(DriftColumns):
    """One comparison, asked for by a person and computed by a worker that claims it for a while."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(
        Deployment, on_delete=models.PROTECT, related_name="drift_reports"
    )
    status = models.CharField(max_length=10, choices=DriftStatus, default=DriftStatus.QUEUED.value)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    epoch = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    from_at = models.DateTimeField(null=True, blank=True)
    to_at = models.DateTimeField(null=True, blank=True)
    equity = models.JSONField(
        default=list, help_text="Points of [ms, live, replay] at closes, thinned for a chart."
    )
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment"],
                condition=models.Q(status__in=["QUEUED", "RUNNING"]),
                name="one_unfinished_drift_report",
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"],
                name="drift_reports_unfinished",
                condition=models.Q(status__in=["QUEUED", "RUNNING"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.status}"


class DriftTrade(DriftColumns):
    """One trade of the deployment, of its replay, or of both; what only one side has is empty."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    report = models.ForeignKey(DriftReport, on_delete=models.CASCADE, related_name="trades")
    number = models.PositiveIntegerField()
    symbol = models.CharField(max_length=40)
    direction = models.SmallIntegerField(help_text="1 is long, -1 is short.")
    decided_at = models.DateTimeField()
    live_entry_at = models.DateTimeField(null=True)
    live_exit_at = models.DateTimeField(null=True)
    live_quantity = money_field(null=True)
    live_entry_price = money_field(null=True)
    live_exit_price = money_field(null=True)
    replay_entry_at = models.DateTimeField(null=True)
    replay_exit_at = models.DateTimeField(null=True)
    replay_quantity = money_field(null=True)
    replay_entry_price = money_field(null=True)
    replay_exit_price = money_field(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["report", "number"], name="drift_trade_once"),
        ]

    def __str__(self) -> str:
        return f"{self.report_id} {self.number}"
