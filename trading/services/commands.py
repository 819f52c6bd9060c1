"""What a person tells a deployment: a row first, then at once, not at the next bar.

Every command raises the deployment's epoch, so that whatever was decided before loses its right to
open anything.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from exchanges.services import leases
from foundation import audit
from foundation.audit import Actor
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue, enqueue_on_commit
from foundation.transactions import transactional
from market.enums import Leg
from market.errors import ConflictError, FieldProblem, InvalidInputError
from market.orders import WORKING
from trading.domain import kernel, keys, sizing
from trading.models import (
    ActualState,
    CommandKind,
    Deployment,
    DeploymentCommand,
    DeploymentInstrument,
    DeploymentPosition,
    DesiredState,
    IntentStatus,
    Order,
    OrderIntent,
    StopPolicy,
)
from trading.selectors import deployments as selectors
from trading.selectors import markets
from trading.selectors.owners import Owner
from trading.services import deployments, intents, paper, protection, submission, venues

logger = logging.getLogger(__name__)

_LONGEST_KEY: Final = 100

#: An open command that nobody has worked on for so long is picked up by the sweeper.
_SWEEP_AFTER_S: Final = 1.0
_SWEPT_AT_ONCE: Final = 50

#: What rests for a deployment and is taken away when it is to hold nothing; exits go on.
_CANCELED_LEGS: Final = frozenset({Leg.ENTRY, Leg.STOP, Leg.TARGET})

_ENDED: Final = frozenset({ActualState.STOPPED, ActualState.FAILED})


class DeploymentEndedError(ConflictError):
    """The deployment has ended or is about to; it takes no such command any more."""

    code = "deployment_ended"

    def __init__(self, deployment: Deployment) -> None:
        state = ActualState(deployment.actual_state).label.lower()
        super().__init__(f"“{deployment.name}” is {state}.")


class KeyReusedError(ConflictError):
    """The idempotency key belongs to another command."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for another command.")


@transactional
def request_command(
    *,
    owner: Owner,
    deployment_public_id: UUID,
    kind: str,
    idempotency_key: str,
    by: Actor,
    now: datetime,
) -> DeploymentCommand:
    """Record what *owner* wants of a deployment and see to it at once.

    The same key again returns the command that is there. Raises DeploymentEndedError where it comes
    too late, KeyReusedError, InvalidInputError; a deployment of somebody else is not found.
    """
    wanted = _checked_kind(kind, idempotency_key)
    found = selectors.get_deployment_for(owner, public_id=deployment_public_id)
    deployment = Deployment.objects.select_for_update(of=("self",)).get(pk=found.pk)
    command = DeploymentCommand(
        owner_id=deployment.owner_id,
        deployment=deployment,
        kind=wanted,
        idempotency_key=idempotency_key,
        actor_kind=by.kind,
        actor_identifier=by.identifier,
        requested_at=now,
    )
    try:
        with transaction.atomic():
            command.save(force_insert=True)
    except IntegrityError:
        known = DeploymentCommand.objects.get(
            deployment=deployment, idempotency_key=idempotency_key
        )
        if known.kind != wanted:
            raise KeyReusedError from None
        return known
    _refuse_if_ended(deployment, wanted)
    _note_wish(deployment, command, now)
    audit.record(
        actor=by,
        verb=f"deployment.{wanted.value.lower()}",
        target=deployment,
        owner_id=deployment.owner_id,
    )
    crashpoint("commands.recorded")
    if command.done_at is None:
        enqueue_on_commit("trading.act_on_command", command_id=command.pk)
    return command


def act_on_command(*, command_id: int, now: datetime) -> bool:
    """Carry out a recorded command as far as possible now; return whether it is done.

    May be called any number of times; the sweeper does until it is done.
    """
    account_id = _begin(command_id=command_id, now=now)
    if account_id is None:
        return True
    crashpoint("commands.acting")
    if account_id in submission.due_accounts(now=now):
        # A person does not wait for whoever serves the account at the moment.
        lease = leases.take_over(account_id=account_id, seconds=venues.claim_seconds())
        submission.serve_accounts([lease], now=now)
    return _conclude(command_id=command_id, now=now)


def sweep_commands(*, now: datetime) -> int:
    """Send again for commands that are not done; return how many there are."""
    horizon = now - timedelta(seconds=_SWEEP_AFTER_S)
    open_commands = DeploymentCommand.objects.filter(done_at=None, requested_at__lt=horizon)
    ids = list(open_commands.order_by("requested_at").values_list("pk", flat=True)[:_SWEPT_AT_ONCE])
    for command_id in ids:
        enqueue("trading.act_on_command", command_id=command_id)
    return len(ids)


def _checked_kind(kind: str, idempotency_key: str) -> CommandKind:
    problems = []
    if kind not in CommandKind.values:
        text = f"Use one of {', '.join(CommandKind.values)}."
        problems.append(FieldProblem("kind", "unknown_choice", text))
    if not 1 <= len(idempotency_key) <= _LONGEST_KEY or "|" in idempotency_key:
        text = f"Use 1 to {_LONGEST_KEY} characters, without “|”."
        problems.append(FieldProblem("idempotency_key", "out_of_range", text))
    if problems:
        message = " ".join(problem.message for problem in problems)
        raise InvalidInputError(message, problems=problems)
    return CommandKind(kind)


def _refuse_if_ended(deployment: Deployment, kind: CommandKind) -> None:
    if deployment.actual_state in _ENDED:
        raise DeploymentEndedError(deployment)
    if deployment.actual_state == ActualState.STOPPING and kind in {
        CommandKind.PAUSE,
        CommandKind.RESUME,
    }:
        raise DeploymentEndedError(deployment)


def _note_wish(deployment: Deployment, command: DeploymentCommand, now: datetime) -> None:
    match command.kind:
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
            leases.reconcile_soon(account_id=deployment.account_id, at=now)
        case _:
            pass
    deployment.epoch += 1
    deployment.version += 1
    deployment.save(update_fields=["desired_state", "actual_state", "epoch", "version"])
    waiting = OrderIntent.objects.filter(deployment=deployment, leg=Leg.ENTRY.value)
    intents.supersede(waiting, code=f"COMMAND_{command.kind}")
    if command.kind in {CommandKind.PAUSE, CommandKind.RESUME}:
        command.done_at = now
        command.outcome = "Done."
        command.save(update_fields=["done_at", "outcome"])


@transactional
def _begin(*, command_id: int, now: datetime) -> int | None:
    """Take away what rests and decide the exits; return the account, or None if it is done."""
    command, deployment = _lock(command_id)
    if command.done_at is not None:
        return None
    positions = list(
        DeploymentPosition.objects.select_for_update(of=("self",))
        .filter(deployment=deployment)
        .select_related("instrument")
        .order_by("pk")
    )
    is_paper = markets.is_paper(deployment.account)
    for position in positions:
        if is_paper:
            paper.cancel_all(
                deployment, instrument_id=position.instrument_id, now=now, why=command.kind
            )
        else:
            protection.cancel_resting(
                deployment,
                instrument_id=position.instrument_id,
                legs=_CANCELED_LEGS,
                now=now,
                why=command.kind,
            )
        if _closes(command, deployment) and _is_open(position):
            _close(command, deployment, position, now)
    return deployment.account_id


def _close(
    command: DeploymentCommand,
    deployment: Deployment,
    position: DeploymentPosition,
    now: datetime,
) -> None:
    prefix = keys.manual_key(
        command.idempotency_key, instrument_id=position.instrument_id
    ).removesuffix("0")
    number = OrderIntent.objects.filter(
        deployment=deployment, decision_key__startswith=prefix
    ).count()
    key = keys.manual_key(
        command.idempotency_key, instrument_id=position.instrument_id, number=number
    )
    if markets.is_paper(deployment.account):
        waiting = OrderIntent.objects.filter(
            deployment=deployment, instrument_id=position.instrument_id
        )
        intents.supersede(waiting, code=f"COMMAND_{command.kind}")
        price = position.last_price or position.average_price
        paper.close_at_last_price(deployment, position=position, key=key, price=price, now=now)
        _forget_bracket(deployment, position.instrument_id)
    elif not protection.exit_is_under_way(deployment, position=position, now=now):
        intents.write_exit(deployment, position=position, key=key, reason="MANUAL", now=now)


def _forget_bracket(deployment: Deployment, instrument_id: int) -> None:
    row = DeploymentInstrument.objects.get(deployment=deployment, instrument_id=instrument_id)
    marks = kernel.marks_from_json(row.marks)._replace(stop_ticks=0, target_ticks=0)
    row.marks = kernel.marks_to_json(marks)
    row.save(update_fields=["marks"])


@transactional
def _conclude(*, command_id: int, now: datetime) -> bool:
    """Note that a command is done, once nothing works any more and nothing is left to close."""
    command, deployment = _lock(command_id)
    if command.done_at is not None:
        return True
    if not _is_settled(command, deployment):
        return False
    command.done_at = now
    command.outcome = "The position is closed." if _closes(command, deployment) else "Done."
    command.save(update_fields=["done_at", "outcome"])
    if command.kind == CommandKind.STOP and deployment.actual_state != ActualState.STOPPED:
        deployments.mark_stopped(deployment, now=now)
    return True


def _lock(command_id: int) -> tuple[DeploymentCommand, Deployment]:
    deployment_id = DeploymentCommand.objects.values_list("deployment_id", flat=True).get(
        pk=command_id
    )
    deployment = (
        Deployment.objects.select_for_update(of=("self",))
        .select_related("account__venue")
        .get(pk=deployment_id)
    )
    command = DeploymentCommand.objects.select_for_update(of=("self",)).get(pk=command_id)
    return command, deployment


def _closes(command: DeploymentCommand, deployment: Deployment) -> bool:
    """Tell whether the position is to be closed."""
    stops_flat = deployment.stop_policy == StopPolicy.FLATTEN
    return command.kind == CommandKind.FLATTEN or (command.kind == CommandKind.STOP and stops_flat)


def _is_settled(command: DeploymentCommand, deployment: Deployment) -> bool:
    working = Order.objects.filter(
        deployment=deployment, status__in=[status.value for status in WORKING]
    )
    waiting = OrderIntent.objects.filter(deployment=deployment, status=IntentStatus.NEW)
    if command.kind == CommandKind.FLATTEN:
        # A flattened deployment goes on; only what closes the position counts.
        working, waiting = working.filter(reduce_only=True), waiting.filter(reduce_only=True)
    if working.exists() or waiting.exists():
        return False
    return not (_closes(command, deployment) and any(map(_is_open, _positions(deployment))))


def _positions(deployment: Deployment) -> Sequence[DeploymentPosition]:
    return list(
        DeploymentPosition.objects.filter(deployment=deployment).select_related("instrument")
    )


def _is_open(position: DeploymentPosition) -> bool:
    """Tell whether there is more than dust."""
    price = position.last_price or position.average_price
    return sizing.is_tradable(
        position.quantity, price=price, steps=markets.steps_of(position.instrument)
    )
