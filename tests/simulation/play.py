"""One seed from dawn to rest: the day, a quiet time in which everything works, and the comparison of the books."""

import gc
import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from signal import SIGSTOP
from typing import Any, Final

from django.conf import settings

from exchanges.adapters import loops
from exchanges.simulator.fault_kinds import FaultKind
from foundation.models import OutboxEvent
from tests.crash import checker
from tests.crash.plans import draw
from tests.crash.stage import Scene
from tests.simulation import clock as clocks
from tests.simulation import database
from tests.simulation.clock import DAWN, Clock
from tests.simulation.database import Ledger
from tests.simulation.day import SWEEPS, Day
from tests.simulation.desks import PRICES, Desk, fund, furnish
from tests.simulation.exchange import SimulatedExchange
from tests.simulation.processes import Workers
from tests.simulation.watch import Watch
from trading.models import (
    DeploymentCommand,
    DeploymentPosition,
    IntentStatus,
    Order,
    OrderIntent,
)

#: How many things happen in a day.
HAPPENINGS: Final = 40

#: Quiet rounds after which a day that is not at rest never will be, and how long one lasts, in seconds.
_ROUNDS: Final = 60
_ROUND_S: Final = 12.0
_LATER_ROUND_S: Final = 61.0
_SHORT_ROUNDS: Final = 12

#: Comparisons that find nothing new before a day is at rest: more than the longest hiding of an order lasts.
_QUIET_ROUNDS: Final = 4

#: The first so many sweeps come by in every round, the others in every third.
_OFTEN: Final = 2
_RARELY: Final = 3

#: What is sent for again and again while something waits.
_REMINDERS: Final = frozenset({"trading.submit_due_intents", "trading.act_on_command"})
_IN_FLIGHT: Final = ("SUBMITTING", "UNKNOWN", "PENDING_CANCEL")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a seed; ``lines`` is its trace, ``digest`` what tells it from others."""

    seed: int
    digest: str
    findings: tuple[str, ...]
    orders: int
    deaths: int
    sleeps: int
    faults: tuple[str, ...]
    seconds: float
    lines: tuple[str, ...]


@dataclass(slots=True)
class House:
    """A furnished database in which days are played one after the other."""

    clock: Clock
    ledger: Ledger
    desks: list[Desk]

    def play(self, seed: int, *, happenings: int = HAPPENINGS) -> Result:
        """Play the day of *seed*."""
        begun_s = time.perf_counter()
        with self.ledger.day():
            # In a loop of its own: timers of one instant come in the order of what was there before.
            loops.close()
            self.clock.set_to(DAWN)
            clocks.draw_from(str(seed))
            exchange = SimulatedExchange(self.clock, prices=PRICES)
            try:
                return self._play(seed, happenings, exchange, begun_s)
            finally:
                exchange.close()

    def _play(
        self, seed: int, happenings: int, exchange: SimulatedExchange, begun_s: float
    ) -> Result:
        fund(exchange, self.desks)
        workers = Workers(exchange, self.ledger, random.Random(f"fates {seed}"))
        watch = Watch(self.clock, exchange, self.desks)
        with workers.hired():
            day = Day(
                seed,
                clock=self.clock,
                exchange=exchange,
                workers=workers,
                desks=self.desks,
                watch=watch,
            )
            day.run("trading.reconcile_due_accounts", {}, is_safe=True)
            day.live(happenings)
            day.end_bad_hour()
            restless = _come_to_rest(day, workers, watch)
            found = [*workers.findings, *watch.findings, *restless]
            found += _compare(day, exchange, self.desks)
        lines = tuple(watch.lines)
        return Result(
            seed=seed,
            digest=watch.digest,
            findings=tuple(found),
            orders=watch.orders,
            deaths=sum(" died" in line for line in lines),
            sleeps=sum(" wakes" in line for line in lines),
            faults=tuple(kind.value for kind in day.faults),
            seconds=time.perf_counter() - begun_s,
            lines=lines,
        )


@contextmanager
def opened() -> Iterator[House]:
    """Open a furnished house on a database of its own."""
    clock = Clock(0)
    clock.set_to(DAWN)
    kept = settings.SIMULATOR_URL, logging.root.manager.disable
    logging.disable(logging.WARNING)
    # Whoever dies leaves tasks behind, of which Python tells whenever it comes across them.
    loop_log = logging.getLogger("asyncio")
    loop_log.disabled = True
    try:
        with clocks.held(clock), database.opened(clock) as ledger:
            clocks.draw_from("house")
            desks = furnish(clock)
            ledger.keep_counters()
            # What is there now stays: nobody has to look through it again.
            gc.collect()
            gc.freeze()
            house = House(clock, ledger, desks)
            yield house
    finally:
        settings.SIMULATOR_URL = kept[0]
        logging.disable(kept[1])
        gc.unfreeze()
        gc.collect()
        loop_log.disabled = False


# --- rest -----------------------------------------------------------------------------------------


def _come_to_rest(day: Day, workers: Workers, watch: Watch) -> list[str]:
    """Let everything work for as long as anything is left to do; return what is left in the end."""
    seen, quiet = "", 0
    for number in range(_ROUNDS):
        waiting, workers.messages[:] = list(workers.messages), []
        for name, arguments in waiting:
            watch.note("message", day.run(name, arguments, is_safe=True), notes=workers.notes)
        for name in SWEEPS[: None if number % _RARELY == 0 or seen else _OFTEN]:
            watch.note("sweep", day.run(name, {}, is_safe=True), notes=workers.notes)
        restless = _restless(day, messages=[name for name, _ in workers.messages])
        rows = _rows()
        quiet = quiet + 1 if not restless and rows == seen else 0
        if quiet == _QUIET_ROUNDS:
            return []
        if restless:
            watch.note("rest", day.wait(_pause_s(number)), notes=workers.notes)
        else:
            # At rest: while the accounts are compared a few times nothing may change.
            seen = rows
            watch.note("rest", day.wait(_LATER_ROUND_S), notes=workers.notes)
    return [f"there is no rest after {_ROUNDS} rounds: {', '.join(restless)}"]


def _pause_s(number: int) -> float:
    return _ROUND_S if number < _SHORT_ROUNDS else _LATER_ROUND_S


def _rows() -> str:
    orders = Order.objects.order_by("pk").values_list("status", "filled_quantity")
    positions = DeploymentPosition.objects.order_by("pk").values_list("quantity")
    return str((list(orders), list(positions)))


def _restless(day: Day, *, messages: Sequence[str]) -> list[str]:
    """Return what is on its way; what an exchange that contradicts itself holds up waits for a person."""
    held_up = Order.objects.filter(status="MANUAL_REVIEW").values("deployment")
    if not checker.CONTRADICTING & set(day.faults):
        held_up = held_up.none()
    waits = OrderIntent.objects.filter(status=IntentStatus.NEW, deployment__in=held_up).exists()
    rows: tuple[Any, ...] = (
        Order.objects.filter(status__in=_IN_FLIGHT),
        OrderIntent.objects.filter(status=IntentStatus.NEW).exclude(deployment__in=held_up),
        DeploymentCommand.objects.filter(done_at=None).exclude(deployment__in=held_up),
        OutboxEvent.objects.filter(delivered_at=None),
        # What is to fill at once, or has begun to, fills.
        Order.objects.filter(status="PARTIALLY_FILLED"),
        Order.objects.filter(status="ACCEPTED", order_type="MARKET"),
    )
    found = [f"{each.model.__name__} {row}" for each in rows for row in each]
    return found + [each for each in messages if not (waits and each in _REMINDERS)]


# --- the books ------------------------------------------------------------------------------------


def _compare(day: Day, exchange: SimulatedExchange, desks: Sequence[Desk]) -> Iterator[str]:
    """Compare the exchange's truth with our rows by the checker of the kill matrix, desk by desk."""
    contradicted = [kind for kind in day.faults if kind in checker.CONTRADICTING]
    fault: FaultKind | None = contradicted[0] if contradicted else None
    for desk in desks:
        plan = replace(
            draw("submission.settled", 0),
            seed=day.seed,
            by=SIGSTOP,
            is_swap=desk.is_swap,
            stops_meanwhile=False,
            fault=fault,
        )
        scene = Scene(plan, desk.api_key, desk.deployment, desk.instrument, desk.group_id, "")
        whole = exchange.truth(desk.api_key)
        for finding in checker.check(scene, _part_of(whole, desk, desks)):
            yield f"{desk.name}: {finding}"


def _part_of(truth: Mapping[str, Any], desk: Desk, desks: Sequence[Desk]) -> dict[str, Any]:
    """Return what concerns one desk: all but the orders and executions of others on the same account."""
    others = {
        each.deployment.pk
        for each in desks
        if each.api_key == desk.api_key and each.name != desk.name
    }
    foreign = set(
        Order.objects.filter(deployment__in=others).values_list("client_order_id", flat=True)
    )
    kept = dict(truth)
    ids: set[Any] = set()
    for table in ("spot_orders", "futures_orders", "futures_stops"):
        ids |= {row["id"] for row in kept[table] if row["client_order_id"] in foreign}
        kept[table] = [row for row in kept[table] if row["client_order_id"] not in foreign]
    for table in ("spot_trades", "futures_trades"):
        kept[table] = [row for row in kept[table] if row["order_id"] not in ids]
    return kept
