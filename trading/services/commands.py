"""What a deployment is told: a row first, then at once, not at the next bar."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from exchanges.services import leases
from exchanges.services.leases import AccountLease
from foundation.audit import Actor
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue
from foundation.transactions import transactional
from market.enums import Leg, OrderActor
from market.errors import FieldProblem, InvalidInputError
from market.orders import RESTING, WORKING
from trading.domain import keys, sizing
from trading.domain.trading_states import TradingState
from trading.models import (
    CommandKind,
    Deployment,
    DeploymentCommand,
    DeploymentInstrument,
    DeploymentPosition,
    IntentStatus,
    Order,
    OrderIntent,
    StopPolicy,
)
from trading.selectors import deployments as selectors
from trading.selectors import markets, restrictions
from trading.selectors.owners import Owner
from trading.services import (
    exits,
    intents,
    locks,
    paper,
    protection,
    stops,
    submission,
    venues,
    wishes,
)

_LONGEST_KEY: Final = 100

#: An open command that nobody has worked on for so long is picked up by the sweeper.
_SWEEP_AFTER_S: Final = 1.0
_SWEPT_AT_ONCE: Final = 200

#: For so long a command takes its account away from whoever serves it.
_FRESH_FOR_S: Final = 5.0

#: What rests for a deployment and is taken away when it is to hold nothing; exits go on.
_CANCELED_LEGS: Final = protection.OPENING | {Leg.STOP, Leg.TARGET}

#: A position that is kept protected keeps its stop, and so does one whose exit a halt keeps back.
_CANCELED_IF_KEPT: Final = _CANCELED_LEGS - {Leg.STOP}


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

    The same key again returns the command that is there. Raises what ``wishes.record`` does, and
    InvalidInputError; a deployment of somebody else is not found.
    """
    wanted = _checked_kind(kind, idempotency_key)
    found = selectors.get_deployment_for(owner, public_id=deployment_public_id)
    if wanted in {CommandKind.START, CommandKind.RESUME}:
        deployment = locks.lock_to_start(found.pk, now=now)
    else:
        deployment = locks.lock_deployment(found.pk)
    return wishes.record(
        deployment,
        kind=wanted,
        idempotency_key=idempotency_key,
        by=by,
        now=now,
    )


def act_on_command(*, command_id: int, now: datetime) -> bool:
    """Carry out a recorded command as far as possible now; return whether it is done.

    May be called any number of times; the sweeper does until it is done.
    """
    begun = _begin(command_id=command_id, now=now)
    if begun is None:
        return True
    account_id, is_fresh = begun
    crashpoint("commands.acting")
    if account_id in submission.due_accounts(now=now):
        held = _claim(account_id, is_fresh=is_fresh)
        if held:
            submission.serve_accounts(held, now=now)
    return _conclude(command_id=command_id, now=now)


def _claim(account_id: int, *, is_fresh: bool) -> list[AccountLease]:
    """Claim the account of a command, at first whoever has it: a person does not wait for them.

    Later on whoever serves it carries the command on as well; to take it away from them again and
    again would only keep them from getting anywhere.
    """
    seconds = venues.claim_seconds()
    if is_fresh:
        return [leases.take_over(account_id=account_id, seconds=seconds)]
    return leases.claim_accounts(account_ids=[account_id], seconds=seconds)


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


@transactional
def _begin(*, command_id: int, now: datetime) -> tuple[int, bool] | None:
    """Take away what rests and decide the exits.

    Returns the account and whether the command has only just been given; None if it is done.
    """
    command, deployment = _lock(command_id)
    if command.done_at is not None:
        return None
    positions = list(
        DeploymentPosition.objects.select_for_update(of=("self",))
        .filter(deployment=deployment)
        .select_related("instrument")
        .order_by("pk")
    )
    _take_away(command, deployment, now)
    for position in positions:
        if _keeps(command, deployment) and not markets.is_paper(deployment.account):
            # What has filled meanwhile gets its stop before the deployment looks away.
            protection.follow(deployment, instrument_id=position.instrument_id, now=now)
        if _closes(command, deployment) and _is_open(position):
            _close(command, deployment, position, now)
    is_fresh = now - command.requested_at < timedelta(seconds=_FRESH_FOR_S)
    return deployment.account_id, is_fresh


def _take_away(command: DeploymentCommand, deployment: Deployment, now: datetime) -> None:
    """Cancel what rests: an entry may do so before there is any position."""
    if not markets.is_paper(deployment.account):
        keeps_stop = _keeps(command, deployment) or _is_kept_back(command, deployment, now)
        protection.cancel_resting(
            deployment,
            legs=_CANCELED_IF_KEPT if keeps_stop else _CANCELED_LEGS,
            now=now,
            why=command.kind,
            by=_order_actor(command),
        )
        return
    traded = DeploymentInstrument.objects.filter(deployment=deployment).order_by("pk")
    for instrument_id in traded.values_list("instrument_id", flat=True):
        paper.cancel_all(deployment, instrument_id=instrument_id, now=now, why=command.kind)


def _is_kept_back(command: DeploymentCommand, deployment: Deployment, now: datetime) -> bool:
    """Tell whether the exits of *command* have to wait for the end of a halt."""
    if not _closes(command, deployment):
        return False
    places = [
        restrictions.place_of(deployment, instrument_id=position.instrument_id)
        for position in _positions(deployment)
    ]
    return TradingState.HALTED in restrictions.effective(places, now=now).values()


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
    elif not exits.is_under_way(deployment, position=position, now=now):
        intents.write_exit(deployment, position=position, key=key, reason="MANUAL", now=now)


def _forget_bracket(deployment: Deployment, instrument_id: int) -> None:
    row = DeploymentInstrument.objects.get(deployment=deployment, instrument_id=instrument_id)
    left = {"stop_ticks", "target_ticks", "ladder_ticks", "ladder_lots"}
    row.marks = {name: value for name, value in row.marks.items() if name not in left}
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
    command.outcome = _outcome(command, deployment)
    command.save(update_fields=["done_at", "outcome"])
    if command.kind == CommandKind.STOP and deployment.actual_state not in selectors.ENDED_STATES:
        stops.conclude(deployment, command=command, now=now)
    return True


def _outcome(command: DeploymentCommand, deployment: Deployment) -> str:
    if _closes(command, deployment):
        return "The position is closed."
    if not any(map(_is_open, _positions(deployment))):
        return "Done."
    if _keeps(command, deployment):
        return "The position is kept, with the stop that protects it."
    return "Every order is canceled; the position is left as it is."


def _lock(command_id: int) -> tuple[DeploymentCommand, Deployment]:
    deployment_id = DeploymentCommand.objects.values_list("deployment_id", flat=True).get(
        pk=command_id
    )
    deployment = locks.lock_deployment(deployment_id)
    command = DeploymentCommand.objects.select_for_update(of=("self",)).get(pk=command_id)
    return command, deployment


def _closes(command: DeploymentCommand, deployment: Deployment) -> bool:
    """Tell whether the position is to be closed."""
    stops_flat = deployment.stop_policy == StopPolicy.FLATTEN
    return command.kind == CommandKind.FLATTEN or (command.kind == CommandKind.STOP and stops_flat)


def _keeps(command: DeploymentCommand, deployment: Deployment) -> bool:
    """Tell whether the position stays open with its stop while the deployment ends."""
    return command.kind == CommandKind.STOP and deployment.stop_policy == StopPolicy.PROTECT


def _order_actor(command: DeploymentCommand) -> OrderActor:
    """Return as whom a command acts on orders: its owner, an operator, or a rule of the platform."""
    if command.actor_kind == "system":
        return OrderActor.STRATEGY
    is_owner = command.actor_identifier == str(command.owner_id)
    return OrderActor.USER if is_owner else OrderActor.OPERATOR


def _is_settled(command: DeploymentCommand, deployment: Deployment) -> bool:
    working = Order.objects.filter(
        deployment=deployment, status__in=[status.value for status in WORKING]
    )
    waiting = OrderIntent.objects.filter(deployment=deployment, status=IntentStatus.NEW)
    if command.kind == CommandKind.FLATTEN:
        # A flattened deployment goes on; only what closes the position counts.
        working, waiting = working.filter(reduce_only=True), waiting.filter(reduce_only=True)
    elif _keeps(command, deployment):
        working = working.exclude(
            Q(leg=Leg.STOP.value) & Q(status__in=[status.value for status in RESTING])
        )
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
    return sizing.is_closable(
        position.quantity, price=price, steps=markets.steps_of(position.instrument)
    )
