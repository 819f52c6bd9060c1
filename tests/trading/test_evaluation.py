"""A group at the close of a bar, and what its deployments do."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from backtesting.engine import simulate
from exchanges.models import AccountKind, Instrument
from market import money
from market.enums import Leg, OrderStatus
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.reasons import ReasonCode
from strategies.views import MarketView
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.domain import kernel
from trading.models import (
    ActualState,
    Deployment,
    DeploymentDecision,
    DeploymentRevision,
    Fill,
    GroupDecision,
    Order,
    OrderIntent,
    SignalGroup,
)
from trading.selectors import decisions, markets
from trading.services import evaluation, groups, submission

pytestmark = pytest.mark.django_db

START_MS = market_factory.NEW_YEAR_MS
WARM_UP = 25


def _prices(count: int, seed: int = 7) -> list[float]:
    """Return a walk that crosses its own averages often enough to trade."""
    steps = np.random.default_rng(seed).normal(0, 0.004, count).cumsum()
    return [round(40_000 * float(np.exp(step)), 2) for step in steps]


@pytest.fixture
def history():
    """A hundred and fifty minutes of prices from the new year on."""
    return market_factory.make_candles(_prices(150), timeframe=Timeframe.M1, first_open_ms=START_MS)


@pytest.fixture
def deployed_at():
    """The instant of the deployment: just after the warm-up."""
    return from_milliseconds(START_MS + WARM_UP * MINUTE_MS)


@pytest.fixture
def paper_deployment(memory_venue, instrument, deployed_at):
    owner = people.make_person()
    account = factory.make_account(owner, instrument, kind=AccountKind.PAPER, now=deployed_at)
    return factory.make_deployment(account, now=deployed_at, is_started=False)


def _run(instrument, candles, *, first: int, stop: int | None = None) -> None:
    """Feed bars one by one, as the feed does, and let orders go out after each."""
    market_factory.store_candles(instrument, Timeframe.M1, candles.slice(0, first))
    group = SignalGroup.objects.get()
    for index in range(first, stop or len(candles)):
        market_factory.store_candles(instrument, Timeframe.M1, candles.slice(index, index + 1))
        close_ms = int(candles.open_time[index]) + MINUTE_MS
        now = from_milliseconds(close_ms) + timedelta(milliseconds=200)
        evaluation.evaluate_signal_group(group_id=group.pk, now=now)
        submission.submit_due_intents(now=now)


def _bar_of(fill: Fill) -> int:
    """Return the open of the bar in which a fill happened: the one after the decision."""
    close_at = fill.order.intent.bar_close_at
    assert close_at is not None
    was_decided_before = fill.order.leg in {"ENTRY", "EXIT"}
    return to_milliseconds(close_at) - (0 if was_decided_before else MINUTE_MS)


def _costs(instrument):
    stored = Instrument.objects.select_related("venue").get(pk=instrument.pk)
    return markets.costs_for(stored, stored.venue)


class TestPaperParity:
    def test_bar_by_bar_gives_the_fills_of_the_backtest(
        self, paper_deployment, instrument, history
    ):
        _run(instrument, history, first=WARM_UP)

        revision = DeploymentRevision.objects.get()
        definition = registry.get_definition("ema-crossover")
        params = registry.validate_params(definition, revision.parameters)
        result = simulate(
            history,
            definition.signals(MarketView(history, Timeframe.M1), params),
            kernel.rules_from_json(revision.rules),
            _costs(instrument),
            capital=10_000.0,
            trade_from_ms=START_MS + WARM_UP * MINUTE_MS,
        )
        expected = [
            (
                fill.leg.value,
                fill.side.value,
                money.from_lots(fill.lots, step=instrument.lot_step),
                money.from_ticks(fill.price_ticks, tick=instrument.tick_size),
                money.quantize_money(money.decimal_of(fill.fee)),
                fill.open_time_ms,
            )
            for fill in result.fills
        ]
        booked = [
            (
                fill.order.leg,
                fill.side,
                fill.quantity,
                fill.price,
                fill.fee_in_quote,
                _bar_of(fill),
            )
            for fill in Fill.objects.select_related("order__intent").order_by("pk")
        ]
        assert len(expected) > 12
        assert booked == expected
        position = paper_deployment.positions.get()
        state = result.state
        assert money.to_lots(position.quantity, step=instrument.lot_step) == state.lots

    def test_the_reasons_are_those_of_the_backtest(self, paper_deployment, instrument, history):
        _run(instrument, history, first=WARM_UP, stop=80)

        seen = decisions.decisions_for(
            paper_deployment.owner, deployment=paper_deployment, limit=200
        )
        assert len(seen) == 80 - WARM_UP
        assert {each.reason for each in seen} >= {
            ReasonCode.NO_SIGNAL,
            ReasonCode.HOLD,
            ReasonCode.ENTER_LONG,
            ReasonCode.EXIT_SIGNAL,
        }


class TestGroup:
    def test_a_bar_is_decided_once_however_often_somebody_comes_by(
        self, paper_deployment, instrument, history
    ):
        _run(instrument, history, first=WARM_UP, stop=60)
        group = SignalGroup.objects.get()
        assert group.last_bar_close_at is not None
        now = group.last_bar_close_at + timedelta(seconds=1)
        before = (GroupDecision.objects.count(), OrderIntent.objects.count())

        assert evaluation.evaluate_signal_group(group_id=group.pk, now=now) == 0

        assert (GroupDecision.objects.count(), OrderIntent.objects.count()) == before

    def test_somebody_else_at_it_means_nothing_to_do(self, paper_deployment, instrument, history):
        market_factory.store_candles(instrument, Timeframe.M1, history)
        group = SignalGroup.objects.get()
        groups.claim(group_ids=[group.pk])

        assert evaluation.evaluate_signal_group(group_id=group.pk, now=group.created_at) == 0

    def test_two_deployments_with_the_same_signal_share_one_group(
        self, paper_deployment, instrument, deployed_at
    ):
        account = paper_deployment.account
        factory.make_deployment(
            account,
            now=deployed_at,
            parameters={
                "short_ema_period": 2,
                "long_ema_period": 5,
                "risk_per_trade_percent": 0.5,
            },
        )

        assert SignalGroup.objects.count() == 1

    def test_a_quiet_bar_writes_nothing_of_the_deployment(
        self, paper_deployment, instrument, history
    ):
        _run(instrument, history, first=WARM_UP, stop=WARM_UP + 2)

        assert GroupDecision.objects.count() == 2
        assert not DeploymentDecision.objects.filter(reason="NO_SIGNAL").exists()


class TestLateness:
    def test_after_an_outage_nothing_is_entered_on_the_bars_that_were_missed(
        self, paper_deployment, instrument, history
    ):
        market_factory.store_candles(instrument, Timeframe.M1, history)
        group = SignalGroup.objects.get()
        now = from_milliseconds(int(history.open_time[-1]) + MINUTE_MS)

        seen = evaluation.evaluate_signal_group(group_id=group.pk, now=now)

        assert seen == 150 - WARM_UP
        assert DeploymentDecision.objects.filter(reason="DATA_STALE").exists()
        entries = OrderIntent.objects.filter(leg=Leg.ENTRY.value)
        assert all(intent.bar_close_at == now for intent in entries)

    def test_without_its_history_a_signal_is_not_acted_on(
        self, paper_deployment, instrument, history
    ):
        late = history.slice(20, 60)

        _run(instrument, late, first=6, stop=10)

        assert set(GroupDecision.objects.values_list("reason", flat=True)) == {"WARMING_UP"}


class TestLive:
    def _feed(self, desk, closes, *, end):
        candles = market_factory.make_candles(
            closes, timeframe=Timeframe.M1, first_open_ms=end - len(closes) * MINUTE_MS
        )
        market_factory.store_candles(desk.instrument, Timeframe.M1, candles)
        now = from_milliseconds(end) + timedelta(milliseconds=100)
        evaluation.evaluate_signal_group(group_id=SignalGroup.objects.get().pk, now=now)
        desk.now = now

    def test_a_bar_that_reaches_the_target_closes_the_position(self, desk):
        base = Timeframe.M1.open_of(to_milliseconds(desk.now))
        desk.enter("0.1")
        closes = [40_000.0] * 26 + [40_000.0, 41_700.0]

        self._feed(desk, closes, end=base + 2 * MINUTE_MS)
        desk.venue.set_price("BTC/USDT", Decimal(41_700))
        desk.submit()

        assert desk.order(Leg.TARGET).status == OrderStatus.FILLED
        assert desk.order(Leg.STOP).status == OrderStatus.CANCELED
        assert desk.position.quantity == 0
        row = DeploymentDecision.objects.latest("bar_close_at")
        assert row.reason == "TARGET_HIT"

    def test_a_deployment_that_is_not_compared_yet_opens_nothing(self, desk):
        Deployment.objects.update(actual_state=ActualState.STARTING)
        base = Timeframe.M1.open_of(to_milliseconds(desk.now))

        self._feed(desk, [40_000.0] * 26 + [39_000.0, 42_000.0], end=base + 2 * MINUTE_MS)

        row = DeploymentDecision.objects.latest("bar_close_at")
        assert row.reason == "ENTRIES_PAUSED"
        assert not OrderIntent.objects.exists()

    def test_a_cross_makes_an_entry_and_its_stop(self, desk):
        base = Timeframe.M1.open_of(to_milliseconds(desk.now))

        self._feed(desk, [40_000.0] * 26 + [39_500.0, 40_400.0], end=base + 2 * MINUTE_MS)
        desk.submit()

        assert desk.order(Leg.ENTRY).status == OrderStatus.FILLED
        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED
        assert desk.position.quantity > Decimal("0.1")
        assert Order.objects.count() == 2
