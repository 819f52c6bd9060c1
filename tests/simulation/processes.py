"""Workers as the simulation plays them: they do one task after the other, and may die or fall asleep in the middle of one.

A death is an exception that nothing catches. What the platform does on its way out would not happen if the process were
killed, so the dead neither reach the database nor the wire.
"""

import asyncio
import logging
import random
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from django.db import connection

from exchanges.adapters import ccxt, connections, factory, governor, loops
from exchanges.adapters.budget_store import Answer
from exchanges.domain.budgets import Polled, Ticket
from foundation import crashpoints, queue
from foundation.transactions import in_transaction
from market.errors import PlatformError
from tests.simulation import database
from tests.simulation.database import Ledger
from tests.simulation.exchange import SimulatedExchange
from trading.services import bars, starts

#: Where a worker may die: every crash point that a task of trading comes to.
POINTS: Final = tuple(
    point
    for point in crashpoints.CRASHPOINTS
    if not point.startswith(("sweeps.", "keys.", "commands.recorded"))
)

#: Where a worker may fall asleep: no transaction is open there, and no call is being made. Whoever has passed the last look
#: before the wire and sleeps then may send one order too late; nothing but the exchange's own time limit bounds that.
SLEEPING_POINTS: Final = (
    "evaluation.claimed",
    "evaluation.bars_read",
    "evaluation.stepped",
    "evaluation.advanced",
    "submission.claimed",
    "submission.prepared",
    "submission.answered",
    "submission.settled",
    "commands.acting",
    "reconciliation.claimed",
    "reconciliation.asked",
    "reconciliation.applied",
)

#: A worker that is to die at a statement dies at one of the first so many.
_STATEMENTS: Final = 40

_ORDER: Final = (b"POST /api/v3/order", b"POST /fapi/v1/order", b"POST /fapi/v1/algoOrder")


#: Which crash points a task comes to, by the beginnings of their names.
_ON_THE_WAY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "trading.submit_due_intents": ("submission.", "fills.", "protection."),
        "trading.act_on_command": ("commands.", "submission.", "fills."),
        "trading.reconcile": ("reconciliation.", "fills.", "protection."),
        "trading.evaluate_signal_groups": ("evaluation.",),
        "foundation.deliver": ("outbox.",),
    }
)


def _points_of(task: str) -> list[str]:
    for beginning, points in _ON_THE_WAY.items():
        if task.startswith(beginning):
            return [point for point in POINTS if point.startswith(points)]
    return list(POINTS)


class Death(KeyboardInterrupt):
    """The process is gone. As an interruption it leaves an event loop at once, whoever waits in there."""


class Errors(logging.Handler):
    """Keeps what was logged as an error: the platform expected none of it."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += "".join(traceback.format_exception(record.exc_info[1], limit=-6))
        self.found.append(text)


class Workers:
    """All workers of a day: one after the other, except while one of them sleeps."""

    def __init__(self, exchange: SimulatedExchange, ledger: Ledger, chance: random.Random) -> None:
        self._exchange = exchange
        self._ledger = ledger
        self._chance = chance
        self._is_dead = False
        self._statements_left = 0
        self._dies_sending = ""
        self._is_nested = False
        #: What waits in the broker, in the order in which it was sent.
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.findings: list[str] = []
        #: What others do while one sleeps.
        self.meanwhile: Callable[[], None] = lambda: None
        self.notes: list[str] = []
        self._errors = Errors()

    @contextmanager
    def hired(self) -> Iterator[None]:
        """Stand where the platform sends messages, asks its database and writes to the wire."""
        self._ledger.before = self._before_statement
        self._exchange.before_write = self._before_write
        logging.getLogger().addHandler(self._errors)
        self.forget_everything()
        try:
            with (
                _replaced(queue, "_send", self._send),
                _replaced(connections, "open_session", self._exchange.open_session),
                _replaced(governor, "SharedBudget", _AmpleBudget),
            ):
                yield
                self._exchange.hang_up()
                self._end_session()
        finally:
            logging.getLogger().removeHandler(self._errors)
            self._ledger.before = lambda: None

    def forget_everything(self) -> None:
        """Be a new process: nothing is remembered."""
        factory._pool._kept.clear()
        bars.forget_all()
        starts._noted.clear()
        setattr(starts, "_TOKEN", uuid4())  # noqa: B010  a constant of each process, of which this is another
        governor._lanes.by_name.clear()
        ccxt._memories.clear()

    def do(self, what: Callable[..., object], /, *, fate: str = "", **arguments: Any) -> str:
        """Do a piece of work as far as *fate* lets it, and return what became of it in a word."""
        if fate and not self._is_nested:
            self._arm(fate)
        try:
            what(**arguments)
        except Death:
            self._bury()
            return "died"
        except PlatformError as error:
            return error.code
        except Exception:  # noqa: BLE001  whatever it is, it is a finding
            self.findings.append(traceback.format_exc(limit=-8))
            return "broke"
        finally:
            if not self._is_nested:
                self._disarm()
            self._settle()
        return "done"

    def draw_fate(self, task: str) -> str:
        """Draw what is to befall the worker that does *task* next, usually nothing."""
        drawn, on_the_way = self._chance.random(), _points_of(task)
        if drawn < 0.10:
            return f"dies at {self._chance.choice(on_the_way)}"
        if drawn < 0.15:
            return f"dies before statement {self._chance.randint(1, _STATEMENTS)}"
        if drawn < 0.19:
            return f"dies sending {self._chance.choice(('half', 'whole'))}"
        quiet = [point for point in on_the_way if point in SLEEPING_POINTS]
        if drawn < 0.31 and quiet:
            return f"sleeps at {self._chance.choice(quiet)}"
        return ""

    # --- fates ----------------------------------------------------------------------------------

    def _arm(self, fate: str) -> None:
        how, _, where = fate.rpartition(" ")
        match how:
            case "dies at":
                crashpoints.arm(where, visits=self._chance.choice((1, 1, 2)), by=self._die)
            case "dies before statement":
                self._statements_left = int(where)
            case "dies sending":
                self._dies_sending = where
            case _:
                crashpoints.arm(where, by=self._sleep)

    def _disarm(self) -> None:
        crashpoints.disarm()
        self._statements_left, self._dies_sending = 0, ""

    def _die(self) -> None:
        self._is_dead = True
        raise Death

    def _sleep(self) -> None:
        """Let others go on, in the middle of what this one does."""
        if in_transaction() or self._is_nested:
            return
        self.notes.append("sleeps")
        self._is_nested = True
        mine = _own_tasks()
        for task in mine:
            asyncio.tasks._unregister_task(task)
        pool = dict(factory._pool._kept)
        try:
            self.meanwhile()
        finally:
            self._is_nested = False
            for task in mine:
                asyncio.tasks._register_task(task)
            factory._pool._kept.update(pool)
        self.notes.append("wakes")

    def _send(self, name: str, arguments: dict[str, Any]) -> None:
        if not self._is_dead:
            self.messages.append((name, arguments))

    def _before_statement(self) -> None:
        if self._is_dead:
            raise Death
        if self._statements_left and not self._is_nested:
            self._statements_left -= 1
            if not self._statements_left:
                self._die()

    def _before_write(self, content: bytes) -> bytes:
        if self._is_dead:
            return b""
        if self._dies_sending and not self._is_nested and content.startswith(_ORDER):
            half = self._dies_sending == "half"
            self._is_dead = True
            asyncio.get_running_loop().call_soon(_raise_death)
            return content[: len(content) // 2] if half else content
        return content

    def _bury(self) -> None:
        """Lose what the dead process had: its connections, its memory, the messages it was about to send."""
        self._is_dead = False
        self.notes.append("died")
        if self._chance.random() < 0.5:
            connection.run_on_commit.clear()
        self._exchange.hang_up()
        self._end_session()
        self.forget_everything()

    def _end_session(self) -> None:
        session, connections._shared._session = connections._shared._session, None
        if session is not None:
            loops.run(session.close())

    def _settle(self) -> None:
        if connection.needs_rollback:
            self.findings.append("A failed statement has taken the whole day with it.")
        database.settle_step()
        if self._errors.found:
            self.findings += self._errors.found
            self._errors.found.clear()


@contextmanager
def _replaced(owner: Any, name: str, stand_in: Any) -> Iterator[None]:
    kept = getattr(owner, name)
    setattr(owner, name, stand_in)
    try:
        yield
    finally:
        setattr(owner, name, kept)


def _raise_death() -> None:
    raise Death


def _own_tasks() -> list[asyncio.Task[Any]]:
    return list(asyncio.all_tasks(loops._keep().runner.get_loop()))


class _AmpleBudget:
    """In the place of the counters in Redis: there is room for every call."""

    def __init__(self, lane: str) -> None:
        del lane

    def poll(self, limit: object, *, tickets: Iterable[Ticket] = (), **_: object) -> Answer:
        del limit
        granted = [each.number for each in tickets]
        return Answer(Polled(granted=granted), refused=(), epoch="ample", used=0, banned_ms=0)

    def report(self, *_: object, **__: object) -> None:
        return
