"""Many deployments of one group: what a bar costs, and how the work is shared."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from exchanges.models import AccountKind
from exchanges.selectors import candles as stored
from market.enums import Leg, OrderType, Side
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds
from strategies.views import MarketView
from tests.factories import accounts as people
from tests.factories import billing
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.domain.kernel import IntentValues
from trading.models import (
    Deployment,
    DeploymentDecision,
    DeploymentInstrument,
    Fill,
    GroupDecision,
    GroupShard,
    Health,
    OrderIntent,
    SignalGroup,
)
from trading.services import bars, evaluation, groups, intents, shards, submission
from trading.services.intents import Decided

pytestmark = pytest.mark.django_db

START_MS = market_factory.NEW_YEAR_MS
HISTORY = 30
#: At rest, then down, then far up: every pair of averages crosses at the last close and not before.
CLOSES = [40_000.0] * (HISTORY - 1) + [39_500.0, 41_500.0, 41_600.0]


@pytest.fixture
def deploy(memory_venue, instrument):
    """Make so many paper deployments of one group, which begin with the last of the bars."""
    candles = market_factory.make_candles(CLOSES, timeframe=Timeframe.M1, first_open_ms=START_MS)
    market_factory.store_candles(instrument, Timeframe.M1, candles.slice(0, HISTORY))
    begins_at = from_milliseconds(START_MS + HISTORY * MINUTE_MS)
    owner = billing.with_plan(people.make_person())
    account = factory.make_account(owner, instrument, kind=AccountKind.PAPER, now=begins_at)

    def make(count: int, **fields: Any) -> None:
        for _ in range(count):
            factory.make_deployment(account, now=begins_at, **fields)

    def close_bar(number: int = 0) -> None:
        at = HISTORY + number
        market_factory.store_candles(instrument, Timeframe.M1, candles.slice(at, at + 1))

    return make, close_bar


def _now():
    return from_milliseconds(START_MS + (HISTORY + 1) * MINUTE_MS) + timedelta(milliseconds=200)


def _statements_of_a_bar() -> Sequence[str]:
    with CaptureQueriesContext(connection) as captured:
        evaluation.evaluate_signal_group(group_id=SignalGroup.objects.get().pk, now=_now())
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.parametrize("count", [1, 9])
def test_a_bar_on_which_all_enter_takes_few_statements_for_one_and_for_many(deploy, count):
    make, close_bar = deploy
    make(count)
    close_bar()

    statements = _statements_of_a_bar()

    assert OrderIntent.objects.count() == count
    assert GroupDecision.objects.count() == 1
    assert not DeploymentDecision.objects.exists()
    assert sum("INSERT INTO trading_orderintent" in each for each in statements) == 1
    assert len([each for each in statements if not each.startswith(("SAVEPOINT", "RELEASE"))]) <= 40


def test_groups_that_are_stepped_together_take_as_many_statements_as_one(deploy):
    make, close_bar = deploy
    costs = []
    for periods in ([(2, 5)], [(2, 5), (3, 5), (2, 6), (3, 6)]):
        before = transaction.savepoint()
        for short, long in periods:
            make(2, parameters={"short_ema_period": short, "long_ema_period": long})
        close_bar()
        entering = _statements_of_all_groups(now=_now())
        submission.submit_due_intents(now=_now(), calls_others=False)
        close_bar(1)
        filling = _statements_of_all_groups(now=_now() + timedelta(minutes=1))
        assert Fill.objects.count() == 2 * len(periods)
        costs.append((len(entering), len(filling)))
        transaction.savepoint_rollback(before)
        bars.forget_all()

    assert costs[0] == costs[1]


def _statements_of_all_groups(*, now: datetime) -> Sequence[str]:
    ids = list(SignalGroup.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as captured:
        evaluation.evaluate_signal_groups(group_ids=ids, now=now)
    return [query["sql"] for query in captured.captured_queries]


def _counting(load: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    """``load`` itself, whose name is written into ``calls`` at each call."""

    def counted(**arguments: Any) -> Any:
        calls.append(load.__name__)
        return load(**arguments)

    return counted


def test_a_bar_is_computed_once_and_reads_candles_as_often_for_one_as_for_many(deploy, monkeypatch):
    make, close_bar = deploy
    computed: list[int] = []

    def counted(history, timeframe):
        computed.append(len(history))
        return MarketView(history, timeframe)

    monkeypatch.setattr(evaluation, "MarketView", counted)
    reads: list[str] = []
    for name in ("load_candles", "load_newest"):
        # Candles are read past Django's log of queries, so the calls are counted.
        monkeypatch.setattr(stored, name, _counting(getattr(stored, name), reads))
    costs = []
    for count in (1, 9):
        before = transaction.savepoint()
        make(count)
        close_bar()
        bars.forget_all()
        computed.clear()
        reads.clear()
        statements = _statements_of_a_bar()
        assert OrderIntent.objects.count() == count
        costs.append((len(computed), len(reads), len(statements)))
        transaction.savepoint_rollback(before)

    evaluations, read, _ = costs[0]
    assert evaluations == 1
    assert read > 0
    assert costs[0] == costs[1]


def test_a_split_group_is_stepped_once_by_whoever_comes(deploy, monkeypatch):
    make, close_bar = deploy
    make(9)
    monkeypatch.setattr(groups, "MOST_IN_SHARD", 5)
    assert groups.split_large_shards() == 1
    close_bar()
    group_id = SignalGroup.objects.get().pk

    evaluation.evaluate_signal_group(group_id=group_id, now=_now())
    again = shards.step_groups(group_ids=[group_id], now=_now())

    decided = OrderIntent.objects.values_list("deployment_id", flat=True)
    assert sorted(decided) == sorted(Deployment.objects.values_list("pk", flat=True))
    assert again == 0
    assert GroupShard.objects.count() == 2
    assert groups.groups_behind(most=10) == []


def test_a_group_is_split_down_to_the_size_of_a_shard_in_one_call(deploy, monkeypatch):
    make, _ = deploy
    make(9)
    monkeypatch.setattr(groups, "MOST_IN_SHARD", 2)

    splits = groups.split_large_shards()

    found = list(GroupShard.objects.all())
    sizes = [
        sum(
            key % shard.of == shard.number
            for key in Deployment.objects.values_list("pk", flat=True)
        )
        for shard in found
    ]
    assert splits == len(found) - 1
    assert sum(sizes) == 9
    assert max(sizes) <= 2
    assert groups.split_large_shards() == 0


def test_shards_are_smaller_where_orders_go_to_a_venue(deploy, instrument, monkeypatch):
    make, _ = deploy
    make(4)
    monkeypatch.setattr(groups, "MOST_IN_SHARD", 15)
    on_paper = groups.split_large_shards()
    group_ids = list(SignalGroup.objects.values_list("pk", flat=True))
    at_once = groups.shards_at_once(group_ids, deployments=8)

    owner = Deployment.objects.earliest("pk").owner
    live = factory.make_account(owner, instrument, kind=AccountKind.LIVE, now=_now())
    Deployment.objects.update(account=live)

    assert (on_paper, at_once) == (0, 2)
    assert groups.split_large_shards() == 3
    assert groups.shards_at_once(group_ids, deployments=20) == 2


def test_an_entry_of_an_older_epoch_is_not_stored_and_an_exit_is(deploy):
    make, _ = deploy
    make(1)
    decided_under = Deployment.objects.get()
    Deployment.objects.update(epoch=decided_under.epoch + 1)
    revision = decided_under.revisions.get()
    traded = decided_under.instruments.get()

    def decided(leg: Leg, *, reduce_only: bool) -> Decided:
        return Decided(
            deployment=decided_under,
            revision_id=revision.pk,
            instrument_id=traded.instrument_id,
            key=leg.value,
            values=IntentValues(
                leg=leg,
                side=Side.BUY,
                order_type=OrderType.MARKET,
                quantity=Decimal(1),
                price=None,
                trigger_price=None,
                reduce_only=reduce_only,
                stop_percent=0.0,
                target_percent=0.0,
            ),
            decided_price=None,
            bar_close_at=None,
            reason="",
        )

    with transaction.atomic():
        intents.write(
            [decided(Leg.ENTRY, reduce_only=False), decided(Leg.EXIT, reduce_only=True)],
            now=_now(),
        )

    assert list(OrderIntent.objects.values_list("leg", flat=True)) == [Leg.EXIT.value]


def test_a_deployment_that_cannot_be_stepped_keeps_nobody_else_from_it(deploy, instrument):
    make, close_bar = deploy
    make(5)
    broken = Deployment.objects.order_by("pk")[2]
    rows = DeploymentInstrument.objects.filter(deployment=broken)
    rows.update(marks={"lots": "nonsense"})

    close_bar()
    _statements_of_a_bar()

    entered = set(OrderIntent.objects.values_list("deployment_id", flat=True))
    assert entered == set(Deployment.objects.values_list("pk", flat=True)) - {broken.pk}
    assert not groups.groups_behind(most=9)
    broken.refresh_from_db()
    assert (broken.health, broken.health_code) == (Health.DEGRADED, "internal_error")

    rows.update(marks={})
    fallen = market_factory.make_candles(
        [CLOSES[-1], 30_000.0],
        timeframe=Timeframe.M1,
        first_open_ms=START_MS + HISTORY * MINUTE_MS,
    )
    market_factory.store_candles(instrument, Timeframe.M1, fallen.slice(1, 2))
    evaluation.evaluate_signal_group(
        group_id=SignalGroup.objects.get().pk, now=_now() + timedelta(minutes=1)
    )

    broken.refresh_from_db()
    assert broken.health == Health.OK
