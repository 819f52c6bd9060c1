"""The acceptance cards: what a venue has to do before people may trade at it with keys, one test a card.

A card assumes nothing about prices, fees or other orders of the account, so that the same cards run on the simulator
and, with keys, on the practice market of a venue.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.packs import pack_of
from exchanges.adapters.protocol import OutcomeKind
from market.enums import MarginMode, OrderStatus, OrderType, Side
from market.errors import CredentialRejectedError, UnsupportedByVenueError
from market.timeframes import Timeframe
from tests.exchanges.adapters.desk import PATIENCE_S, Desk


class AcceptanceCards:
    """Twenty-four cards; ``desk`` is a fresh account, or the practice account that keys were given for."""

    def test_card_01_a_market_order_to_buy_fills_and_names_its_price(self, desk):
        before, order = desk.held(), desk.order()

        outcome = desk.submit(order)

        assert outcome.kind is OutcomeKind.DONE
        report = desk.find(order)
        assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, order.quantity)
        assert report.average_price > 0
        assert desk.held() > before

    def test_card_02_a_market_order_to_sell_fills(self, desk):
        desk.submit(desk.order())
        before, order = desk.held(), desk.order(side=Side.SELL)

        outcome = desk.submit(order)

        assert outcome.kind is OutcomeKind.DONE
        assert desk.find(order).status is OrderStatus.FILLED
        assert before - desk.held() == order.quantity

    @pytest.mark.parametrize(("side", "factor"), [(Side.BUY, "0.8"), (Side.SELL, "1.2")])
    def test_card_03_a_limit_order_away_from_the_price_rests(self, desk, side, factor):
        if side is Side.SELL:
            desk.submit(desk.order())
        order = desk.resting(side=side, price=desk.price(factor))

        outcome = desk.submit(order)

        assert outcome.report.status is OrderStatus.ACCEPTED
        assert desk.find(order).filled_quantity == 0
        desk.cancel(order, outcome.report.venue_order_id)

    def test_card_04_a_limit_order_through_the_price_fills_no_worse_than_its_limit(self, desk):
        order = desk.resting(price=desk.price("1.01"))

        desk.submit(order)

        report = desk.find(order)
        assert report.status is OrderStatus.FILLED
        assert report.average_price <= order.price

    def test_card_04_an_order_that_may_only_make_rests_or_ends_without_a_fill(self, desk):
        resting = desk.resting(post_only=True)
        sent = desk.submit(resting)
        assert desk.find(resting).status is OrderStatus.ACCEPTED
        desk.cancel(resting, sent.report.venue_order_id)

        crossing = desk.resting(price=desk.price("1.01"), post_only=True)
        outcome = desk.submit(crossing)

        if outcome.kind is OutcomeKind.REJECTED:
            assert outcome.code == "post_only_would_cross"
            return
        # Some venues take it and end it at once.
        assert outcome.kind is OutcomeKind.DONE
        ended = desk.find(crossing)
        assert ended.status in {OrderStatus.CANCELED, OrderStatus.EXPIRED}
        assert ended.filled_quantity == 0

    def test_card_05_an_order_beyond_what_is_held_is_refused(self, desk):
        quantity = desk.quantity() * 1_000_000

        outcome = desk.submit(desk.order(quantity=quantity))

        assert outcome.kind is OutcomeKind.REJECTED
        assert outcome.report is None

    def test_card_06_an_order_that_may_only_reduce_never_opens(self, desk):
        if not desk.is_swap:
            # What is not held cannot be sold, whatever an order says.
            assert desk.run(lambda c: c.positions()) == ()
            beyond = desk.on_lots(desk.held()) + 100
            selling = desk.order(side=Side.SELL, quantity=beyond, reduce_only=True)
            assert desk.submit(selling).kind is OutcomeKind.REJECTED
            return
        desk.flatten()
        opening = desk.order(side=Side.SELL, reduce_only=True)
        refused = desk.submit(opening)
        assert (refused.kind, refused.code) == (OutcomeKind.REJECTED, "reduce_only_refused")

        short = desk.order(side=Side.SELL)
        desk.submit(short)
        assert desk.held() == -short.quantity
        desk.submit(desk.order(quantity=short.quantity, reduce_only=True))

        assert desk.held() == 0

    def test_card_07_a_stop_rests_is_listed_and_is_canceled(self, desk):
        desk.submit(desk.order())
        order = desk.order(
            side=Side.SELL, order_type=OrderType.STOP_LOSS, trigger_price=desk.price("0.8")
        )

        outcome = desk.submit(order)

        assert outcome.report.status is OrderStatus.ACCEPTED
        listed = desk.run(lambda c: c.open_orders(desk.symbol))
        assert order.client_order_id in {report.client_order_id for report in listed}
        desk.cancel(order, outcome.report.venue_order_id)
        assert desk.find(order).status is OrderStatus.CANCELED

    def test_card_08_a_stop_that_the_price_has_passed_is_refused(self, desk):
        desk.submit(desk.order())
        order = desk.order(
            side=Side.SELL, order_type=OrderType.STOP_LOSS, trigger_price=desk.price("1.1")
        )

        outcome = desk.submit(order)

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "would_trigger_at_once")

    def test_card_09_a_resting_order_is_canceled_once(self, desk):
        order = desk.resting()
        sent = desk.submit(order)

        first = desk.cancel(order, sent.report.venue_order_id)
        second = desk.cancel(order, sent.report.venue_order_id)

        assert first.kind is OutcomeKind.DONE
        assert (second.kind, second.code) == (OutcomeKind.REJECTED, "order_not_open")
        assert desk.find(order).status is OrderStatus.CANCELED

    def test_card_10_canceling_what_has_filled_changes_nothing(self, desk):
        order = desk.order()
        sent = desk.submit(order)

        outcome = desk.cancel(order, sent.report.venue_order_id)

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "order_not_open")
        assert desk.find(order).status is OrderStatus.FILLED

    def test_card_11_an_open_order_is_found_and_listed_by_our_id(self, desk):
        order = desk.resting()
        sent = desk.submit(order)

        found = desk.find(order)
        listed = desk.run(lambda c: c.open_orders(desk.symbol))

        assert found.status is OrderStatus.ACCEPTED
        assert (found.side, found.quantity) == (order.side, order.quantity)
        assert found.venue_order_id == sent.report.venue_order_id
        assert [r.client_order_id for r in listed].count(order.client_order_id) == 1
        desk.cancel(order, sent.report.venue_order_id)

    def test_card_12_an_order_that_was_never_sent_is_not_known(self, desk):
        assert desk.find(desk.order()) is None

    def test_card_13_an_open_order_that_is_sent_again_stays_one(self, desk):
        order = desk.resting()
        first = desk.submit(order)

        second = desk.submit(order)

        assert second.kind is OutcomeKind.DONE
        assert second.report.venue_order_id == first.report.venue_order_id
        listed = desk.run(lambda c: c.open_orders(desk.symbol))
        assert [r.client_order_id for r in listed].count(order.client_order_id) == 1
        desk.cancel(order, first.report.venue_order_id)

    def test_card_14_a_price_between_two_ticks_is_not_sent(self, desk):
        between = desk.price("0.8") + desk.rules().tick_size / 2

        outcome = desk.submit(desk.resting(price=between))

        assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "off_step")

    def test_card_15_a_quantity_between_two_lots_is_not_sent(self, desk):
        between = desk.quantity() + desk.rules().lot_step / 2

        outcome = desk.submit(desk.resting(quantity=between))

        assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "off_step")

    def test_card_16_an_order_worth_too_little_is_refused(self, desk):
        cheap = desk.cheap_symbol
        rules = desk.rules(cheap)
        quantity = max(rules.minimum_quantity, rules.lot_step)
        order = desk.resting(symbol=cheap, price=desk.price("0.8", symbol=cheap), quantity=quantity)

        outcome = desk.submit(order)

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "order_too_small")

    def test_card_17_balances_say_what_is_free_and_what_orders_hold(self, desk):
        rules = desk.rules()
        currency = rules.settle if desk.is_swap else rules.quote

        def held() -> Any:
            found = desk.run(lambda c: c.balances())
            return next(b for b in found if b.currency == currency)

        before, order = held(), desk.resting()
        sent = desk.submit(order)
        during = held()
        desk.cancel(order, sent.report.venue_order_id)

        assert during.free < before.free
        assert held().free == before.free

    def test_card_18_executions_since_an_instant_are_complete_and_in_order(self, desk):
        start = desk.run(lambda c: c.server_time()) - timedelta(seconds=1)
        known = {fill.venue_trade_id for fill in fills_of(desk, start)}
        sides = [Side.BUY, Side.SELL, Side.BUY, Side.SELL]
        orders = [desk.order(side=side) for side in sides]
        sent = [desk.submit(order).report.venue_order_id for order in orders]

        fresh = [fill for fill in fills_of(desk, start) if fill.venue_trade_id not in known]

        assert list(dict.fromkeys(fill.venue_order_id for fill in fresh)) == sent
        assert len({fill.venue_trade_id for fill in fresh}) == len(fresh)
        assert sum(fill.quantity for fill in fresh) == sum(order.quantity for order in orders)
        assert all(fill.fee >= 0 and fill.fee_currency for fill in fresh)

    def test_card_19_bars_come_page_by_page_without_holes(self, desk):
        now = desk.run(lambda c: c.server_time())
        length = Timeframe.M1.milliseconds
        start = (int(now.timestamp() * 1_000) // length - 20) * length

        async def pages(client: CcxtVenueClient) -> list[int]:
            found: list[int] = []
            for page in range(2):
                since = start + page * 8 * length
                bars = await client.candles(desk.symbol, Timeframe.M1, since_ms=since, limit=8)
                found += [bar[0] for bar in bars]
            return found

        assert desk.run(pages) == [start + each * length for each in range(16)]

    def test_card_20_the_venue_tells_that_it_is_up_and_what_time_it_is(self, desk):
        at = desk.run(lambda c: c.server_time())

        assert desk.run(lambda c: c.status()).is_up
        assert abs(at - datetime.now(UTC)) < timedelta(seconds=30)

    def test_card_21_the_venue_tells_what_the_key_may_do(self, desk):
        permissions = desk.run(lambda c: c.key_permissions())

        assert (permissions.can_read, permissions.can_trade) == (True, True)
        assert permissions.can_withdraw is not True

    def test_card_22_a_wrong_secret_is_refused_as_such(self, desk):
        with pytest.raises(CredentialRejectedError):
            desk.with_wrong_secret(lambda c: c.balances())

        order = desk.resting()
        outcome = desk.with_wrong_secret(lambda c: c.submit(order, timeout_s=PATIENCE_S))

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "credential_rejected")
        assert desk.find(order) is None

    def test_card_23_leverage_and_margin_are_set_and_told(self, desk):
        if not desk.is_swap:
            with pytest.raises(UnsupportedByVenueError):
                desk.run(lambda c: c.set_leverage(desk.symbol, 2))
            return
        desk.flatten()
        desk.run(lambda c: c.set_margin_mode(desk.symbol, MarginMode.ISOLATED))
        desk.run(lambda c: c.set_leverage(desk.symbol, 2))
        desk.submit(desk.order())

        [position] = [p for p in desk.run(lambda c: c.positions()) if p.symbol == desk.symbol]

        assert (position.leverage, position.margin_mode) == (2, MarginMode.ISOLATED)
        assert position.quantity > 0
        desk.submit(desk.order(side=Side.SELL, quantity=position.quantity, reduce_only=True))

    def test_card_24_the_dead_mans_switch_is_armed_or_plainly_not_there(self, desk):
        if not pack_of(desk.code).has_dead_man:
            with pytest.raises(UnsupportedByVenueError):
                desk.run(lambda c: c.arm_dead_man(timeout_s=60))
            return
        order = desk.resting()
        sent = desk.submit(order)

        desk.run(lambda c: c.arm_dead_man(timeout_s=60))
        desk.run(lambda c: c.arm_dead_man(timeout_s=0))

        assert desk.find(order).status is OrderStatus.ACCEPTED
        desk.cancel(order, sent.report.venue_order_id)


def fills_of(desk: Desk, since: datetime) -> Any:
    return desk.run(lambda c: c.fills_since(desk.symbol, since=since))
