"""A strategy at work for a person: what was asked, what is true, and with which parameters since when."""

import uuid
from typing import Final

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from foundation.fields import money_field
from trading.models.groups import SignalGroup


class DesiredState(models.TextChoices):
    """What the person asked for."""

    RUNNING = "RUNNING", "Running"
    PAUSED = "PAUSED", "Paused"
    STOPPED = "STOPPED", "Stopped"


class ActualState(models.TextChoices):
    """What is true."""

    DRAFT = "DRAFT", "Draft"
    STARTING = "STARTING", "Starting"
    RUNNING = "RUNNING", "Running"
    PAUSED = "PAUSED", "Paused"
    STOPPING = "STOPPING", "Stopping"
    STOPPED = "STOPPED", "Stopped"
    FAILED = "FAILED", "Failed"


#: Nothing happens in a deployment of these states: it has not begun, or it is over.
IDLE_STATES: Final = (ActualState.DRAFT, ActualState.STOPPED, ActualState.FAILED)


class Health(models.TextChoices):
    """Whether it can do what it should."""

    OK = "OK", "Healthy"
    DEGRADED = "DEGRADED", "Needs attention"


class StopPolicy(models.TextChoices):
    """What happens when the deployment stops, or the right to it ends."""

    FLATTEN = "FLATTEN", "Close the position"
    PROTECT = "PROTECT", "Keep the position and the stop that protects it"
    CANCEL = "CANCEL", "Cancel all orders and leave the position to me"


class Deployment(models.Model):
    """One run of a strategy version on one exchange account and timeframe, with its capital."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=80)
    request_key = models.CharField(
        max_length=100, blank=True, help_text="Makes a repeated request the same one."
    )
    strategy_version = models.ForeignKey(
        "strategies.StrategyVersion", on_delete=models.PROTECT, related_name="+"
    )
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    timeframe = models.CharField(max_length=3)
    capital = money_field(help_text="In the settle currency.")
    stop_policy = models.CharField(max_length=10, choices=StopPolicy, default=StopPolicy.FLATTEN)
    desired_state = models.CharField(
        max_length=10, choices=DesiredState, default=DesiredState.RUNNING
    )
    actual_state = models.CharField(
        max_length=10, choices=ActualState, default=ActualState.STARTING
    )
    health = models.CharField(max_length=10, choices=Health, default=Health.OK)
    health_code = models.CharField(max_length=60, blank=True)
    health_message = models.CharField(max_length=300, blank=True)
    epoch = models.BigIntegerField(
        default=0, help_text="Rises with every command; older writers lose their right."
    )
    version = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "request_key"],
                condition=~models.Q(request_key=""),
                name="deployment_once_per_request",
            ),
            models.CheckConstraint(
                condition=models.Q(capital__gt=0), name="deployment_has_capital"
            ),
        ]
        indexes = [models.Index(fields=["owner", "-created_at"], name="deployments_of_owner")]

    def __str__(self) -> str:
        return self.name


class DeploymentRevision(models.Model):
    """The parameters of a deployment from one bar to another; intents and decisions name it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    group = models.ForeignKey(SignalGroup, on_delete=models.PROTECT, related_name="revisions")
    parameters = models.JSONField()
    rules = models.JSONField()
    from_bar_at = models.DateTimeField()
    to_bar_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["deployment", "number"], name="revision_once"),
            models.UniqueConstraint(
                fields=["deployment"],
                condition=models.Q(to_bar_at__isnull=True),
                name="one_revision_in_force",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} r{self.number}"


class DeploymentInstrument(models.Model):
    """One instrument that a deployment trades, with the marks that the kernel carries from bar to bar.

    ``is_exclusive`` is true on swaps: in one-way mode only one deployment may hold the instrument of an account.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="instruments")
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    is_exclusive = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    marks = models.JSONField(default=dict)
    last_bar_close_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "instrument"], name="instrument_once_per_deployment"
            ),
            models.UniqueConstraint(
                fields=["account", "instrument"],
                condition=models.Q(is_exclusive=True, is_active=True),
                name="one_deployment_per_swap",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.instrument_id}"


class CommandKind(models.TextChoices):
    """What a person or an operator can tell a deployment."""

    STOP = "STOP", "Stop"
    FLATTEN = "FLATTEN", "Close the position"
    PAUSE = "PAUSE", "Pause entries"
    RESUME = "RESUME", "Resume"
    START = "START", "Start again"


class DeploymentCommand(models.Model):
    """A command as a row: if its message is lost, the sweeper finds it here."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="commands")
    kind = models.CharField(max_length=10, choices=CommandKind)
    idempotency_key = models.CharField(max_length=100)
    actor_kind = models.CharField(max_length=20)
    actor_identifier = models.CharField(max_length=100)
    note = models.CharField(max_length=300, blank=True, help_text="Why, in words for the owner.")
    requested_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "idempotency_key"], name="command_once_per_key"
            ),
        ]
        indexes = [
            models.Index(
                fields=["requested_at"],
                name="commands_open",
                condition=models.Q(done_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.deployment_id}"
