"""A strategy that goes both ways, live on the swaps of the simulator: in, compared, and out again."""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from exchanges.models import ExchangeAccount, Instrument
from exchanges.services import account_tests, catalogue
from foundation.audit import Actor
from market.enums import OrderStatus, Side
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds
from tests.exchanges.accounts.connecting import connect
from tests.exchanges.simulator.running import RawClient, SimulatorProcess
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.models import (
    AccountPosition,
    Deployment,
    DeploymentPosition,
    Fill,
    FundingCursor,
    FundingPayment,
    Order,
    OrderIntent,
    SignalGroup,
)
from trading.selectors import results
from trading.services import bars, commands, evaluation, fundings, reconciliation, submission
from trading.services.deployments import InstrumentTakenError

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]

SYMBOL = "BTC/USDT:USDT"


@dataclass
class Floor:
    """The simulator's swaps, and one person's account there with 20,000 USDT."""

    raw: RawClient
    account: ExchangeAccount
    instrument: Instrument
    end_ms: int

    @property
    def now(self) -> datetime:
        return from_milliseconds(self.end_ms) + timedelta(milliseconds=50)

    def cross(self, side: Side) -> None:
        """Store bars whose last one makes the strategy buy, or sell short."""
        price = float(self.raw.public("/simulator/status")["prices"]["BTC/USDT"])
        turn = [1.01, 0.99] if side is Side.SELL else [0.99, 1.01]
        closes = [price] * 27 + [price * factor for factor in turn]
        candles = market_factory.make_candles(
            closes, timeframe=Timeframe.M1, first_open_ms=self.end_ms - len(closes) * MINUTE_MS
        )
        market_factory.store_candles(self.instrument, Timeframe.M1, candles)

    def deploy(self, **fields: Any) -> Deployment:
        deployed_at = from_milliseconds(self.end_ms - MINUTE_MS)
        return factory.make_deployment(self.account, now=deployed_at, symbol=SYMBOL, **fields)

    def truth(self) -> dict[str, list[dict[str, Any]]]:
        status, truth = self.raw.admin("GET", f"/simulator/truth?account={self.raw.key}")
        assert status == 200
        return dict(truth)


@pytest.fixture
def floor(settings, request):
    bars.forget_all()
    with SimulatorProcess(*getattr(request, "param", ())) as simulator:
        settings.SIMULATOR_URL = simulator.url
        catalogue.ensure_venues(now=timezone.now())
        instrument = Instrument.objects.get(venue__code="simulator-futures", symbol=SYMBOL)
        raw = RawClient(simulator.url, key=secrets.token_hex(16), secret=secrets.token_hex(16))
        document = {
            "api_key": raw.key,
            "secret": raw.secret,
            "futures_balances": {"USDT": "20000"},
        }
        raw.admin("POST", "/simulator/accounts", document)
        account = connect(
            people.make_person(),
            venue_code="simulator-futures",
            api_key=raw.key,
            secret=raw.secret,
        )
        account_tests.run_test(account_id=account.pk, clock=timezone.now)
        account = ExchangeAccount.objects.select_related("owner").get(pk=account.pk)
        end_ms = Timeframe.M1.open_of(to_milliseconds(timezone.now())) + MINUTE_MS
        yield Floor(raw, account, instrument, end_ms)
        raw.close()


def work(floor: Floor, *, now: datetime) -> None:
    evaluation.evaluate_signal_group(group_id=SignalGroup.objects.get().pk, now=now)
    submission.submit_due_intents(now=now)


@pytest.mark.parametrize("side", [Side.SELL, Side.BUY])
def test_a_position_is_opened_protected_compared_and_closed(floor, side):
    floor.cross(side)
    deployment = floor.deploy()

    work(floor, now=floor.now)
    for turn in range(1, 4):
        later = floor.now + timedelta(seconds=11 * turn)
        ExchangeAccount.objects.update(lease_until=None)
        reconciliation.reconcile_account(account_id=floor.account.pk, now=later)
        submission.submit_due_intents(now=later)

    position = DeploymentPosition.objects.get(deployment=deployment)
    truth = floor.truth()
    assert position.quantity != 0
    assert (position.quantity > 0) == (side is Side.BUY)
    assert [Decimal(row["quantity"]) for row in truth["futures_positions"]] == [position.quantity]
    assert [row["side"] for row in truth["futures_trades"]] == [side.value]
    compared = AccountPosition.objects.get(account=floor.account)
    assert (compared.quantity, compared.drift_seen) == (position.quantity, 0)
    assert [row["status"] for row in truth["futures_stops"]] == ["NEW"]

    command = commands.request_command(
        owner=deployment.owner,
        deployment_public_id=deployment.public_id,
        kind="FLATTEN",
        idempotency_key="once",
        by=Actor.person(deployment.owner_id),
        now=floor.now,
    )
    for turn in range(4, 8):
        later = floor.now + timedelta(seconds=11 * turn)
        ExchangeAccount.objects.update(lease_until=None)
        commands.act_on_command(command_id=command.pk, now=later)
        submission.submit_due_intents(now=later)
        reconciliation.reconcile_account(account_id=floor.account.pk, now=later)

    truth, other = floor.truth(), Side.BUY if side is Side.SELL else Side.SELL
    assert [Decimal(row["quantity"]) for row in truth["futures_positions"]] == [0]
    assert [row["side"] for row in truth["futures_trades"]] == [side.value, other.value]
    assert {row["status"] for row in truth["futures_stops"]} == {"CANCELED"}
    position.refresh_from_db()
    assert position.quantity == 0
    assert Fill.objects.filter(deployment=deployment).count() == 2
    doubtful = [OrderStatus.SUBMITTING.value, OrderStatus.UNKNOWN.value]
    assert not Order.objects.filter(deployment=deployment, status__in=doubtful).exists()


def test_a_short_that_the_margin_does_not_cover_is_denied_here(floor):
    floor.cross(Side.SELL)
    deployment = floor.deploy(capital=Decimal(1_000_000))

    work(floor, now=floor.now)

    intent = OrderIntent.objects.get(deployment=deployment)
    assert (intent.side, intent.status) == (Side.SELL, "DENIED")
    assert intent.reason_code == "INSUFFICIENT_FREE_BALANCE"
    assert floor.truth()["futures_orders"] == []


def test_one_deployment_trades_a_swap_of_an_account(floor):
    floor.deploy()

    with pytest.raises(InstrumentTakenError):
        floor.deploy(name="Second", is_subscribed=False)


def test_what_a_hidden_stop_has_sent_is_not_taken_for_a_second_order(floor):
    # The stop is not shown yet when the market falls through it; what it sells carries its id.
    floor.cross(Side.BUY)
    deployment = floor.deploy()
    hide = {"kind": "HIDDEN_ORDER", "call": "CREATE", "lookups": 6, "skip": 1}
    floor.raw.admin("POST", "/simulator/faults", {"rules": [hide], "seed": 0})
    work(floor, now=floor.now)
    settled = floor.now + timedelta(seconds=5)
    ExchangeAccount.objects.update(lease_until=None)
    reconciliation.reconcile_account(account_id=floor.account.pk, now=settled)
    submission.submit_due_intents(now=settled)
    stop = Order.objects.get(deployment=deployment, leg="STOP")
    price = float(floor.raw.public("/simulator/status")["prices"]["BTC/USDT"])
    path = [[0, price * 0.96], [86_400, price * 0.96]]
    floor.raw.admin("POST", "/simulator/script", {"prices": {"BTC/USDT": path}})

    statuses = []
    for turn in range(1, 9):
        later = floor.now + timedelta(seconds=16 * turn)
        ExchangeAccount.objects.update(lease_until=None)
        reconciliation.reconcile_account(account_id=floor.account.pk, now=later)
        stop.refresh_from_db()
        statuses.append(stop.status)

    assert statuses[0] == "ACCEPTED"
    assert set(statuses) == {"ACCEPTED", "FILLED"}
    assert DeploymentPosition.objects.get(deployment=deployment).quantity == 0


@pytest.mark.parametrize("floor", [("--funding-seconds", "2")], indirect=True)
def test_what_fundings_take_is_booked_once_and_is_in_every_result(floor):
    floor.raw.admin("POST", "/simulator/funding", {"symbol": "BTCUSDT", "rate": "0.001"})
    floor.cross(Side.BUY)
    deployment = floor.deploy()
    work(floor, now=floor.now)
    later = floor.now + timedelta(seconds=11)
    ExchangeAccount.objects.update(lease_until=None)
    reconciliation.reconcile_account(account_id=floor.account.pk, now=later)
    while len(paid := incomes(floor)) < 2:
        time.sleep(0.5)

    soon = timezone.now() + timedelta(minutes=2)
    assert fundings.book_due(now=soon) == 1
    assert fundings.book_due(now=soon) == 0
    FundingCursor.objects.update(next_at=soon)
    assert fundings.book_due(now=soon + timedelta(minutes=1)) == 1

    booked = list(FundingPayment.objects.order_by("paid_at"))
    assert [row.amount for row in booked[: len(paid)]] == paid
    assert all(amount < 0 for amount in paid)
    assert [row.amount for row in booked] == incomes(floor)[: len(booked)]
    position = DeploymentPosition.objects.get(deployment=deployment)
    assert position.funding == sum(row.amount for row in booked)
    found = results.result_of([position])
    assert found.net == found.realized - found.fees + found.unrealized + position.funding


def incomes(floor: Floor) -> list[Decimal]:
    """Return what fundings brought the account, by the exchange's own word."""
    status, rows = floor.raw.signed("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
    assert status == 200
    return [Decimal(row["income"]) for row in rows]
