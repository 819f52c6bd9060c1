"""Rules that stop trading by themselves: what sets them, what they forbid, and what ends them."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from redis import Redis

from exchanges.adapters.budget_store import SharedBudget
from exchanges.adapters.protocol import OrderReport
from exchanges.domain.breakers import BreakerTerms
from exchanges.domain.budgets import Limit, Ticket
from exchanges.domain.priorities import CallPriority
from exchanges.models import CandleFeed, FeedHold, Venue
from exchanges.services import watching
from foundation.audit import Actor
from market.enums import OrderActor, OrderStatus, Side
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies.services import evidence
from tests.factories import accounts as people
from tests.factories import exchanges as exchange_factory
from trading.models import (
    Deployment,
    IntentStatus,
    Order,
    ReleaseRule,
    RestrictionCause,
    TradingRestriction,
)
from trading.selectors import restrictions as selectors
from trading.services import causes, evaluation, orders, restrictions, triggers

pytestmark = pytest.mark.django_db

ME = Actor.system("test-operator")


def in_force(desk) -> dict[str, TradingRestriction]:
    return {row.cause: row for row in selectors.all_in_force(now=desk.now)}


def refused(desk) -> tuple[str, str]:
    """Return the status and the code of an entry that is decided now."""
    intent = desk.decide()
    desk.submit()
    intent.refresh_from_db()
    return intent.status, intent.reason_code


REDUCED = (IntentStatus.DENIED, "TRADING_REDUCED")


@pytest.fixture
def broker(settings):
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
        yield redis
        redis.flushdb()


class TestAVenueThatFails:
    @pytest.fixture
    def budget(self, desk, broker):
        # The venue in memory makes no calls; these are those of one of its kind at another host.
        Venue.objects.filter(code="memory").update(api_url="https://memory.example")
        budget = SharedBudget("memory at memory.example | default")
        budget.poll(Limit(3_600, 60_000), tickets=[Ticket(1, CallPriority.ENTRY, 1, "ada")])
        return budget

    def test_opens_nothing_until_it_answers_again(self, desk, budget, broker):
        terms = BreakerTerms(span_ms=60_000, least=20, base_ms=30_000, longest_ms=600_000)
        budget.report(terms, ok=10, bad=9, ban_ms=0)
        triggers.watch(now=desk.now)
        assert not in_force(desk)

        budget.report(terms, ok=0, bad=1, ban_ms=0)
        triggers.watch(now=desk.now)

        row = in_force(desk)["VENUE_FAILING"]
        assert (row.scope, row.state, row.release_rule) == ("VENUE", "REDUCING", "AUTOMATIC")
        assert refused(desk) == REDUCED

        broker.flushdb()
        triggers.watch(now=desk.now)

        assert not in_force(desk)
        assert desk.enter().status == OrderStatus.FILLED

    def test_that_has_barred_us_opens_nothing_either(self, desk, budget):
        terms = BreakerTerms(span_ms=60_000, least=20, base_ms=30_000, longest_ms=600_000)
        budget.report(terms, ok=0, bad=0, ban_ms=90_000)

        triggers.watch(now=desk.now)

        assert "VENUE_FAILING" in in_force(desk)

    def test_of_the_same_kind_elsewhere_is_another_one(self, desk, budget):
        Venue.objects.filter(code="memory").update(api_url="https://elsewhere.example")
        terms = BreakerTerms(span_ms=60_000, least=20, base_ms=30_000, longest_ms=600_000)
        budget.report(terms, ok=0, bad=20, ban_ms=0)

        triggers.watch(now=desk.now)

        assert not in_force(desk)

    def test_stays_restricted_while_redis_is_down(self, desk, budget, settings):
        terms = BreakerTerms(span_ms=60_000, least=20, base_ms=30_000, longest_ms=600_000)
        budget.report(terms, ok=0, bad=20, ban_ms=0)
        triggers.watch(now=desk.now)
        settings.REDIS_URL = "redis://127.0.0.1:1/0"

        triggers.watch(now=desk.now)

        assert "VENUE_FAILING" in in_force(desk)
        assert refused(desk) == REDUCED


class TestAClockThatIsOff:
    @pytest.mark.parametrize("offset_ms", [2_001, -2_001])
    def test_lets_nobody_enter_until_it_is_right_again(self, desk, offset_ms):
        Venue.objects.update(clock_offset_ms=offset_ms)
        triggers.watch(now=desk.now)
        assert in_force(desk)["CLOCK_SKEW"].scope == "VENUE"
        assert refused(desk) == REDUCED

        Venue.objects.update(clock_offset_ms=2_000)
        triggers.watch(now=desk.now)

        assert not in_force(desk)


class TestCandlesThatAreOld:
    def test_keep_entries_from_their_market_until_they_are_back(self, desk):
        closed_at = desk.now.replace(second=0, microsecond=0)
        feed, _ = CandleFeed.objects.update_or_create(
            instrument=desk.instrument,
            timeframe="1m",
            defaults={
                "backfill_from_at": closed_at,
                "last_open_at": closed_at - timedelta(minutes=1),
                "failures": 1,
            },
        )
        FeedHold.objects.get_or_create(feed=feed, holder="group:1")
        watching.watch_feeds(now=closed_at + timedelta(minutes=4))
        desk.now = closed_at + timedelta(minutes=2)
        triggers.watch(now=desk.now)
        assert not in_force(desk)

        desk.later(1)
        triggers.watch(now=desk.now)

        row = in_force(desk)["STALE_DATA"]
        assert (row.scope, row.release_rule) == ("INSTRUMENT", "AUTOMATIC")
        assert refused(desk) == REDUCED

        CandleFeed.objects.update(last_open_at=desk.now, failures=0)
        watching.watch_feeds(now=desk.now)
        triggers.watch(now=desk.now)

        assert not in_force(desk)


class TestOrdersThatWereSentTwice:
    def test_halt_everything_from_the_third_on_until_operators_let_it_go_on(self, desk):
        for name in ("first", "second"):
            people.make_person(email=f"{name}@example.com", is_staff=True)
        for _ in range(2):
            _second_order(desk)
        triggers.watch(now=desk.now)
        assert "DUPLICATE_ORDERS" not in in_force(desk)

        _second_order(desk)
        triggers.watch(now=desk.now)

        row = in_force(desk)["DUPLICATE_ORDERS"]
        assert (row.scope, row.state, row.release_rule) == (
            "PLATFORM",
            "HALTED",
            "TWO_OPERATORS",
        )
        desk.later(1)
        for operator in ("1", "2"):
            restrictions.release(
                restriction=row,
                note="Seen.",
                by=Actor("person", operator),
                is_operator=True,
                now=desk.now,
            )
        triggers.watch(now=desk.now)

        assert "DUPLICATE_ORDERS" not in in_force(desk)


def _second_order(desk) -> None:
    """Let the venue tell of another order under the id of one of ours."""
    intent = desk.decide(order_type="LIMIT", price=Decimal(39_000), quantity=Decimal("0.001"))
    with transaction.atomic():
        order = orders.create(intent, quantity=intent.quantity, now=desk.now)
        orders.accept_many([(order, _report(order, "one", now=desk.now), {})], now=desk.now)
        orders.apply_report(
            order,
            report=_report(order, "another", now=desk.now),
            actor=OrderActor.RECONCILER,
            now=desk.now,
            evidence={},
        )


def _report(order: Order, name: str, *, now: datetime) -> OrderReport:
    return OrderReport(
        client_order_id=order.client_order_id,
        venue_order_id=f"{name}-{order.pk}",
        symbol=order.instrument.symbol,
        side=Side.BUY,
        status=OrderStatus.ACCEPTED,
        quantity=order.quantity,
        filled_quantity=Decimal(0),
        average_price=None,
        venue_at=now,
    )


class TestOrdersOfADeployment:
    def test_ten_entries_within_a_minute_stop_it_until_its_owner_lets_it_go_on(self, desk):
        _send(desk, entries=9)
        triggers.watch(now=desk.now)
        assert not in_force(desk)

        _send(desk, entries=1)
        triggers.watch(now=desk.now)

        row = in_force(desk)["ORDER_RATE"]
        assert (row.scope, row.release_rule) == ("DEPLOYMENT", "OWNER")
        assert refused(desk) == REDUCED

    def test_far_more_than_usual_stop_it(self, desk):
        Deployment.objects.update(started_at=desk.now - timedelta(days=3))
        _send(desk, entries=6, ago=timedelta(days=2))
        _send(desk, entries=15, ago=timedelta(hours=2))
        triggers.watch(now=desk.now)
        assert not in_force(desk)

        _send(desk, entries=1, ago=timedelta(hours=1))
        triggers.watch(now=desk.now)

        row = in_force(desk)["UNUSUAL_RATE"]
        assert row.reason == "It has entered 16 times within a day; 3 times are usual."
        restrictions.release(restriction=row, note="Seen.", by=ME, is_operator=False, now=desk.now)
        triggers.watch(now=desk.now)
        assert not in_force(desk)

    def test_are_compared_with_the_backtests_of_the_strategy_too(self, desk):
        _tested(desk, trades=30, days=10)
        _send(desk, entries=15, ago=timedelta(hours=2))
        triggers.watch(now=desk.now)
        assert not in_force(desk)

        _send(desk, entries=1, ago=timedelta(hours=2))
        triggers.watch(now=desk.now)

        assert in_force(desk)["UNUSUAL_RATE"].reason.endswith("3 times are usual.")

    def test_of_the_first_day_are_not_compared_with_anything(self, desk):
        _send(desk, entries=40, ago=timedelta(hours=2))

        triggers.watch(now=desk.now)

        assert not in_force(desk)


def _tested(desk, *, trades: int, days: int) -> None:
    """Let a backtest of the strategy on bars of the deployment have made so many trades."""
    evidence.store_evidence(
        version_id=desk.deployment.strategy_version_id,
        computed=evidence.Computed(
            instrument_id=desk.instrument.pk,
            timeframe=desk.deployment.timeframe,
            from_at=desk.now - timedelta(days=days),
            to_at=desk.now,
            effective_from_at=desk.now - timedelta(days=days),
            bar_count=1_440 * days,
            parameters={},
            capital=Decimal(10_000),
            maker_fee_bps=Decimal(10),
            taker_fee_bps=Decimal(10),
            slippage_bps=Decimal(0),
            metrics={"values": {"trades": trades, "total_return": 0.0}},
            curve=(),
            engine_version="1",
            data_fingerprint="0",
            spec_hash="0",
        ),
        by=ME,
    )


def _send(desk, *, entries: int, ago: timedelta = timedelta(0)) -> None:
    """Let the desk's deployment have sent so many entries a while ago."""
    for _ in range(entries):
        intent = desk.decide(quantity=Decimal("0.001"))
        with transaction.atomic():
            order = orders.create(intent, quantity=intent.quantity, now=desk.now - ago)
        assert order.leg == "ENTRY"


class TestAPriceThatLeaps:
    @pytest.mark.parametrize(("close", "causes"), [(48_001, {"PRICE_MOVE"}), (48_000, set())])
    def test_keeps_entries_away_for_two_bars(self, desk, close, causes):
        minute = Timeframe.M1.milliseconds
        forming_ms = Timeframe.M1.open_of(to_milliseconds(desk.now))
        bars = exchange_factory.make_candles(
            [40_000.0] * 30 + [float(close)],
            timeframe=Timeframe.M1,
            first_open_ms=forming_ms - 30 * minute,
        )
        exchange_factory.store_candles(desk.instrument, Timeframe.M1, bars)
        desk.now = from_milliseconds(forming_ms + minute + 1_000)

        evaluation.evaluate_signal_group(
            group_id=desk.deployment.revisions.get().group_id, now=desk.now
        )

        assert set(in_force(desk)) == causes
        desk.later(119)
        assert not in_force(desk)

    def test_is_not_shortened_by_a_smaller_timeframe(self, desk):
        target = restrictions.of_instrument(desk.instrument)
        for minutes in (240, 2, 300):
            with transaction.atomic():
                causes.impose(
                    causes.Found(target, "It has leapt."),
                    cause=RestrictionCause.PRICE_MOVE,
                    rule=ReleaseRule.AUTOMATIC,
                    now=desk.now,
                    until=desk.now + timedelta(minutes=minutes),
                )

        ends = TradingRestriction.objects.order_by("pk").values_list("until_at", flat=True)
        assert [each - desk.now for each in ends] == [
            timedelta(minutes=240),
            timedelta(minutes=300),
        ]
