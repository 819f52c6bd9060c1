"""Commands, events and the people who give them, as the tests of trading need them."""

from datetime import datetime
from typing import Any

from foundation.audit import Actor
from foundation.events import deliver
from foundation.models import OutboxEvent
from trading.models import Deployment, DeploymentCommand
from trading.services import commands


def tell(
    deployment: Deployment, kind: str, *, now: datetime, key: str = "k1", owner: Any = None
) -> DeploymentCommand:
    """Return what the owner has told a deployment."""
    owner = owner or deployment.owner
    return commands.request_command(
        owner=owner,
        deployment_public_id=deployment.public_id,
        kind=kind,
        idempotency_key=key,
        by=Actor.person(owner.pk),
        now=now,
    )


def act(command: DeploymentCommand, *, now: datetime) -> bool:
    """Carry out a command; return whether it is done."""
    done = commands.act_on_command(command_id=command.pk, now=now)
    command.refresh_from_db()
    return done


def carry_out(*, now: datetime) -> None:
    """Carry out every command that is open."""
    for command in DeploymentCommand.objects.filter(done_at=None).order_by("pk"):
        act(command, now=now)


def deliver_events(*, now: datetime) -> None:
    """Let every subscriber hear what it has not heard yet."""
    for event_id in OutboxEvent.objects.filter(delivered_at=None).values_list("pk", flat=True):
        deliver(event_id=event_id, now=now)
