"""Strategies that rest entries, average in and trail, live over HTTP, spot and swaps.

The simulator is a process of its own; its truth is read past the platform after every event.
"""

import secrets
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from exchanges.models import ExchangeAccount, Instrument
from exchanges.services import account_tests, catalogue
from market.candles import Candles
from market.enums import Leg, OrderStatus, Side
from market.timeframes import DAY_MS, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.causality import generated_candles
from tests.exchanges.accounts.connecting import connect
from tests.exchanges.simulator.running import RawClient, SimulatorProcess
from tests.factories import accounts as people
from tests.factories import trading as factory
from tests.trading.live_market import LiveMarket, Resting
from tests.trading.test_paper_parity import CASES
from trading.models import Order
from trading.services import bars

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]

MARKET = "BTC/USDT"
WORKING = {"NEW", "PARTIALLY_FILLED"}


@dataclass
class SimulatedExchange:
    """The simulator, asked by its administrator and by its account's own key."""

    raw: RawClient
    is_swap: bool

    def quote(self) -> Decimal:
        return Decimal(str(self.raw.public("/simulator/status")["prices"][MARKET]))

    def move(self, price: Decimal) -> None:
        if self.quote() == price:
            return
        status, answer = self.raw.admin(
            "POST", "/simulator/script", {"prices": {MARKET: [[0, float(price)]]}}
        )
        assert status == 200, answer
        deadline = time.monotonic() + 5
        while self.quote() != price:
            assert time.monotonic() < deadline, "the price does not follow its script"

    def executions(self) -> int:
        return len(self._truth()[f"{self._side}_trades"])

    def resting(self) -> list[Resting]:
        truth = self._truth()
        rows = [*truth[f"{self._side}_orders"], *truth.get("futures_stops", ())]
        return [self._resting(row) for row in rows if row["status"] in WORKING]

    def held(self) -> Decimal:
        truth = self._truth()
        if self.is_swap:
            return sum((Decimal(row["quantity"]) for row in truth["futures_positions"]), Decimal(0))
        base = [row for row in truth["spot_balances"] if row["asset"] == "BTC"]
        return sum((Decimal(row["free"]) + Decimal(row["locked"]) for row in base), Decimal(0))

    @property
    def _side(self) -> str:
        return "futures" if self.is_swap else "spot"

    def _truth(self) -> dict[str, list[dict[str, str]]]:
        status, truth = self.raw.admin("GET", f"/simulator/truth?account={self.raw.key}")
        assert status == 200
        return dict(truth)

    def _resting(self, row: dict[str, str]) -> Resting:
        trigger = Decimal(row.get("trigger_price") or row.get("stop_price") or 0)
        filled = Decimal(row.get("filled") or row.get("executed") or 0)
        sells = row["side"] == "SELL"
        return Resting(
            row["client_order_id"],
            Side(row["side"]),
            trigger or Decimal(row["price"]),
            Decimal(row["quantity"]) - filled,
            bool(int(row["reduce_only"])) if self.is_swap else sells,
            bool(trigger),
        )


@pytest.fixture
def simulator(settings):
    bars.forget_all()
    with SimulatorProcess() as process:
        settings.SIMULATOR_URL = process.url
        catalogue.ensure_venues(now=timezone.now())
        yield process


def account_at(simulator: SimulatorProcess, *, is_swap: bool) -> tuple[RawClient, ExchangeAccount]:
    key, secret = secrets.token_hex(16), secrets.token_hex(16)
    raw = RawClient(simulator.url, key=key, secret=secret)
    wallet = "futures_balances" if is_swap else "balances"
    raw.admin(
        "POST",
        "/simulator/accounts",
        {"api_key": key, "secret": secret, wallet: {"USDT": "50000"}},
    )
    venue_code = "simulator-futures" if is_swap else "simulator"
    account = connect(people.make_person(), venue_code=venue_code, api_key=key, secret=secret)
    account_tests.run_test(account_id=account.pk, clock=timezone.now)
    return raw, ExchangeAccount.objects.select_related("owner").get(pk=account.pk)


def market_of(case, warm_up: int, bars_fed: int) -> Candles:
    """Return the bars of a case, of which the first that is fed opened at yesterday's midnight."""
    candles = generated_candles(
        warm_up + case.bars, seed=case.seed, timeframe=case.timeframe, volatility=case.volatility
    ).slice(0, warm_up + bars_fed)
    midnight = (to_milliseconds(timezone.now()) // DAY_MS - 1) * DAY_MS
    times, *prices = candles.columns()
    return Candles(times + (midnight - int(candles.open_time[warm_up])), *prices)


@pytest.mark.parametrize(
    ("slug", "is_swap", "bars_fed", "legs"),
    [
        ("dca-ladder", False, 12, {Leg.ENTRY, Leg.LADDER, Leg.STOP}),
        ("orphan-bands", True, 14, {Leg.ENTRY, Leg.STOP}),
        ("cpr-daily", True, 12, {Leg.ENTRY}),
    ],
    ids=["ladder on spot", "trail on a swap", "limit entry on a swap"],
)
def test_the_exchange_and_our_books_agree_and_what_is_held_is_protected(
    simulator, slug, is_swap, bars_fed, legs
):
    case = replace(next(each for each in CASES if each.slug == slug), bars=60)
    definition = registry.get_definition(slug)
    params = registry.validate_params(definition, case.parameters)
    warm_up = definition.requirements(params).bars(case.timeframe)
    candles = market_of(case, warm_up, bars_fed)
    raw, account = account_at(simulator, is_swap=is_swap)
    symbol = f"{MARKET}:USDT" if is_swap else MARKET
    instrument = Instrument.objects.get(venue=account.venue, symbol=symbol)
    begins_at = from_milliseconds(int(candles.open_time[warm_up]))
    deployment = factory.make_deployment(
        account,
        now=begins_at,
        symbol=symbol,
        strategy_slug=slug,
        timeframe=case.timeframe.value,
        parameters=dict(case.parameters),
    )
    exchange = SimulatedExchange(raw, is_swap)
    exchange.move(Decimal(str(candles.open[warm_up])))
    market = LiveMarket(
        exchange,
        account,
        deployment,
        instrument,
        case.timeframe,
        begins_at + timedelta(seconds=1),
    )

    market.walk(candles, first=warm_up)

    assert market.faults == []
    placed = Order.objects.filter(deployment=deployment)
    assert {Leg(order.leg) for order in placed} >= legs
    doubtful = {OrderStatus.UNKNOWN, OrderStatus.SUBMITTING, OrderStatus.MANUAL_REVIEW}
    assert not [order for order in placed if order.status in doubtful]
    raw.close()
