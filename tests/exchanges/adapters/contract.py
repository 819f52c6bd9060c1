"""What every venue client must do, run against each of them in the modules beside this one."""

import asyncio
import inspect
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from django.db import transaction

from exchanges.adapters.protocol import OrderRequest, OutcomeKind, VenueClient
from market.enums import Liquidity, OrderStatus, OrderType, Side

T = TypeVar("T")

SYMBOL = "BTC/USDT"
TICK = Decimal("0.01")
TIMEOUT_S = 5.0


class Harness(ABC):
    """A venue under test: makes clients of one funded account (100,000 USDT and 1 BTC)."""

    @abstractmethod
    def client(self) -> VenueClient:
        """Return a new client; called outside of an event loop."""

    def run(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        """Ask one thing with a client of its own, as a task of the platform does."""
        client = self.client()

        async def whole() -> T:
            try:
                return await ask(client)
            finally:
                await client.close()

        return asyncio.run(whole())

    def submit(self, order: OrderRequest) -> Any:
        return self.run(lambda c: c.submit(order, timeout_s=TIMEOUT_S))

    def cancel(self, order: OrderRequest, venue_order_id: str = "") -> Any:
        return self.run(
            lambda c: c.cancel(
                symbol=order.symbol,
                client_order_id=order.client_order_id,
                venue_order_id=venue_order_id,
                timeout_s=TIMEOUT_S,
            )
        )

    def find(self, order: OrderRequest) -> Any:
        return self.run(
            lambda c: c.find_order(symbol=order.symbol, client_order_id=order.client_order_id)
        )

    def price(self, factor: str = "1") -> Decimal:
        """Return a multiple of the last price, on a tick."""
        last: Decimal = self.run(lambda c: c.last_price(SYMBOL))
        return (last * Decimal(factor)).quantize(TICK)


def make_order(**fields: Any) -> OrderRequest:
    """Return a market order to buy 0.01 BTC with a fresh client order id."""
    defaults: dict[str, Any] = {
        "client_order_id": secrets.token_hex(16),
        "symbol": SYMBOL,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("0.01"),
    }
    return OrderRequest(**(defaults | fields))


class VenueContract:
    """Holds for every client, the ones that only check orders included."""

    def test_nothing_but_the_protocol_can_be_called(self, venue):
        client = venue.client()
        wanted = {name for name in dir(VenueClient) if not name.startswith("_")}

        offered = {name for name in dir(client) if not name.startswith("_")}
        asyncio.run(client.close())

        assert offered == wanted
        assert all(inspect.iscoroutinefunction(getattr(client, name)) for name in offered)

    def test_the_clock_is_near_ours(self, venue):
        at = venue.run(lambda c: c.server_time())

        assert at.tzinfo is not None
        assert abs(at - datetime.now(UTC)) < timedelta(seconds=5)

    def test_an_instrument_has_steps_and_minimums(self, venue):
        rules = {each.symbol: each for each in venue.run(lambda c: c.instruments())}[SYMBOL]

        assert (rules.base, rules.quote, rules.is_active) == ("BTC", "USDT", True)
        assert (rules.tick_size, rules.lot_step) == (TICK, Decimal("0.00001"))
        assert rules.minimum_notional == 5

    def test_the_price_of_a_ticker_is_the_last_price(self, venue):
        [ticker] = venue.run(lambda c: c.tickers([SYMBOL]))

        assert (ticker.symbol, ticker.last) == (SYMBOL, venue.price())
        assert ticker.bid <= ticker.last <= ticker.ask
        assert venue.run(lambda c: c.status()).is_up

    def test_a_spot_venue_holds_no_positions(self, venue):
        assert list(venue.run(lambda c: c.positions())) == []

    def test_a_market_order_is_taken(self, venue):
        order = make_order()

        outcome = venue.submit(order)

        assert outcome.kind is OutcomeKind.DONE
        assert outcome.report.client_order_id == order.client_order_id
        assert outcome.report.venue_order_id
        assert (outcome.report.side, outcome.report.quantity) == (Side.BUY, Decimal("0.01"))

    def test_an_order_that_may_only_make_rests_or_is_refused(self, venue):
        order = make_order(order_type=OrderType.LIMIT, price=venue.price("0.8"), post_only=True)
        assert venue.submit(order).report.status is OrderStatus.ACCEPTED
        venue.cancel(order)

        crossing = make_order(order_type=OrderType.LIMIT, price=venue.price("1.2"), post_only=True)
        outcome = venue.submit(crossing)

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "post_only_would_cross")

    def test_an_order_worth_too_little_is_refused(self, venue):
        outcome = venue.submit(make_order(quantity=Decimal("0.00001")))

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "order_too_small")

    @pytest.mark.parametrize(
        "fields",
        [
            {"quantity": Decimal("0.000015")},
            {"order_type": OrderType.LIMIT, "price": Decimal("100.001")},
            {"quantity": Decimal(0)},
        ],
    )
    def test_an_order_off_the_steps_is_not_sent(self, venue, fields):
        outcome = venue.submit(make_order(**fields))

        assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "off_step")

    def test_an_order_for_an_unknown_market_is_not_sent(self, venue):
        outcome = venue.submit(make_order(symbol="XXX/USDT"))

        assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "unknown_symbol")

    def test_an_order_that_was_never_sent_is_not_known(self, venue):
        assert venue.find(make_order()) is None

    def test_the_key_may_trade_and_not_withdraw(self, venue):
        permissions = venue.run(lambda c: c.key_permissions())

        assert (permissions.can_read, permissions.can_trade) == (True, True)
        assert permissions.can_withdraw is False

    @pytest.mark.django_db(transaction=True)
    def test_no_call_leaves_the_process_inside_a_transaction(self, venue):
        client = venue.client()
        order = make_order()
        calls = [
            lambda: client.submit(order, timeout_s=1),
            lambda: client.cancel(
                symbol=SYMBOL, client_order_id="x", venue_order_id="", timeout_s=1
            ),
        ]

        for call in calls:
            with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
                asyncio.run(call())
        asyncio.run(client.close())


class ExchangeContract(VenueContract):
    """Holds for clients of venues that keep orders, executions and balances themselves."""

    def test_a_market_order_fills_and_names_its_executions(self, venue):
        outcome = venue.submit(make_order())

        assert outcome.report.status is OrderStatus.FILLED
        assert sum(fill.quantity for fill in outcome.fills) == Decimal("0.01")
        fill = outcome.fills[0]
        assert fill.liquidity is Liquidity.TAKER
        assert (fill.fee, fill.fee_currency) == (Decimal("0.00001"), "BTC")
        assert fill.venue_order_id == outcome.report.venue_order_id
        assert outcome.report.average_price == fill.price

    @pytest.mark.parametrize(
        ("order_type", "price", "trigger_price"),
        [
            (OrderType.LIMIT, "1.2", None),
            (OrderType.STOP_LOSS, None, "0.8"),
            (OrderType.STOP_LOSS_LIMIT, "0.79", "0.8"),
        ],
    )
    def test_a_resting_order_is_found_listed_and_canceled_once(
        self, venue, order_type, price, trigger_price
    ):
        order = make_order(
            side=Side.SELL,
            order_type=order_type,
            price=venue.price(price) if price else None,
            trigger_price=venue.price(trigger_price) if trigger_price else None,
        )

        outcome = venue.submit(order)
        assert outcome.report.status is OrderStatus.ACCEPTED
        assert outcome.fills == ()

        assert venue.find(order).status is OrderStatus.ACCEPTED
        listed = venue.run(lambda c: c.open_orders(SYMBOL))
        assert order.client_order_id in {report.client_order_id for report in listed}

        canceled = venue.cancel(order, outcome.report.venue_order_id)
        assert canceled.kind is OutcomeKind.DONE
        assert canceled.report.status is OrderStatus.CANCELED
        assert canceled.report.client_order_id == order.client_order_id
        assert venue.find(order).status is OrderStatus.CANCELED
        assert order.client_order_id not in {
            report.client_order_id for report in venue.run(lambda c: c.open_orders(SYMBOL))
        }

        again = venue.cancel(order, outcome.report.venue_order_id)
        assert (again.kind, again.code) == (OutcomeKind.REJECTED, "order_not_open")

    def test_canceling_an_order_that_filled_changes_nothing(self, venue):
        order = make_order()
        venue.submit(order)

        outcome = venue.cancel(order)

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "order_not_open")
        assert venue.find(order).status is OrderStatus.FILLED

    def test_a_working_order_that_is_sent_again_stays_one_order(self, venue):
        order = make_order(order_type=OrderType.LIMIT, price=venue.price("0.8"))
        first = venue.submit(order)

        second = venue.submit(order)

        assert second.kind is OutcomeKind.DONE
        assert second.report.venue_order_id == first.report.venue_order_id
        listed = venue.run(lambda c: c.open_orders(SYMBOL))
        assert len([r for r in listed if r.client_order_id == order.client_order_id]) == 1

    def test_an_order_beyond_the_balance_is_refused(self, venue):
        outcome = venue.submit(make_order(quantity=Decimal(50)))

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "insufficient_balance")

    def test_a_stop_that_is_already_touched_is_refused(self, venue):
        order = make_order(
            side=Side.SELL, order_type=OrderType.STOP_LOSS, trigger_price=venue.price("1.1")
        )

        outcome = venue.submit(order)

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "would_trigger_at_once")

    def test_executions_are_listed_since_an_instant_and_in_order(self, venue):
        start = venue.run(lambda c: c.server_time())
        ids = [
            fill.venue_trade_id
            for order in [make_order(), make_order(side=Side.SELL), make_order()]
            for fill in venue.submit(order).fills
        ]

        fills = venue.run(lambda c: c.fills_since(SYMBOL, since=start))
        later = start + timedelta(hours=1)

        assert [fill.venue_trade_id for fill in fills] == ids
        assert [fill.side for fill in fills] == [Side.BUY, Side.SELL, Side.BUY]
        assert venue.run(lambda c: c.fills_since(SYMBOL, since=later)) == []

    def test_balances_move_with_what_is_locked_bought_and_paid(self, venue):
        def held(currency):
            found = {b.currency: b for b in venue.run(lambda c: c.balances())}
            return found[currency]

        before = held("BTC")
        resting = make_order(side=Side.SELL, order_type=OrderType.LIMIT, price=venue.price("1.2"))
        venue.submit(resting)
        assert held("BTC").used == before.used + Decimal("0.01")
        assert held("BTC").free == before.free - Decimal("0.01")

        venue.cancel(resting)
        assert held("BTC") == before

        usdt = held("USDT").free
        outcome = venue.submit(make_order())
        assert held("BTC").free == before.free + Decimal("0.00999")
        assert held("USDT").free == usdt - Decimal("0.01") * outcome.report.average_price
