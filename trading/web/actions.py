"""The buttons of a deployment's page: the commands that make sense in its state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from django.urls import reverse

from trading.models import ActualState, CommandKind, Deployment, DesiredState, StopPolicy
from trading.selectors import holdings
from trading.web import presenters

#: What a stop does, by the policy that was chosen at the start.
_AT_THE_STOP: Final[Mapping[str, str]] = {
    StopPolicy.FLATTEN: "Working orders are canceled and an open position is closed at the market.",
    StopPolicy.PROTECT: "Entries are canceled and the position stays open: it is yours to manage then. "
    "A stop that rests at the exchange stays there; cancel it before you sell.",
    StopPolicy.CANCEL: "Every order is canceled, the stop too, and the position stays open without "
    "protection: it is yours to manage then.",
}


@dataclass(frozen=True, slots=True)
class Action:
    """A command that makes sense now; ``key`` makes it happen once, however often it is sent."""

    kind: str
    label: str
    question: str
    text: str
    tone: str
    icon: str
    key: str = field(default_factory=lambda: uuid4().hex, repr=False)


@dataclass(frozen=True, slots=True)
class Actions:
    """The buttons."""

    url: str
    actions: tuple[Action, ...]


def present_actions(deployment: Deployment) -> Actions:
    """Return the commands that make sense in the state of *deployment*."""
    kinds = []
    if deployment.actual_state not in presenters.ENDED:
        if deployment.desired_state == DesiredState.RUNNING:
            kinds.append(CommandKind.PAUSE)
        elif deployment.desired_state == DesiredState.PAUSED:
            kinds.append(CommandKind.RESUME)
        if holdings.is_open(deployment):
            kinds.append(CommandKind.FLATTEN)
        if deployment.desired_state != DesiredState.STOPPED:
            kinds.append(CommandKind.STOP)
    else:
        kinds.append(CommandKind.START)
        if deployment.actual_state == ActualState.DRAFT:
            kinds.append(CommandKind.STOP)
    return Actions(
        url=reverse("trading:command", args=[deployment.public_id]),
        actions=tuple(_action(kind, deployment) for kind in kinds),
    )


def _action(kind: CommandKind, deployment: Deployment) -> Action:
    is_draft = deployment.actual_state == ActualState.DRAFT
    words = {
        CommandKind.PAUSE: (
            "Pause",
            "Pause entries?",
            "It opens no new position. What is open stays open, with its stop and target.",
            "",
            "pause",
        ),
        CommandKind.RESUME: (
            "Resume",
            "Resume trading?",
            "It may open positions again from the next closed bar on.",
            "primary",
            "play",
        ),
        CommandKind.FLATTEN: (
            "Close the position",
            "Close the position now?",
            "The position is closed at the market. The deployment goes on and may enter again.",
            "",
            "arrow-down-to-line",
        ),
        CommandKind.STOP: (
            "Discard" if is_draft else "Stop",
            "Discard this draft?" if is_draft else "Stop this deployment?",
            "It has traded nothing." if is_draft else _AT_THE_STOP[deployment.stop_policy],
            "danger",
            "square",
        ),
        CommandKind.START: (
            "Start" if is_draft else "Start again",
            "Start this deployment?" if is_draft else "Start this deployment again?",
            "It decides from the next bar that closes, as it is set."
            + ("" if is_draft else " What it holds it goes on with."),
            "primary",
            "play",
        ),
    }
    label, question, text, tone, icon = words[kind]
    return Action(kind.value, label, question, text, tone, icon)
