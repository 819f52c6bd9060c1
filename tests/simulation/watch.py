"""What is looked at after each step: the trace of the day, and what must hold at any moment."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from django.db import connection

from market.enums import Leg
from tests.simulation.clock import Clock
from tests.simulation.desks import Desk
from tests.simulation.exchange import SimulatedExchange
from trading.models import Order, TradingRestriction

#: What was on its way when somebody said stop may still arrive this long after.
_ON_ITS_WAY_US: Final = 50_000

_STEPS: Final = """
    SELECT step.id, o.client_order_id, o.leg, step.from_status, step.to_status, o.filled_quantity
    FROM trading_ordertransition AS step JOIN trading_order AS o ON o.id = step.order_id
    WHERE step.id > %s ORDER BY step.id
"""


class Watch:
    """The trace of a day and what was found in it."""

    def __init__(self, clock: Clock, exchange: SimulatedExchange, desks: list[Desk]) -> None:
        self._clock = clock
        self._exchange = exchange
        self._desks = desks
        self._last_step = 0
        self._sent: Counter[tuple[str, str]] = Counter()
        #: Since when a deployment may open nothing, by its key.
        self._stopped: dict[int, int] = {}
        #: Since when something is halted or reduced, by its key.
        self._restricted: dict[str, int] = {}
        self.lines: list[str] = []
        self.findings: list[str] = []
        self.orders = 0

    @property
    def digest(self) -> str:
        """What tells this trace from any other."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()[:16]

    def note(self, what: str, detail: str, *, notes: list[str]) -> None:
        """Write down what has happened, and look at what came of it."""
        at = f"{self._clock.true_at:%H:%M:%S.%f}"
        self.lines.append(" ".join(part for part in (at, what, detail, *notes) if part))
        notes.clear()
        requests = self._exchange.new_requests()
        self.lines += [f"  > {' '.join(map(str, row))}" for row in requests]
        self.lines += list(self._new_steps())
        self.findings += self._wrong_requests(requests)

    def commanded(self, desk: Desk, kind: str) -> None:
        """Take in what an owner has said."""
        if kind in {"STOP", "PAUSE"}:
            self._stopped.setdefault(desk.deployment.pk, self._clock.true_us)
        elif kind in {"RESUME", "START"}:
            self._stopped.pop(desk.deployment.pk, None)

    def restricted(self, key: str) -> None:
        """Take in that somebody has halted, reduced or let go on."""
        in_force = TradingRestriction.objects.filter(target_key=key, released_at=None)
        if in_force.exists():
            self._restricted.setdefault(key, self._clock.true_us)
        else:
            self._restricted.pop(key, None)

    def let_go(self) -> None:
        """Take in that whatever was halted or reduced goes on."""
        self._restricted.clear()

    def _new_steps(self) -> Iterator[str]:
        with connection.cursor() as cursor:
            cursor.execute(_STEPS, [self._last_step])
            rows = cursor.fetchall()
        if rows:
            self._last_step = rows[-1][0]
        # What one statement does to several orders it does in no order.
        for _, *shown in sorted(rows, key=lambda row: (row[1], row[0])):
            yield f"  = {' '.join(map(str, shown))}"

    def _wrong_requests(self, requests: list[tuple[Any, ...]]) -> Iterator[str]:
        for at_ms, method, path, _, client_id, is_whole, _ in requests:
            if method != "POST" or not client_id or not is_whole:
                continue
            self._sent[client_id, path] += 1
            if self._sent[client_id, path] > 1:
                yield f"order {client_id} was sent {self._sent[client_id, path]} times"
            row = Order.objects.filter(client_order_id=client_id).first()
            if row is None:
                yield f"order {client_id} was sent before it had a row"
                continue
            self.orders += 1
            if row.leg == Leg.ENTRY.value:
                yield from self._entered_all_the_same(row, at_ms * 1_000)

    def _entered_all_the_same(self, row: Order, at_us: int) -> Iterator[str]:
        since = self._stopped.get(row.deployment_id)
        if since is not None and at_us > since + _ON_ITS_WAY_US:
            yield f"entry {row.client_order_id} was sent after the owner's stop"
        keys = ("platform", f"account:{row.account_id}", f"deployment:{row.deployment_id}")
        for key in keys:
            since = self._restricted.get(key)
            if since is not None and at_us > since + _ON_ITS_WAY_US:
                yield f"entry {row.client_order_id} was sent while {key} was halted or reduced"
