"""A worker killed with SIGKILL at every place that matters, against an exchange in another process.

The worker is a process of its own; the exchange keeps its truth to itself. After each kill others
take over, and in the end the exchange's books and ours say the same: each decision acted at most
once, every execution is booked once, and what is open is protected.
"""

import multiprocessing
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, connections
from django.db.models import F, QuerySet
from django.utils import timezone

from exchanges.models import ExchangeAccount, Instrument
from exchanges.services import account_tests
from foundation import crashpoints
from foundation.audit import Actor
from market.enums import Leg, OrderStatus, Side
from market.orders import TERMINAL
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds
from tests.exchanges.accounts.connecting import connect
from tests.exchanges.simulator.running import RawClient, SimulatorProcess
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.models import (
    Deployment,
    DeploymentCommand,
    DeploymentPosition,
    Fill,
    Order,
    OrderTransition,
    SignalGroup,
)
from trading.services import bars, commands, evaluation, reconciliation, submission

pytestmark = [
    pytest.mark.flow,
    pytest.mark.enable_socket,
    pytest.mark.django_db(transaction=True),
]

TRADING = [
    name
    for name in crashpoints.CRASHPOINTS
    if name.split(".")[0] in {"evaluation", "submission", "fills"}
]
RECONCILING = [name for name in crashpoints.CRASHPOINTS if name.startswith("reconciliation.")]
COMMANDING = [name for name in crashpoints.CRASHPOINTS if name.startswith("commands.")]


@dataclass
class Scene:
    """One person's account at the exchange, with a deployment that is about to enter."""

    raw: RawClient
    deployment: Deployment
    instrument: Instrument
    group_id: int
    now: datetime

    def work(self) -> None:
        """Decide on the newest bar and send what follows, as workers do."""
        evaluation.evaluate_signal_group(group_id=self.group_id, now=self.now)
        submission.submit_due_intents(now=self.now)

    def reconcile(self) -> None:
        """Compare the account with the exchange."""
        reconciliation.reconcile_account(account_id=self.deployment.account_id, now=self.now)

    def flatten(self) -> None:
        """Tell the deployment to close its position, and do it."""
        command = commands.request_command(
            owner=self.deployment.owner,
            deployment_public_id=self.deployment.public_id,
            kind="FLATTEN",
            idempotency_key="once",
            by=Actor.person(self.deployment.owner_id),
            now=self.now,
        )
        commands.act_on_command(command_id=command.pk, now=self.now)

    def recover(self) -> None:
        """Let time pass and everybody else go on until nothing is left to do."""
        for turn in range(9):
            if turn >= 3 and not self._in_doubt().exists():
                return
            self.now += timedelta(seconds=11)
            _let_leases_run_out()
            self.reconcile()
            self.work()
            for command in DeploymentCommand.objects.filter(done_at=None):
                commands.act_on_command(command_id=command.pk, now=self.now)

    def _in_doubt(self) -> QuerySet[Order, Order]:
        doubtful = [OrderStatus.SUBMITTING.value, OrderStatus.UNKNOWN.value]
        return Order.objects.filter(deployment=self.deployment, status__in=doubtful)

    def differences(self) -> list[str]:
        """Return what the exchange's books and ours do not agree on."""
        _, placed = self.raw.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT")
        _, trades = self.raw.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT")
        _, account = self.raw.signed("GET", "/api/v3/account")
        mine = Order.objects.filter(deployment=self.deployment)
        by_id = {order.client_order_id: order for order in mine}
        ids = [each["clientOrderId"] for each in placed]
        found = []
        if len(ids) != len(set(ids)) or not set(ids) <= set(by_id):
            found.append(f"orders there {ids}, here {list(by_id)}")
        found += [
            f"{each['clientOrderId']} is {each['status']} there, {order.status} here"
            for each in placed
            if (order := by_id.get(each["clientOrderId"])) is not None
            and (each["status"] in {"NEW", "PARTIALLY_FILLED"})
            is (OrderStatus(order.status) in TERMINAL)
        ]
        bought = [each for each in placed if each["side"] == "BUY"]
        if len(bought) > 1:
            found.append(f"{len(bought)} entries for one decision")
        there = sorted((str(each["id"]), Decimal(each["qty"])) for each in trades)
        fills = Fill.objects.filter(deployment=self.deployment)
        here = sorted((fill.venue_trade_id, fill.quantity) for fill in fills)
        if there != here:
            found.append(f"executions there {there}, here {here}")
        holdings = {each["asset"]: each for each in account["balances"]}
        bitcoin = holdings.get("BTC", {"free": "0", "locked": "0"})
        held = Decimal(bitcoin["free"]) + Decimal(bitcoin["locked"])
        position = DeploymentPosition.objects.get(deployment=self.deployment)
        if held != position.quantity:
            found.append(f"{held} there, {position.quantity} here")
        rests = mine.filter(leg=Leg.STOP.value, status=OrderStatus.ACCEPTED.value).exists()
        if position.stop_price is not None and not rests:
            found.append("a position without its stop")
        if self._in_doubt().exists():
            found.append("an order in doubt")
        return found


@pytest.fixture
def scene_maker(settings, transactional_db):
    """Make scenes at one simulator, one account each."""
    bars.forget_all()
    with SimulatorProcess() as simulator:
        venue = market_factory.make_venue(
            "simulator", api_url=simulator.url, takes_live_accounts=True
        )
        instrument = market_factory.make_instrument("BTC/USDT", venue=venue)
        admin = RawClient(simulator.url)
        clients = [admin]
        end_ms = Timeframe.M1.open_of(to_milliseconds(timezone.now())) + MINUTE_MS

        def make() -> Scene:
            number = len(clients)
            # Each scene calls from an address of its own: together they would use up one budget.
            settings.EGRESS_NAME = f"scene-{number}"
            key, secret = secrets.token_hex(16), secrets.token_hex(16)
            document = {"api_key": key, "secret": secret, "balances": {"USDT": "100000"}}
            admin.admin("POST", "/simulator/accounts", document)
            person = people.make_person(f"ada{number}@example.com")
            account = connect(person, venue_code="simulator", api_key=key, secret=secret)
            account_tests.run_test(account_id=account.pk, clock=timezone.now)
            account = ExchangeAccount.objects.select_related("owner").get(pk=account.pk)
            deployed_at = from_milliseconds(end_ms - MINUTE_MS)
            deployment = factory.make_deployment(account, now=deployed_at)
            clients.append(RawClient(simulator.url, key=key, secret=secret))
            return Scene(
                raw=clients[-1],
                deployment=deployment,
                instrument=instrument,
                group_id=SignalGroup.objects.get().pk,
                now=from_milliseconds(end_ms) + timedelta(milliseconds=50),
            )

        status = admin.public("/simulator/status")
        price = float(status["prices"]["BTC/USDT"])
        _store_a_cross(instrument, price, end_ms=end_ms)
        try:
            yield make, admin
        finally:
            for client in clients:
                client.close()


def _store_a_cross(instrument: Instrument, price: float, *, end_ms: int) -> None:
    closes = [price] * 27 + [price * 0.99, price * 1.01]
    candles = market_factory.make_candles(
        closes, timeframe=Timeframe.M1, first_open_ms=end_ms - len(closes) * MINUTE_MS
    )
    market_factory.store_candles(instrument, Timeframe.M1, candles)


def _rewind_group() -> None:
    """Let the next scene's deployment meet the same bar: groups remember what they have seen."""
    SignalGroup.objects.update(last_bar_close_at=F("last_bar_close_at") - timedelta(minutes=1))


def _let_leases_run_out() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE exchanges_exchangeaccount SET lease_until = NULL")
        cursor.execute("UPDATE trading_signalgroup SET lease_until = NULL")


def _killed_at(point: str, job: Callable[[], None]) -> bool:
    """Run *job* in a process that dies at *point*; return whether it got there."""

    def die() -> None:
        crashpoints.arm(point)
        job()

    connections.close_all()
    worker = multiprocessing.get_context("fork").Process(target=die)
    worker.start()
    worker.join(timeout=60)
    return worker.exitcode == -signal.SIGKILL


def test_nothing_is_lost_or_done_twice_wherever_a_trading_worker_dies(scene_maker):
    make, _ = scene_maker
    outcome = {}

    for point in TRADING:
        scene = make()
        reached = _killed_at(point, scene.work)
        scene.recover()
        outcome[point] = (reached, scene.differences())
        _end(scene)

    assert outcome == dict.fromkeys(TRADING, (True, []))
    assert Fill.objects.filter(side=Side.BUY.value).count() >= len(TRADING) - 3


def test_nothing_is_lost_or_done_twice_wherever_reconciliation_dies(scene_maker):
    make, admin = scene_maker
    outcome = {}

    for point in RECONCILING:
        scene = make()
        fault = {"method": "POST", "path": "/api/v3/order", "kind": "CLOSE", "executes": True}
        admin.admin("POST", "/simulator/faults", fault)
        scene.work()
        in_doubt = OrderTransition.objects.filter(
            order__deployment=scene.deployment, to_status=OrderStatus.UNKNOWN.value
        )
        assert in_doubt.exists()
        scene.now += timedelta(seconds=2)
        reached = _killed_at(point, scene.reconcile)
        scene.recover()
        outcome[point] = (reached, scene.differences())
        _end(scene)

    assert outcome == dict.fromkeys(RECONCILING, (True, []))


def test_a_command_is_carried_out_once_wherever_its_worker_dies(scene_maker):
    make, _ = scene_maker
    outcome = {}

    for point in COMMANDING:
        scene = make()
        scene.work()
        reached = _killed_at(point, scene.flatten)
        if not DeploymentCommand.objects.filter(deployment=scene.deployment).exists():
            scene.flatten()
        scene.recover()
        exits = Order.objects.filter(deployment=scene.deployment, leg=Leg.EXIT.value)
        outcome[point] = (reached, scene.differences(), exits.count())
        _end(scene)

    assert outcome == dict.fromkeys(COMMANDING, (True, [], 1))


def _end(scene: Scene) -> None:
    """Take a scene's deployment out of the group, so that the next one starts alone."""
    Deployment.objects.filter(pk=scene.deployment.pk).update(actual_state="STOPPED")
    _rewind_group()
