"""A day from a seed: what happens, in which order, and what goes wrong."""

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from celery import current_app

from exchanges.adapters import loops
from exchanges.simulator.fault_kinds import FaultKind
from foundation.audit import Actor
from market import money
from market.enums import OrderType, Side
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds
from tests.crash.plans import draw_faults
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from tests.simulation.clock import Clock
from tests.simulation.desks import PRICES, Desk
from tests.simulation.exchange import SimulatedExchange
from tests.simulation.processes import Workers
from tests.simulation.watch import Watch
from trading.models import (
    Deployment,
    DeploymentPosition,
    IntentStatus,
    Order,
    OrderIntent,
    TradingRestriction,
)
from trading.services import commands, restrictions

#: What beat sends, and what may be sent late or not at all: the simulation draws which comes next.
SWEEPS: Final = (
    "trading.submit_due_intents",
    "trading.reconcile_due_accounts",
    "trading.sweep_evaluation",
    "trading.sweep_commands",
    "trading.sweep_unprotected",
    "trading.sweep_restrictions",
    "trading.watch_triggers",
    "foundation.redeliver_events",
)
_SWEEP_WEIGHTS: Final = (10, 10, 4, 3, 3, 1, 2, 2)

_KINDS: Final = ("STOP", "FLATTEN", "FLATTEN", "PAUSE", "RESUME", "RESUME", "START", "START")
_QUANTITIES: Final = {"BTC/USDT": Decimal("0.02"), "ETH/USDT": Decimal("0.3")}
_LONGEST_MEANWHILE: Final = 4


class Day:
    """The scheduler: draws what happens next until so many things have happened."""

    def __init__(
        self,
        seed: int,
        *,
        clock: Clock,
        exchange: SimulatedExchange,
        workers: Workers,
        desks: list[Desk],
        watch: Watch,
    ) -> None:
        self._chance = random.Random(f"day {seed}")
        self._clock = clock
        self._exchange = exchange
        self._workers = workers
        self._desks = desks
        self._watch = watch
        self._next_bar_ms = exchange.now_ms() + MINUTE_MS
        self._commands = 0
        self.faults: list[FaultKind] = []
        self.seed = seed
        workers.meanwhile = self._meanwhile
        self._happenings: tuple[tuple[int, Callable[[], str]], ...] = (
            (18, self._wait),
            (22, self._sweep),
            (26, self._take_message),
            (8, self._close_bar),
            (14, self._decide),
            (4, self._command),
            (2, self._restrict),
            (3, self._move_market),
            (3, self._program_fault),
            (2, self._forgive),
            (1, self._jump),
            (1, self._skew),
            (2, self._lose_message),
            (2, self._double_message),
        )

    def live(self, happenings: int) -> None:
        """Let so many things happen."""
        for happening in (self._program_fault, self._decide, self._decide):
            self._watch.note("dawn", happening(), notes=self._workers.notes)
        for _ in range(happenings):
            self._happen()

    def _happen(self) -> None:
        weights = [weight for weight, _ in self._happenings]
        happening = self._chance.choices(self._happenings, weights=weights)[0][1]
        self._watch.note(happening.__name__.strip("_"), happening(), notes=self._workers.notes)

    def _meanwhile(self) -> None:
        for _ in range(self._chance.randint(1, _LONGEST_MEANWHILE)):
            self._happen()

    # --- what happens ---------------------------------------------------------------------------

    def _wait(self) -> str:
        return self.wait(self._chance.choice((0.05, 0.5, 2.0, 5.0, 12.0)))

    def wait(self, seconds: float) -> str:
        """Let time pass, and with it what is on its way at the exchange."""
        loops.run(_nap(seconds))
        self._exchange.settle()
        return f"{seconds} s"

    def _sweep(self) -> str:
        return self.run(self._chance.choices(SWEEPS, weights=_SWEEP_WEIGHTS)[0], {})

    def run(self, name: str, arguments: Mapping[str, Any], *, is_safe: bool = False) -> str:
        """Let a worker do a task."""
        fate = "" if is_safe else self._workers.draw_fate(name)
        became = self._workers.do(current_app.tasks[name], fate=fate, **arguments)
        shown = " ".join(f"{key}={value}" for key, value in arguments.items())
        return " ".join(part for part in (name, shown, fate, became) if part)

    def _take_message(self) -> str:
        waiting = self._workers.messages
        if not waiting:
            return self._sweep()
        name, arguments = waiting.pop(self._chance.randrange(min(len(waiting), 3)))
        return self.run(name, arguments)

    def _lose_message(self) -> str:
        waiting = self._workers.messages
        return str(waiting.pop(self._chance.randrange(len(waiting)))[0]) if waiting else ""

    def _double_message(self) -> str:
        waiting = self._workers.messages
        if not waiting:
            return ""
        waiting.append(self._chance.choice(waiting))
        return waiting[-1][0]

    def _close_bar(self) -> str:
        """Let the minute end: the market has moved, and its bars are stored."""
        left_ms = max(0, self._next_bar_ms - self._exchange.now_ms())
        self.wait(left_ms / 1_000 + self._chance.choice((0.3, 2.5, 6.0)))
        closes = {}
        for market in PRICES:
            before = self._exchange.prices[market]
            self._exchange.move(market, self._chance.choice((0.985, 0.993, 1.0, 1.006, 1.012)))
            closes[market] = (before, self._exchange.prices[market])
        ended = 1 + (self._exchange.now_ms() - self._next_bar_ms) // MINUTE_MS
        for instrument in {desk.instrument.pk: desk.instrument for desk in self._desks}.values():
            before, after = closes[instrument.symbol.partition(":")[0]]
            # Where the whole machine has slept, nothing moved until the last of its minutes.
            candles = market_factory.make_candles(
                [before] * ended + [after],
                timeframe=Timeframe.M1,
                first_open_ms=self._next_bar_ms - 2 * MINUTE_MS,
            ).slice(1, ended + 1)
            market_factory.store_candles(instrument, Timeframe.M1, candles)
        self._next_bar_ms += ended * MINUTE_MS
        groups = sorted({desk.group_id for desk in self._desks})
        self._workers.messages.append(("trading.evaluate_signal_groups", {"group_ids": groups}))
        return str([after for _, after in closes.values()])

    def _decide(self) -> str:
        """Let a strategy have decided to enter, in any of the ways in which one can."""
        desk = self._chance.choice(self._desks)
        deployment = Deployment.objects.get(pk=desk.deployment.pk)
        if deployment.desired_state != "RUNNING" or self._is_busy(desk):
            return f"{desk.name} is busy"
        is_short = desk.is_swap and self._chance.random() < 0.5
        price = self._exchange.prices[desk.market]
        way = self._chance.choice(("MARKET", "MARKET", "LIMIT", "RESTING"))
        fields: dict[str, Any] = {}
        if way != "MARKET":
            factor = 1.01 if way == "LIMIT" else 0.98
            limit = money.quantize_price(
                money.decimal_of(price * (2 - factor if is_short else factor)),
                tick=desk.instrument.tick_size,
                rounding="ROUND_DOWN",
            )
            fields = {"order_type": OrderType.LIMIT.value, "price": limit}
        self._commands += 1
        now = self._clock.true_at
        self._workers.do(
            factory.make_intent,
            deployment=deployment,
            instrument=desk.instrument,
            now=now - timedelta(milliseconds=1),
            side=Side.SELL if is_short else Side.BUY,
            quantity=_QUANTITIES[desk.market],
            key=f"{desk.name}|{self._commands}|ENTRY",
            decided_price=money.decimal_of(price),
            bar_close_at=from_milliseconds(self._next_bar_ms - MINUTE_MS),
            **fields,
        )
        self._workers.messages.append(("trading.submit_due_intents", {}))
        return f"{desk.name} {way} {'short' if is_short else 'long'}"

    def _is_busy(self, desk: Desk) -> bool:
        position = DeploymentPosition.objects.filter(deployment=desk.deployment).first()
        waiting = OrderIntent.objects.filter(deployment=desk.deployment, status=IntentStatus.NEW)
        open_orders = Order.objects.filter(
            deployment=desk.deployment,
            status__in=[
                *("NEW", "SUBMITTING", "UNKNOWN", "ACCEPTED"),
                *("PARTIALLY_FILLED", "PENDING_CANCEL", "MANUAL_REVIEW"),
            ],
        )
        holds = position is not None and position.quantity != 0
        return holds or waiting.exists() or open_orders.exists()

    def _command(self) -> str:
        desk, kind = self._chance.choice(self._desks), self._chance.choice(_KINDS)
        self._commands += 1
        deployment = desk.deployment
        became = self._workers.do(
            commands.request_command,
            owner=deployment.owner,
            deployment_public_id=deployment.public_id,
            kind=kind,
            idempotency_key=f"key-{self._commands}",
            by=Actor.person(deployment.owner_id),
            now=self._clock.true_at,
        )
        if became == "done":
            self._watch.commanded(desk, kind)
        return f"{desk.name} {kind} {became}"

    def _restrict(self) -> str:
        """Let an operator halt or reduce trading somewhere, or let it go on."""
        desk = self._chance.choice(self._desks)
        target = self._chance.choice(
            (
                restrictions.of_platform(),
                restrictions.of_account(desk.deployment.account),
                restrictions.of_deployment(desk.deployment),
            )
        )
        state = self._chance.choice(("HALTED", "REDUCING", "ACTIVE", "ACTIVE", "ACTIVE"))
        became = self._workers.do(
            restrictions.set_by_hand,
            target=target,
            state=state,
            reason="Drawn by chance",
            by=_operator(),
            is_operator=True,
            now=self._clock.true_at,
        )
        self._watch.restricted(target.key)
        return f"{target.scope} {state} {became}"

    def _move_market(self) -> str:
        market = self._chance.choice(tuple(PRICES))
        factor = self._chance.choice((0.96, 0.985, 1.01, 1.05))
        self._exchange.move(market, factor)
        return f"{market} {self._exchange.prices[market]}"

    def _program_fault(self) -> str:
        kind, rules = draw_faults(self._chance, "wire.sent", self._chance.randrange(10_000))
        usual = {"HIDDEN_ORDER": "CREATE", "PARTIAL_FILL": "CREATE"}
        program = [
            {**({"call": usual[rule["kind"]]} if rule["kind"] in usual else {}), **rule}
            for rule in rules
        ]
        if program:
            self._exchange.faults.program({"rules": program, "seed": self.seed})
        if kind is not None:
            self.faults.append(kind)
        return " ".join(str(rule["kind"]) for rule in program)

    def _forgive(self) -> str:
        self._exchange.faults.clear()
        self._exchange.world.restore_rules()
        return ""

    def _jump(self) -> str:
        seconds = self._chance.choice((30.0, 300.0, 3_600.0))
        self._clock.jump(seconds)
        return f"{seconds} s"

    def _skew(self) -> str:
        seconds = self._chance.choice((0.0, -1.5, 0.5, 1.5, 30.0, -30.0))
        self._clock.skew(seconds)
        return f"{seconds} s"

    # --- its end --------------------------------------------------------------------------------

    def end_bad_hour(self) -> None:
        """Let everything work again, and let whoever was halted go on."""
        self._forgive()
        self._clock.skew(0.0)
        for row in TradingRestriction.objects.filter(released_at=None).order_by("pk"):
            self._workers.do(_release, restriction=row, now=self._clock.true_at)
        self._watch.let_go()


def _release(*, restriction: TradingRestriction, now: Any) -> None:
    """Let trading go on: operators agree, as many as it takes."""
    for number in (1, 2):
        if restriction is not None:
            restriction = restrictions.release(  # type: ignore[assignment]
                restriction=restriction,
                note="The bad hour is over",
                by=_operator(number),
                is_operator=True,
                now=now,
            )


def _operator(number: int = 1) -> Actor:
    return Actor("person", str(900_000 + number))


async def _nap(seconds: float) -> None:
    await asyncio.sleep(seconds)
