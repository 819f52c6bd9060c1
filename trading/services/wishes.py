"""What is wanted of a deployment, written down: a row, and what it changes at once.

Every wish raises the deployment's epoch, so that whatever was decided before loses its right to
open anything.
"""

from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from foundation import audit
from foundation.audit import Actor
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction
from market.errors import ConflictError
from trading.models import (
    ActualState,
    CommandKind,
    Deployment,
    DeploymentCommand,
    DesiredState,
    OrderIntent,
)
from trading.selectors import markets
from trading.selectors.deployments import ENDED_STATES
from trading.services import intents, paper, protection, restarts

#: These are done as soon as they are written down.
_DONE_AT_ONCE: Final = frozenset({CommandKind.PAUSE, CommandKind.RESUME, CommandKind.START})


class DeploymentEndedError(ConflictError):
    """The deployment has ended or is about to; it takes no such command any more."""

    code = "deployment_ended"

    def __init__(self, deployment: Deployment) -> None:
        state = ActualState(deployment.actual_state).label.lower()
        super().__init__(f"“{deployment.name}” is {state}.")


class DeploymentNotEndedError(ConflictError):
    """Only a deployment that has ended can start again."""

    code = "deployment_not_ended"

    def __init__(self, deployment: Deployment) -> None:
        state = ActualState(deployment.actual_state).label.lower()
        super().__init__(f"“{deployment.name}” is {state}; it cannot start again.")


class KeyReusedError(ConflictError):
    """The idempotency key belongs to another command."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for another command.")


@part_of_transaction
def record(
    deployment: Deployment,
    *,
    kind: CommandKind,
    idempotency_key: str,
    by: Actor,
    now: datetime,
    note: str = "",
) -> DeploymentCommand:
    """Write down what is wanted of a locked *deployment*, and let the workers see to it.

    For RESUME and START it was locked by ``locks.lock_to_start``.

    The same key again returns the command that is there. *note* says why, in words for the owner.
    Raises DeploymentEndedError or DeploymentNotEndedError where it comes too late or too early,
    KeyReusedError, and for START what ``restarts.start_again`` raises.
    """
    command = DeploymentCommand(
        owner_id=deployment.owner_id,
        deployment=deployment,
        kind=kind,
        idempotency_key=idempotency_key,
        actor_kind=by.kind,
        actor_identifier=by.identifier,
        note=note[:300],
        requested_at=now,
    )
    try:
        with transaction.atomic():
            command.save(force_insert=True)
    except IntegrityError:
        known = DeploymentCommand.objects.get(
            deployment=deployment, idempotency_key=idempotency_key
        )
        if known.kind != kind:
            raise KeyReusedError from None
        return known
    _refuse_out_of_time(deployment, kind)
    _note_wish(deployment, command, now)
    audit.record(
        actor=by,
        verb=f"deployment.{kind.value.lower()}",
        target=deployment,
        owner_id=deployment.owner_id,
        detail={"note": note} if note else None,
    )
    crashpoint("commands.recorded")
    if command.done_at is None:
        enqueue_on_commit("trading.act_on_command", command_id=command.pk)
    return command


def _refuse_out_of_time(deployment: Deployment, kind: CommandKind) -> None:
    has_ended = deployment.actual_state in ENDED_STATES
    if kind is CommandKind.STOP and deployment.actual_state == ActualState.DRAFT:
        return
    if kind is CommandKind.START:
        if not has_ended:
            raise DeploymentNotEndedError(deployment)
        return
    is_ending = deployment.actual_state == ActualState.STOPPING
    if has_ended or (is_ending and kind in {CommandKind.PAUSE, CommandKind.RESUME}):
        raise DeploymentEndedError(deployment)


def _note_wish(deployment: Deployment, command: DeploymentCommand, now: datetime) -> None:
    match command.kind:
        case CommandKind.START:
            restarts.start_again(deployment, now=now)
        case CommandKind.STOP if deployment.actual_state == ActualState.DRAFT:
            # Nothing has begun, so nothing has to be settled.
            deployment.actual_state = ActualState.STOPPED
            deployment.stopped_at = now
            deployment.save(update_fields=["stopped_at"])
        case CommandKind.STOP:
            deployment.desired_state = DesiredState.STOPPED
            deployment.actual_state = ActualState.STOPPING
        case CommandKind.PAUSE:
            deployment.desired_state = DesiredState.PAUSED
            deployment.actual_state = ActualState.PAUSED
        case CommandKind.RESUME if deployment.desired_state == DesiredState.PAUSED:
            deployment.desired_state = DesiredState.RUNNING
            # It runs again once its account has been compared with the venue.
            deployment.actual_state = ActualState.STARTING
        case _:
            pass
    deployment.epoch += 1
    deployment.version += 1
    deployment.save(update_fields=["desired_state", "actual_state", "epoch", "version"])
    opening = [leg.value for leg in protection.OPENING]
    waiting = OrderIntent.objects.filter(deployment=deployment, leg__in=opening)
    intents.supersede(waiting, code=f"COMMAND_{command.kind}")
    if command.kind == CommandKind.PAUSE and markets.is_paper(deployment.account):
        paper.cancel_opening(deployment, now=now, why="paused")
    elif command.kind == CommandKind.PAUSE:
        # Nothing opens while it is paused: neither an entry that rests nor the rest of a ladder.
        protection.cancel_resting(deployment, legs=protection.OPENING, now=now, why="paused")
        enqueue_on_commit("trading.submit_due_intents")
    if command.kind in _DONE_AT_ONCE or deployment.actual_state == ActualState.STOPPED:
        command.done_at = now
        command.outcome = "Done."
        command.save(update_fields=["done_at", "outcome"])
