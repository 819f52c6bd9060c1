"""The people who trade during a chaos run, the market that they trade in, and their books in the end."""

import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import requests
from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from exchanges.models import ExchangeAccount
from foundation.models import OutboxEvent
from market.enums import Leg, OrderStatus
from tests.crash import checker
from tests.crash.plans import Plan
from tests.crash.stage import Scene
from tests.flows import live
from tests.flows.stack import Stack, Visitor, eventually, register, subscribe
from trading.models import (
    Deployment,
    DeploymentCommand,
    DeploymentPosition,
    Fill,
    IntentStatus,
    Order,
    OrderIntent,
    OrderTransition,
)

#: Where each of the traders trades, in turn.
_FLOORS: Final = (
    ("simulator", "BTC/USDT"),
    ("simulator-futures", "ETH/USDT:USDT"),
    ("simulator", "ETH/USDT"),
    ("simulator-futures", "BTC/USDT:USDT"),
)
_PARAMETERS: Final = {**live.PARAMETERS, "stop_loss_percent": 2.0}
_PRICES: Final = {"BTC/USDT": 60_000.0, "ETH/USDT": 3_000.0}
#: A swing of the market takes about so long, in seconds; some go through every stop.
_SWING_S: Final = (5.0, 9.0)
_FALLS: Final = 0.15
#: Everything that is to come to rest has this long, with the platform's usual horizons: an order in doubt is
#: given up after a minute of looking in vain.
_REST_WITHIN_S: Final = 300.0
_DELIVERED: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Trader:
    """A person with one deployment on an account of their own."""

    visitor: Visitor
    account_id: str
    deployment_id: str
    is_swap: bool

    @property
    def scene(self) -> Scene:
        """The deployment as the checker of the kill matrix looks at it."""
        deployment = Deployment.objects.select_related("account", "owner").get(
            public_id=self.deployment_id
        )
        revision = deployment.revisions.latest("pk")
        (instrument,) = (row.instrument for row in deployment.instruments.all())
        key, _ = self.visitor.stack.keys[self.account_id]
        return Scene(_plan(self.is_swap), key, deployment, instrument, revision.group_id, "")


def _plan(is_swap: bool) -> Plan:
    """Return what the checker has to know of a run: nothing was wrong with the exchange."""
    return Plan(
        point="chaos",
        seed=0,
        by=signal.SIGSTOP,
        visits=0,
        is_swap=is_swap,
        is_short=False,
        entry="SIGNAL",
        command="",
        falls=False,
        stops_meanwhile=False,
        submits_first=False,
        fault=None,
        rules=(),
    )


def begin(stack: Stack, *, number: int) -> list[Trader]:
    """Return so many people whose deployments run."""
    traders = []
    for venue, symbol in (_FLOORS * number)[:number]:
        visitor = register(stack)
        subscribe(visitor)
        account_id = live.connected_account(visitor, venue=venue)
        deployment_id = live.deployed(visitor, account_id, symbol=symbol, parameters=_PARAMETERS)
        traders.append(Trader(visitor, account_id, deployment_id, venue == "simulator-futures"))
    return traders


def move_market(stack: Stack, *, seed: int, seconds: float) -> None:
    """Let the market swing for so long, as drawn from *seed*."""
    chance, prices = random.Random(seed), {}
    for symbol, price in _PRICES.items():
        path, at_s = [[0.0, price]], 0.0
        while at_s < seconds:
            at_s += chance.uniform(*_SWING_S)
            low = 0.96 if chance.random() < _FALLS else 0.995
            path.append([at_s, price * (low if len(path) % 2 else 1.01)])
        prices[symbol] = path
    stack.simulate("script", prices=prices)


def calm_market(stack: Stack) -> None:
    """Let all prices stay where they are."""
    answer = requests.get(f"{stack.simulator_url}/simulator/status", timeout=10).json()
    paths = {symbol: [[0, answer["prices"][symbol]]] for symbol in _PRICES}
    stack.simulate("script", prices=paths)


def come_to_rest() -> list[str]:
    """Wait until nobody has anything to see to and all accounts were compared since; return what is left."""
    left: list[str] = []

    def is_at_rest() -> bool:
        connections.close_all()
        left[:] = [str(row) for rows in _restless() for row in rows[:10]]
        return not left

    for wait_for in (is_at_rest, _compared_since(timezone.now()), is_at_rest):
        try:
            eventually(wait_for, what="rest", within_s=_REST_WITHIN_S)
        except AssertionError:
            return left or ["An account was not compared with its exchange in time."]
    return []


def _restless() -> tuple[QuerySet[Any], ...]:
    orders = Order.objects.all()
    in_flight = (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN, OrderStatus.PENDING_CANCEL)
    return (
        orders.filter(status__in=[status.value for status in in_flight]),
        orders.filter(status=OrderStatus.PARTIALLY_FILLED.value),
        orders.filter(status=OrderStatus.ACCEPTED.value, order_type="MARKET"),
        OrderIntent.objects.filter(status=IntentStatus.NEW),
        DeploymentCommand.objects.filter(done_at=None),
        # The feeds go on: only what waits for longer than a second delivery takes is left over.
        OutboxEvent.objects.filter(delivered_at=None, occurred_at__lt=timezone.now() - _DELIVERED),
    )


def _compared_since(since: Any) -> Any:
    def were_compared() -> bool:
        connections.close_all()
        return not ExchangeAccount.objects.exclude(reconciled_at__gte=since).exists()

    return were_compared


def check(traders: Sequence[Trader]) -> list[str]:
    """Return everything in which our books differ from the exchange's own, deployment by deployment."""
    connections.close_all()
    return [
        f"{scene.deployment.public_id}: {finding}"
        for scene in (trader.scene for trader in traders)
        for finding in checker.check(scene, _truth(traders[0].visitor.stack, scene.api_key))
    ]


def _truth(stack: Stack, key: str) -> dict[str, Any]:
    token = stack.application.environment["SIMULATOR_ADMIN_TOKEN"]
    answer = requests.get(
        f"{stack.simulator_url}/simulator/truth",
        params={"account": key},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    answer.raise_for_status()
    return dict(answer.json())


def stop_all(traders: Sequence[Trader]) -> list[str]:
    """Stop every deployment, which sells what it holds; return what is held all the same."""
    for trader in traders:
        live.stop(trader.visitor, trader.deployment_id)
    connections.close_all()
    held = DeploymentPosition.objects.exclude(quantity=0).select_related("instrument")
    return [
        f"{row.deployment_id} still holds {row.quantity} {row.instrument.symbol}"
        for row in held
        if abs(row.quantity) >= row.instrument.lot_step
    ]


def figures() -> dict[str, Any]:
    """Return how much was traded, and how soon what was filled had a stop or an exit ordered, in seconds."""
    connections.close_all()
    delays = sorted(_protection_delays())
    return {
        "orders": Order.objects.count(),
        "fills": Fill.objects.count(),
        "in_doubt": OrderTransition.objects.filter(to_status="UNKNOWN").count(),
        "given_up": Order.objects.filter(status="ABANDONED").count(),
        "in_review": Order.objects.filter(status="MANUAL_REVIEW").count(),
        "protected_after_p50_s": delays[len(delays) // 2] if delays else None,
        "protected_after_max_s": delays[-1] if delays else None,
    }


def _protection_delays() -> Iterator[float]:
    booked = Fill.objects.filter(order__leg=Leg.ENTRY.value).order_by("order_id", "recorded_at")
    for fill in booked.distinct("order_id"):
        following = Order.objects.filter(
            deployment_id=fill.deployment_id, reduce_only=True, pk__gt=fill.order_id
        )
        ordered_at = following.order_by("pk").values_list("created_at", flat=True).first()
        if ordered_at is not None:
            yield max(0.0, (ordered_at - fill.recorded_at).total_seconds())
