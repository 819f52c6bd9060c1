"""Why something was done or not, one row per group and bar; per deployment only where it differs.

Both tables are partitioned by month of ``bar_close_at`` (see the first migration), so nothing points to them.
"""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from trading.models.deployments import Deployment, DeploymentRevision
from trading.models.groups import SignalGroup


class GroupDecision(models.Model):
    """What the strategy said of an instrument at the close of a bar."""

    group = models.ForeignKey(SignalGroup, on_delete=models.PROTECT, related_name="+")
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    bar_close_at = models.DateTimeField()
    reason = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["group", "instrument", "bar_close_at"], name="group_decides_once_per_bar"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group_id} {self.bar_close_at:%Y-%m-%d %H:%M:%S} {self.reason}"


class DeploymentDecision(models.Model):
    """What a deployment did at the close of a bar, where that is not what its group's row says."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="+")
    revision = models.ForeignKey(DeploymentRevision, on_delete=models.PROTECT, related_name="+")
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    bar_close_at = models.DateTimeField()
    reason = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "instrument", "bar_close_at"],
                name="deployment_decides_once_per_bar",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.bar_close_at:%Y-%m-%d %H:%M:%S} {self.reason}"
