"""What the processes of a scenario do: the one that dies, and those that go on in its place."""

import json
import logging
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from exchanges.adapters import loops
from exchanges.models import ExchangeAccount
from foundation import events
from foundation.audit import Actor
from foundation.models import OutboxEvent
from market.enums import OrderStatus
from tests.crash.plans import draw
from tests.crash.points import arm
from tests.crash.stage import Scene, Stage
from trading.models import DeploymentCommand, IntentStatus, Order, OrderIntent
from trading.services import bars, commands, evaluation, reconciliation, submission
from trading.services.wishes import DeploymentEndedError

_IN_FLIGHT: Final = [
    OrderStatus.SUBMITTING.value,
    OrderStatus.UNKNOWN.value,
    OrderStatus.PENDING_CANCEL.value,
]
_TURN_S: Final = 0.04
#: Looks at the rows before and after the owner's command.
_DAY_TURNS: Final = 3
#: A fall of the market that goes through every stop of the matrix.
_FALL: Final = 0.96
#: The exchange's bad hour is over after this long; what was not proven by then is proven later.
_BAD_HOUR_S: Final = 1.0
#: Far more than any scenario needs on a busy machine.
_PATIENCE_S: Final = 40.0
#: Rows that have been at rest for so long have met everything that the exchange does late.
_REST_S: Final = 0.25
#: What a process passes on of what it overhears: a pipe takes so much without a reader.
_MOST_OVERHEARD: Final = 10
_LONGEST_WORD: Final = 4_000


@dataclass(slots=True)
class Told:
    """What a process told before its end: what went wrong in it, and how often it looked."""

    problems: list[str] = field(default_factory=list)
    turns: int = 0


class Hands:
    """The work of all queues on one scene, as the sweepers would find it; nothing is ever raised."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.problems: list[str] = []

    def evaluate(self) -> None:
        self._do(evaluation.evaluate_signal_group, group_id=self.scene.group_id)

    def submit(self) -> None:
        self._do(submission.submit_due_intents)

    def reconcile(self) -> None:
        """Compare the account with the exchange, if its turn has come or an order is in doubt."""
        now, account_id = timezone.now(), self.scene.account_id
        is_due = ExchangeAccount.objects.filter(pk=account_id, next_reconcile_at__lte=now)
        in_doubt = Order.objects.filter(
            account_id=account_id, status__in=_IN_FLIGHT, next_check_at__lte=now
        )
        if is_due.exists() or in_doubt.exists():
            self._do(reconciliation.reconcile_account, account_id=account_id)

    def compare(self) -> None:
        """Compare the account with the exchange now, whenever its turn would be."""
        self._do(reconciliation.reconcile_account, account_id=self.scene.account_id)

    def relay(self) -> None:
        """Deliver what was published and nobody has confirmed."""
        due = OutboxEvent.objects.filter(delivered_at=None).order_by("pk")
        for event_id in list(due.values_list("pk", flat=True)):
            self._do(events.deliver, event_id=event_id)

    def obey(self) -> None:
        """Carry out the commands that are not done."""
        waiting = DeploymentCommand.objects.filter(deployment=self.scene.deployment, done_at=None)
        for command_id in list(waiting.values_list("pk", flat=True)):
            self._do(commands.act_on_command, command_id=command_id)

    def command(self, kind: str, key: str) -> None:
        """Say as the owner what is wanted; saying it again with the same key changes nothing."""
        deployment = self.scene.deployment
        self._do(
            commands.request_command,
            owner=deployment.owner,
            deployment_public_id=deployment.public_id,
            kind=kind,
            idempotency_key=key,
            by=Actor.person(deployment.owner_id),
        )

    def turn(self) -> None:
        """Do once what all workers do."""
        if not self.scene.plan.submits_first:
            self.evaluate()
        self.submit()
        self.obey()
        self.reconcile()
        self.relay()
        if self.scene.plan.submits_first:
            self.evaluate()
        time.sleep(_TURN_S)

    def _do(self, service: Callable[..., object], **arguments: Any) -> None:
        try:
            service(**arguments, now=timezone.now())
        except DeploymentEndedError:
            # The owner is told so: what has ended takes no further command.
            return
        except Exception:  # noqa: BLE001  whatever it is, it is a finding
            self.problems.append(traceback.format_exc(limit=-6))


def live_a_day(scene: Scene, stage: Stage, *, is_to_die: bool = True) -> Told:
    """Do what the process does that is to die: decide, send, book, obey."""
    hands = Hands(scene)
    if is_to_die:
        arm(scene.plan.point, visits=scene.plan.visits, by=scene.plan.by)
    for _ in range(_DAY_TURNS):
        hands.turn()
    hands.compare()
    if scene.plan.falls:
        stage.move_market(_FALL)
    if scene.plan.command:
        hands.command(scene.plan.command, "once")
    for _ in range(_DAY_TURNS):
        hands.turn()
    hands.compare()
    return Told(hands.problems)


def compare_first(scene: Scene) -> Told:
    """Compare the account with the exchange before anything is opened, as every start does."""
    hands = Hands(scene)
    hands.reconcile()
    return Told(hands.problems)


def stop_it(scene: Scene) -> Told:
    """Let the owner stop the deployment."""
    hands = Hands(scene)
    hands.command("STOP", "meanwhile")
    return Told(hands.problems)


def recover(scene: Scene, stage: Stage, *, at_least_s: float) -> Told:
    """Go on in the place of the dead until all is at rest, for *at_least_s* at least."""
    hands, begun_s, turns, is_bad = Hands(scene), time.monotonic(), 0, True
    if scene.plan.command and not _was_told(scene):
        # The owner got no answer, and says it again.
        hands.command(scene.plan.command, "once")
    rest_s, compared, passed_s, asked_at = 0.0, "", 0.0, timezone.now()
    while passed_s < _PATIENCE_S:
        turn_s = time.monotonic()
        if is_bad and passed_s > _BAD_HOUR_S:
            stage.end_bad_hour()
            is_bad = False
        hands.turn()
        turns += 1
        restless, passed_s = _restless(scene), time.monotonic() - begun_s
        rest_s = 0.0 if restless else rest_s + time.monotonic() - turn_s
        if rest_s < _REST_S or passed_s < at_least_s:
            continue
        if compared == _rows(scene) and _was_compared(scene, since=asked_at):
            return Told(hands.problems, turns)
        # At rest: what the exchange has done meanwhile is looked at once more.
        compared, rest_s, asked_at = _rows(scene), 0.0, timezone.now()
        ExchangeAccount.objects.filter(pk=scene.account_id).update(next_reconcile_at=asked_at)
    hands.problems.append(f"After {turns} turns there is no rest: {', '.join(restless)}.")
    return Told(hands.problems, turns)


def _rows(scene: Scene) -> str:
    """Return what all orders have come to."""
    orders = Order.objects.filter(deployment=scene.deployment).order_by("pk")
    return str(list(orders.values_list("status", "filled_quantity")))


def _was_told(scene: Scene) -> bool:
    return DeploymentCommand.objects.filter(
        deployment=scene.deployment, idempotency_key="once"
    ).exists()


def _was_compared(scene: Scene, *, since: datetime) -> bool:
    """Tell whether the exchange has answered everything since then."""
    account = ExchangeAccount.objects.filter(pk=scene.account_id)
    return account.filter(reconciled_at__gte=since).exists()


def _restless(scene: Scene) -> list[str]:
    """Return what somebody still has to see to.

    An order under review may hold what an exit is to sell: until an operator has looked at it, exits
    and commands may wait.
    """
    deployment = scene.deployment
    is_left = Order.objects.filter(deployment=deployment, status="MANUAL_REVIEW").exists()
    waiting: tuple[QuerySet[Any], ...] = (
        OrderIntent.objects.filter(deployment=deployment, status=IntentStatus.NEW),
        DeploymentCommand.objects.filter(deployment=deployment, done_at=None),
    )
    rows: tuple[QuerySet[Any], ...] = (
        Order.objects.filter(deployment=deployment, status__in=_IN_FLIGHT),
        *(() if is_left else waiting),
        OutboxEvent.objects.filter(delivered_at=None),
        # What is to fill at once, or has begun to, fills.
        Order.objects.filter(deployment=deployment, status="PARTIALLY_FILLED"),
        Order.objects.filter(deployment=deployment, status="ACCEPTED", order_type="MARKET"),
    )
    return [f"{each.model.__name__} {row}" for each in rows for row in each]


def rehearse(stage: Stage) -> None:
    """Play a whole life in this process, so that those that are forked from it have loaded everything."""
    calm = replace(
        draw("evaluation.claimed", 0),
        by=signal.SIGKILL,
        visits=1,
        rules=(),
        falls=False,
        command="STOP",
    )
    scene = stage.make_scene(calm)
    live_a_day(scene, stage, is_to_die=False)
    told = recover(scene, stage, at_least_s=0.0)
    assert not told.problems, told.problems
    stage.dismiss(scene)
    loops.close()
    connections.close_all()


# --- processes ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Worker:
    """A process forked from this one, which holds no connection at that moment."""

    process: BaseProcess
    pipe: Connection

    def wait(self, timeout_s: float = 2 * _PATIENCE_S) -> Told:
        """Wait for its end and return what it told, which is nothing if it was killed."""
        told, overheard = Told(), list[str]()
        with suppress(EOFError):
            while self.pipe.poll(timeout_s):
                word = json.loads(self.pipe.recv_bytes())
                if not isinstance(word, str):
                    told = Told(**word)
                    break
                overheard.append(word)
        told.problems += overheard
        self.process.join(timeout_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            told = Told([*overheard, "The process hung."])
        self.pipe.close()
        return told

    @property
    def was_killed(self) -> bool:
        """Whether it died by its own hand."""
        return self.process.exitcode == -signal.SIGKILL

    def falls_asleep(self) -> bool:
        """Wait until it sleeps at its place, and tell whether it does; False if it ends first."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        while self.process.is_alive():
            if stat.read_text().rpartition(")")[2].split()[0] == "T":
                return True
            time.sleep(0.005)
        return False

    def wake(self) -> None:
        """Let it go on."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGCONT)


class Overheard(logging.Handler):
    """Passes on errors that the platform has caught and logged: nobody foresaw those either.

    At once, for the process may be about to die; and few of them, for nobody reads meanwhile.
    """

    def __init__(self, pipe: Connection) -> None:
        super().__init__(logging.ERROR)
        self._pipe = pipe
        self._left = _MOST_OVERHEARD

    def listen(self) -> None:
        """Hear what is logged in this process from now on, in the place of whoever printed it."""
        logging.disable(logging.WARNING)
        logging.getLogger().handlers = [self]

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on an error that came with an exception."""
        if self._left and record.exc_info and record.exc_info[0] is not None:
            self._left -= 1
            told = "".join(traceback.format_exception(*record.exc_info, limit=-6))
            word = f"{told[-_LONGEST_WORD:]}{record.getMessage()}: {record.exc_info[1]}"
            self._pipe.send_bytes(json.dumps(word).encode())


def fork(job: Callable[[], Told], *, egress: str) -> Worker:
    """Begin *job* in a process of its own, which calls the exchange from the address *egress*."""
    connections.close_all()
    ours, theirs = multiprocessing.Pipe(duplex=False)

    def run() -> None:
        ours.close()
        settings.EGRESS_NAME = egress
        bars.forget_all()
        Overheard(theirs).listen()
        told = job()
        theirs.send_bytes(json.dumps(asdict(told)).encode())
        theirs.close()
        sys.stdout.flush()
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    theirs.close()
    return Worker(process, ours)
