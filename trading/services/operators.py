"""What operators do to deployments of others; each deed leaves an audit row with their note."""

from datetime import datetime

from foundation import audit
from foundation.audit import Actor
from foundation.transactions import transactional
from market.errors import FieldProblem, InvalidInputError
from trading.models import CommandKind, Deployment, DeploymentCommand
from trading.services import locks, stops, wishes


class NoteRequiredError(InvalidInputError):
    """A deed of an operator needs a word about why."""

    code = "note_required"

    def __init__(self) -> None:
        text = "Say why, in 1 to 300 characters."
        super().__init__(text, problems=[FieldProblem("note", self.code, text)])


@transactional
def force_stop(*, deployment_id: int, by: Actor, now: datetime, note: str) -> DeploymentCommand:
    """Stop a deployment whatever its owner wants, by its own stop policy; its epoch rises at once.

    The owner reads *note*. One that is stopping already goes on with that, and its command is
    returned. Raises DeploymentNotFoundError, NoteRequiredError or DeploymentEndedError.
    """
    why = checked_note(note)
    deployment = locks.lock_deployment(deployment_id)
    command = stops.stop(
        deployment, idempotency_key=_key("stop", deployment), by=by, now=now, note=why
    )
    if command is None:
        raise wishes.DeploymentEndedError(deployment)
    audit.record(
        actor=by,
        verb="deployment.force_stopped",
        target=deployment,
        owner_id=deployment.owner_id,
        detail={"note": why, "command": str(command.public_id)},
    )
    return command


@transactional
def restart(*, deployment_id: int, by: Actor, now: datetime, note: str = "") -> Deployment:
    """Start a deployment again that has ended, with the same checks as for its owner.

    It counts against the owner's plan and needs the owner's subscription. Raises
    DeploymentNotFoundError, DeploymentNotEndedError and what ``restarts.start_again`` raises.
    """
    deployment = locks.lock_to_start(deployment_id, now=now)
    wishes.record(
        deployment,
        kind=CommandKind.START,
        idempotency_key=_key("start", deployment),
        by=by,
        now=now,
        note=note.strip(),
    )
    audit.record(
        actor=by,
        verb="deployment.restarted",
        target=deployment,
        owner_id=deployment.owner_id,
        detail={"note": note.strip()},
    )
    return deployment


def checked_note(note: str) -> str:
    """Return *note* without the space around it; raise NoteRequiredError if it is empty or too long."""
    why = note.strip()
    if not 1 <= len(why) <= 300:
        raise NoteRequiredError
    return why


def _key(what: str, deployment: Deployment) -> str:
    """Return the key of a command; the epoch under the lock tells two deeds apart."""
    return f"operator-{what}-{deployment.epoch}"
