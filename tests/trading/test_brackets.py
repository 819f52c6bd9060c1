"""What is placed around a position at a venue: at once, once, and never without being known."""

from datetime import timedelta
from decimal import Decimal

import pytest

from exchanges.adapters.protocol import OrderRequest
from foundation.audit import Actor
from market.enums import Leg, MarginMode, OrderStatus, OrderType, Side
from market.errors import VenueError
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds
from tests.factories import exchanges as market_factory
from tests.trading.conftest import Desk
from trading.models import (
    DeadManSwitch,
    Deployment,
    DeploymentPosition,
    Health,
    IntentStatus,
    Order,
    OrderIntent,
    SignalGroup,
    SwapSetting,
)
from trading.services import commands, dead_men, evaluation, unprotected

pytestmark = pytest.mark.django_db

SPOT = "BTC/USDT"
LIMIT = {"order_type": OrderType.LIMIT.value, "price": Decimal(39_900)}


def stops_at(desk: Desk) -> list[Decimal]:
    """Return what the stops that rest at the venue cover."""
    return [
        order.remaining
        for order in desk.venue.orders
        if order.is_working and order.request.trigger_price is not None
    ]


def in_doubt_is_heard(desk: Desk, turns: int = 1) -> None:
    for _ in range(turns):
        desk.later(1)
        Order.objects.update(next_check_at=desk.now)
        desk.reconcile()
        desk.submit()


class TestAnEntryThatRests:
    def test_its_stop_covers_what_has_filled_at_once_and_grows_with_it(self, desk):
        entry = desk.decide(**LIMIT)
        desk.submit()
        order = Order.objects.get(intent=entry)
        assert order.status == OrderStatus.ACCEPTED
        assert stops_at(desk) == []

        desk.venue.fill(order.client_order_id, quantity=Decimal("0.04"), price=Decimal(39_900))
        in_doubt_is_heard(desk)
        first = stops_at(desk)
        desk.venue.fill(order.client_order_id, quantity=Decimal("0.06"), price=Decimal(39_900))
        in_doubt_is_heard(desk)

        assert first == [Decimal("0.03996")]
        assert stops_at(desk) == [Decimal("0.0999")]
        # 2 % below what was paid.
        assert desk.position.stop_price == Decimal(39_102)

    def test_its_rest_is_taken_back_when_the_stop_has_closed_what_had_filled(self, desk):
        entry = desk.decide(**LIMIT)
        desk.submit()
        order = Order.objects.get(intent=entry)
        desk.venue.fill(order.client_order_id, quantity=Decimal("0.04"), price=Decimal(39_900))
        in_doubt_is_heard(desk)

        stop = desk.order(Leg.STOP)
        desk.venue.fill(stop.client_order_id, quantity=stop.quantity, price=Decimal(39_100))
        in_doubt_is_heard(desk, turns=2)

        order.refresh_from_db()
        assert order.status == OrderStatus.CANCELED
        assert not [each for each in desk.venue.orders if each.is_working]

    def test_its_successor_waits_until_it_has_ended_and_there_are_never_two(self, desk):
        desk.decide(**LIMIT)
        desk.submit()
        first = desk.order(Leg.ENTRY)
        desk.venue.next_cancel(times_out=True)

        with_price = {**LIMIT, "price": Decimal(39_800)}
        second = desk.decide(**with_price)
        desk.submit()
        assert not Order.objects.filter(intent=second).exists()

        first.refresh_from_db()
        assert first.status == OrderStatus.ACCEPTED
        desk.venue.book.cancel(desk.venue.find(first.client_order_id))
        in_doubt_is_heard(desk, turns=2)
        assert Order.objects.get(intent=second).status == OrderStatus.ACCEPTED

    def test_its_successor_is_dropped_when_it_fills_while_it_is_canceled(self, desk):
        desk.decide(**LIMIT)
        desk.submit()
        first = desk.order(Leg.ENTRY)
        second = desk.decide(**{**LIMIT, "price": Decimal(39_800)})
        desk.submit()

        desk.venue.set_price(SPOT, Decimal(39_900))
        in_doubt_is_heard(desk, turns=2)

        first.refresh_from_db()
        second.refresh_from_db()
        assert first.status == OrderStatus.FILLED
        assert (second.status, second.reason_code) == (IntentStatus.DENIED, "POSITION_IS_OPEN")
        assert stops_at(desk) == [Decimal("0.0999")]

    @pytest.mark.parametrize("kind", ["PAUSE", "STOP", "FLATTEN"])
    def test_a_command_takes_it_away_before_there_is_any_position(self, desk, kind):
        desk.decide(**LIMIT)
        desk.submit()

        command = commands.request_command(
            owner=desk.deployment.owner,
            deployment_public_id=desk.deployment.public_id,
            kind=kind,
            idempotency_key="once",
            by=Actor.person(desk.deployment.owner_id),
            now=desk.now,
        )
        commands.act_on_command(command_id=command.pk, now=desk.now)
        desk.submit()

        assert desk.order(Leg.ENTRY).status == OrderStatus.CANCELED
        command.refresh_from_db()
        assert command.done_at is not None


class TestASpotTarget:
    """The coins can be promised once: to the stop, until the target is reached."""

    def _reach(self, desk: Desk, close: float) -> None:
        end = Timeframe.M1.open_of(to_milliseconds(desk.now)) + 2 * MINUTE_MS
        closes = [40_000.0] * 27 + [close]
        first = end - len(closes) * MINUTE_MS
        candles = market_factory.make_candles(closes, timeframe=Timeframe.M1, first_open_ms=first)
        market_factory.store_candles(desk.instrument, Timeframe.M1, candles)
        desk.now = from_milliseconds(end) + timedelta(milliseconds=100)
        evaluation.evaluate_signal_group(group_id=SignalGroup.objects.get().pk, now=desk.now)
        desk.submit()

    def test_it_is_sent_at_its_price_when_a_bar_has_reached_it(self, desk):
        desk.enter("0.1")
        assert stops_at(desk) == [Decimal("0.0999")]

        self._reach(desk, 41_700.0)

        target = desk.order(Leg.TARGET)
        assert (target.order_type, target.price) == (OrderType.LIMIT, Decimal(41_600))
        assert target.status == OrderStatus.ACCEPTED
        assert stops_at(desk) == []
        desk.venue.set_price(SPOT, Decimal(41_650))
        in_doubt_is_heard(desk)
        assert desk.position.quantity == 0

    def test_the_stop_comes_back_when_it_does_not_fill_in_time(self, desk, settings):
        desk.enter("0.1")
        self._reach(desk, 41_700.0)
        assert stops_at(desk) == []

        desk.later(settings.HORIZONS.protect_s + 1)
        unprotected.sweep_unprotected(now=desk.now)
        desk.submit()

        assert desk.order(Leg.TARGET).status == OrderStatus.CANCELED
        assert stops_at(desk) == [Decimal("0.0999")]
        assert desk.position.unprotected_since is None

    def test_it_makes_way_for_an_exit(self, desk):
        desk.enter("0.1")
        self._reach(desk, 41_700.0)

        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.submit()
        in_doubt_is_heard(desk)

        assert desk.order(Leg.EXIT).status == OrderStatus.FILLED
        assert desk.position.quantity == 0


class TestASwap:
    @pytest.mark.parametrize("ours", ["0", "0.1"])
    def test_more_than_our_fills_add_up_to_is_drift_of_the_one_position(self, swap_desk, ours):
        if ours != "0":
            swap_desk.enter(ours)
        theirs = OrderRequest(
            client_order_id="by-hand",
            symbol=swap_desk.instrument.symbol,
            side=Side.BUY,
            order_type=OrderType.MARKET,
            quantity=Decimal("0.5"),
        )
        book = swap_desk.venue.book
        book.match(book.place(str(swap_desk.deployment.account.public_id), theirs))

        for _ in range(2):
            swap_desk.later(16)
            swap_desk.reconcile()

        swap_desk.deployment.refresh_from_db()
        assert swap_desk.deployment.health == Health.DEGRADED
        assert swap_desk.deployment.health_code == "position_drift"

    def test_what_is_worth_less_than_the_least_entry_is_still_protected_and_closed(self, swap_desk):
        swap_desk.enter("0.1")
        # Worth 60, and the least notional is 100.
        type(swap_desk.instrument).objects.update(minimum_notional=100)
        DeploymentPosition.objects.update(last_price=600)

        in_doubt_is_heard(swap_desk)
        assert {o.request.order_type for o in swap_desk.venue.orders if o.is_working} == {
            OrderType.STOP_LOSS,
            OrderType.LIMIT,
        }
        swap_desk.decide(leg=Leg.EXIT, side=Side.SELL)
        for _ in range(3):
            swap_desk.submit()

        assert swap_desk.position.quantity == 0

    def test_stop_and_target_rest_together_and_the_first_to_fill_ends_the_other(self, swap_desk):
        swap_desk.enter("0.1")

        resting = {o.request.order_type for o in swap_desk.venue.orders if o.is_working}
        assert resting == {OrderType.STOP_LOSS, OrderType.LIMIT}
        swap_desk.venue.set_price(swap_desk.instrument.symbol, Decimal(41_600))
        in_doubt_is_heard(swap_desk, turns=2)

        assert swap_desk.order(Leg.TARGET).status == OrderStatus.FILLED
        assert swap_desk.order(Leg.STOP).status == OrderStatus.CANCELED
        assert not [each for each in swap_desk.venue.orders if each.is_working]

    def test_leverage_and_margin_mode_are_set_before_the_first_order_and_remembered(
        self, swap_desk
    ):
        account = str(swap_desk.deployment.account.public_id)
        place = (account, swap_desk.instrument.symbol)

        swap_desk.enter("0.1")

        assert swap_desk.venue.book.swaps.leverages[place] == 1
        assert swap_desk.venue.book.swaps.margin_modes[place] == MarginMode.CROSS
        assert SwapSetting.objects.get().leverage == 1

    def test_an_entry_is_not_sent_when_the_venue_refuses_its_leverage(self, swap_desk):
        entry = swap_desk.decide()
        swap_desk.venue.refused_settings = "Leverage 1 is not allowed."
        swap_desk.submit()

        order = Order.objects.get(intent=entry)
        assert (order.status, order.reason_code) == (OrderStatus.DENIED, "margin_not_set")
        assert "Leverage 1 is not allowed." in order.reason_message
        assert swap_desk.venue.orders == []
        assert not SwapSetting.objects.exists()


class TestProtectOrFlatten:
    def test_a_position_whose_stop_stays_in_doubt_is_closed_and_its_owner_told(
        self, desk, settings
    ):
        desk.venue.next_submit()
        desk.venue.next_submit(times_out=True)
        desk.enter("0.1")
        assert desk.order(Leg.STOP).status == OrderStatus.UNKNOWN

        desk.later(settings.HORIZONS.protect_s - 1)
        unprotected.sweep_unprotected(now=desk.now)
        assert not OrderIntent.objects.filter(leg=Leg.EXIT).exists()
        desk.later(2)
        unprotected.sweep_unprotected(now=desk.now)
        desk.submit()

        assert desk.order(Leg.EXIT).status == OrderStatus.FILLED
        assert desk.position.quantity == 0

    @pytest.mark.parametrize("code", ["rate_limited", "clock_skew", "credential_rejected"])
    def test_a_no_to_the_call_is_no_refusal_of_the_stop(self, desk, code):
        desk.venue.next_submit()
        desk.venue.next_submit(rejects_with=code)
        desk.enter("0.1")
        assert desk.order(Leg.STOP).status == OrderStatus.REJECTED

        desk.later(5)
        desk.reconcile()
        desk.submit()

        assert stops_at(desk) == [Decimal("0.0999")]
        assert not OrderIntent.objects.filter(leg=Leg.EXIT).exists()

    def test_what_an_entry_fills_after_its_position_was_closed_is_closed_as_well(self, desk):
        entry = desk.decide(**LIMIT)
        desk.submit()
        order = Order.objects.get(intent=entry)
        desk.venue.fill(order.client_order_id, quantity=Decimal("0.05"))
        desk.venue.next_submit(rejects_with="off_tick")
        desk.venue.next_submit()
        desk.venue.next_cancel(times_out=True)
        in_doubt_is_heard(desk)
        assert desk.position.quantity == 0
        order.refresh_from_db()
        assert order.status == OrderStatus.PENDING_CANCEL

        desk.venue.fill(order.client_order_id, quantity=Decimal("0.05"))
        in_doubt_is_heard(desk, turns=2)

        order.refresh_from_db()
        assert order.status == OrderStatus.FILLED
        assert desk.position.quantity == 0
        assert OrderIntent.objects.filter(leg=Leg.EXIT).count() == 2

    def test_a_stop_that_is_cut_to_what_is_free_stays(self, desk):
        desk.enter("0.1")
        stop = desk.order(Leg.STOP)
        account = str(desk.deployment.account.public_id)
        desk.venue.book.cancel(desk.venue.find(stop.client_order_id))
        # Its owner has sold a part elsewhere.
        desk.venue.book.deposit(account, "BTC", Decimal("-0.05"))
        in_doubt_is_heard(desk, turns=6)

        assert stops_at(desk) == [Decimal("0.0499")]
        assert Order.objects.filter(leg=Leg.STOP).count() <= 3
        assert not OrderIntent.objects.filter(leg=Leg.EXIT).exists()

    def test_a_stop_that_turns_out_to_rest_keeps_the_position(self, desk, settings):
        desk.venue.next_submit()
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        desk.enter("0.1")
        in_doubt_is_heard(desk)

        desk.later(settings.HORIZONS.protect_s + 1)
        unprotected.sweep_unprotected(now=desk.now)
        desk.submit()

        assert stops_at(desk) == [Decimal("0.0999")]
        assert desk.position.unprotected_since is None
        assert not OrderIntent.objects.filter(leg=Leg.EXIT).exists()

    def test_what_was_never_sent_is_sent_after_a_stop_of_the_platform_and_not_closed(
        self, desk, settings
    ):
        """Nobody worked for an hour after the entry had filled."""
        desk.enter("0.1")
        stop = desk.order(Leg.STOP)
        desk.venue.book.cancel(desk.venue.find(stop.client_order_id))
        Order.objects.update(next_check_at=desk.now)
        desk.reconcile()
        assert desk.position.unprotected_since is not None

        desk.later(3_600)
        unprotected.sweep_unprotected(now=desk.now)
        assert Deployment.objects.get().health == Health.DEGRADED
        desk.submit()

        assert stops_at(desk) == [Decimal("0.0999")]
        assert not OrderIntent.objects.filter(leg=Leg.EXIT).exists()

    def test_a_stop_that_was_given_up_and_turns_up_again_is_one_too_many(self, desk, settings):
        desk.venue.next_submit()
        desk.venue.next_submit(times_out=True, but_is_accepted=True, hidden_for=40)
        desk.enter("0.1")
        lost = desk.order(Leg.STOP)
        for _ in range(8):
            desk.later(settings.HORIZONS.lookup_interval_s)
            Order.objects.filter(pk=lost.pk).update(next_check_at=desk.now)
            desk.reconcile()
            desk.submit()

        in_doubt_is_heard(desk, turns=4)

        covered = sum(stops_at(desk), Decimal(0))
        assert covered == abs(desk.position.quantity)
        assert len(stops_at(desk)) <= 1


class TestTheDeadMansSwitch:
    def _armed(self, desk: Desk) -> int | None:
        account = str(desk.deployment.account.public_id)
        return desk.venue.book.swaps.dead_men.get(account)

    def test_it_is_armed_while_only_an_entry_rests_and_called_again(self, desk, settings):
        desk.decide(**LIMIT)
        desk.submit()

        assert dead_men.refresh_dead_men(now=desk.now) == 1
        assert self._armed(desk) == settings.HORIZONS.dead_man_s
        assert dead_men.refresh_dead_men(now=desk.now) == 0
        desk.later(settings.HORIZONS.dead_man_refresh_s)
        assert dead_men.refresh_dead_men(now=desk.now) == 1

    def test_it_is_off_before_a_stop_rests(self, desk):
        desk.decide(**LIMIT)
        desk.submit()
        dead_men.refresh_dead_men(now=desk.now)

        desk.venue.set_price(SPOT, Decimal(39_900))
        in_doubt_is_heard(desk)
        assert stops_at(desk) == [Decimal("0.0999")]
        assert self._armed(desk) == 0

        dead_men.refresh_dead_men(now=desk.now)
        assert not DeadManSwitch.objects.exists()

    def test_it_is_taken_off_when_nothing_rests_any_more(self, desk):
        desk.decide(**LIMIT)
        desk.submit()
        dead_men.refresh_dead_men(now=desk.now)
        desk.venue.book.cancel(desk.venue.orders[0])
        in_doubt_is_heard(desk)

        dead_men.refresh_dead_men(now=desk.now)

        assert self._armed(desk) == 0
        assert not DeadManSwitch.objects.exists()

    def test_a_switch_that_cannot_be_taken_off_is_tried_again(self, desk):
        desk.decide(**LIMIT)
        desk.submit()
        dead_men.refresh_dead_men(now=desk.now)
        desk.venue.book.cancel(desk.venue.orders[0])
        in_doubt_is_heard(desk)

        desk.venue.next_question(raises=VenueError("Not now."))
        dead_men.refresh_dead_men(now=desk.now)
        assert DeadManSwitch.objects.exists()
        dead_men.refresh_dead_men(now=desk.now)
        assert not DeadManSwitch.objects.exists()


def test_every_open_position_names_the_decision_that_opened_it(desk):
    order = desk.enter("0.1")

    assert DeploymentPosition.objects.get().entry_id == order.intent_id
