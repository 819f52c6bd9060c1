"""Orders, fills and money on scripted prices, with the clock in the test's hands."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.simulator.errors import ApiError
from exchanges.simulator.exchange import Exchange
from exchanges.simulator.orders import (
    Account,
    Kind,
    NewOrder,
    Order,
    Status,
    TimeInForce,
    Trade,
)
from exchanges.simulator.recordings import Script
from exchanges.simulator.store import Store
from exchanges.simulator.world import Settings, World
from market.enums import Side

START_MS = 1_700_000_000_000
SECOND = 1_000


class Venue:
    """A world whose BTC/USDT follows *points*, and one account in it."""

    def __init__(self, points, *, slippage_bps: float = 0.0, balances=None) -> None:
        self.store = Store(None)
        script = Script({"BTC/USDT": points}, START_MS, stepped=False)
        sources: list[Any] = []
        world = World(
            self.store, sources, Settings(4, slippage_bps), script=script, now_ms=START_MS
        )
        self.exchange: Exchange = world.exchange
        balances = balances or {"USDT": Decimal(100_000), "BTC": Decimal(1)}
        self.exchange.open_account(api_key="key", secret="secret", balances=balances)
        found = self.store.find_account("key")
        assert found is not None
        self.account: Account = found
        self.placed = 0

    def place(self, kind: Kind, side: Side, quantity: str | None, **more) -> Order:
        return self.place_at(START_MS, kind, side, quantity, **more)[0]

    def place_at(
        self, now_ms: int, kind: Kind, side: Side, quantity: str | None, **more
    ) -> tuple[Order, tuple[Trade, ...]]:
        self.placed += 1
        price, stop = more.get("price"), more.get("stop")
        worth = more.get("worth")
        new = NewOrder(
            symbol="BTCUSDT",
            side=side,
            kind=kind,
            time_in_force=more.get("time_in_force", TimeInForce.GTC),
            client_order_id=more.get("client_order_id", f"order-{self.placed}"),
            quantity=None if quantity is None else Decimal(quantity),
            quote_quantity=None if worth is None else Decimal(worth),
            price=None if price is None else Decimal(price),
            stop_price=None if stop is None else Decimal(stop),
        )
        return self.exchange.place(self.account, new, now_ms=now_ms)

    def after(self, order: Order, seconds: float) -> Order:
        self.exchange.settle(now_ms=START_MS + int(seconds * SECOND))
        found = self.store.find_order(
            self.account.id, "BTCUSDT", order_id=order.id, client_order_id=None
        )
        assert found is not None
        return found

    def holds(self) -> dict[str, tuple[Decimal, Decimal]]:
        return {b.asset: (b.free, b.locked) for b in self.store.balances(self.account.id)}

    def trades(self) -> list[Trade]:
        return self.store.trades(self.account.id, "BTCUSDT")


FLAT = [(0.0, 50_000.0)]
FALLING = [(0.0, 50_000.0), (10.0, 49_000.0)]
RISING = [(0.0, 50_000.0), (10.0, 51_000.0)]


class TestMarketOrders:
    def test_a_purchase_fills_at_once_and_pays_its_fee_in_what_it_receives(self):
        venue = Venue(FLAT)

        order, (trade,) = venue.place_at(START_MS, Kind.MARKET, Side.BUY, "0.1")

        assert (order.status, order.executed, order.quote_executed) == (
            Status.FILLED,
            Decimal("0.1"),
            Decimal(5_000),
        )
        assert (trade.fee, trade.fee_asset, trade.is_maker) == (Decimal("0.0001"), "BTC", False)
        assert venue.holds() == {
            "BTC": (Decimal("1.0999"), Decimal(0)),
            "USDT": (Decimal(95_000), Decimal(0)),
        }

    def test_a_sale_pays_its_fee_in_quote(self):
        venue = Venue(FLAT)

        _, (trade,) = venue.place_at(START_MS, Kind.MARKET, Side.SELL, "0.1")

        assert (trade.fee, trade.fee_asset) == (Decimal(5), "USDT")
        assert venue.holds()["USDT"] == (Decimal(104_995), Decimal(0))

    def test_a_sum_of_quote_buys_whole_lots_and_no_more(self):
        venue = Venue([(0.0, 49_999.99)])

        order = venue.place(Kind.MARKET, Side.BUY, None, worth="1000")

        assert order.executed == Decimal("0.02000")
        assert order.quote_executed <= 1_000

    def test_slippage_moves_the_price_against_both_sides(self):
        venue = Venue(FLAT, slippage_bps=10.0)

        bought = venue.place_at(START_MS, Kind.MARKET, Side.BUY, "0.1")[1][0]
        sold = venue.place_at(START_MS, Kind.MARKET, Side.SELL, "0.1")[1][0]

        assert (bought.price, sold.price) == (Decimal(50_050), Decimal(49_950))

    def test_what_is_not_covered_is_refused_and_changes_nothing(self):
        venue = Venue(FLAT)
        before = venue.holds()

        with pytest.raises(ApiError, match="insufficient balance"):
            venue.place(Kind.MARKET, Side.BUY, "2.1")

        assert venue.holds() == before
        assert venue.store.totals()["orders"] == 0


class TestLimitOrders:
    def test_one_that_crosses_fills_at_once_as_taker_at_the_better_price(self):
        venue = Venue(FLAT)

        order, (trade,) = venue.place_at(START_MS, Kind.LIMIT, Side.BUY, "0.1", price="50500")

        assert order.status == Status.FILLED
        assert (trade.price, trade.is_maker) == (Decimal(50_000), False)

    def test_one_that_rests_locks_its_worth_and_fills_as_maker_when_the_price_comes(self):
        venue = Venue(FALLING)

        order = venue.place(Kind.LIMIT, Side.BUY, "0.1", price="49500")
        assert venue.holds()["USDT"] == (Decimal(95_050), Decimal(4_950))
        assert venue.after(order, 4.75).status == Status.NEW

        filled = venue.after(order, 60)
        assert (filled.status, filled.updated_ms) == (Status.FILLED, START_MS + 5 * SECOND)
        assert venue.holds()["USDT"] == (Decimal(95_050), Decimal(0))
        (trade,) = venue.trades()
        assert (trade.price, trade.is_maker) == (Decimal(49_500), True)

    def test_a_cancellation_gives_the_lock_back(self):
        venue = Venue(FLAT)
        order = venue.place(Kind.LIMIT, Side.SELL, "0.4", price="60000")
        assert venue.holds()["BTC"] == (Decimal("0.6"), Decimal("0.4"))

        canceled = venue.exchange.cancel(order, now_ms=START_MS + SECOND)

        assert canceled.status == Status.CANCELED
        assert venue.holds()["BTC"] == (Decimal(1), Decimal(0))
        with pytest.raises(ApiError, match="Unknown order"):
            venue.exchange.cancel(canceled, now_ms=START_MS + SECOND)

    @pytest.mark.parametrize("time_in_force", [TimeInForce.IOC, TimeInForce.FOK])
    def test_one_that_may_not_wait_expires_unless_it_crosses(self, time_in_force):
        venue = Venue(FLAT)

        waiting = venue.place(
            Kind.LIMIT, Side.BUY, "0.1", price="49000", time_in_force=time_in_force
        )
        crossing = venue.place(
            Kind.LIMIT, Side.BUY, "0.1", price="50001", time_in_force=time_in_force
        )

        assert (waiting.status, crossing.status) == (Status.EXPIRED, Status.FILLED)
        assert venue.holds()["USDT"] == (Decimal(95_000), Decimal(0))

    def test_a_maker_only_order_that_would_take_is_refused(self):
        venue = Venue(FLAT)

        with pytest.raises(ApiError, match="immediately match and take"):
            venue.place(Kind.LIMIT_MAKER, Side.BUY, "0.1", price="50000")

        resting = venue.place(Kind.LIMIT_MAKER, Side.BUY, "0.1", price="49999.99")
        assert resting.status == Status.NEW


class TestStops:
    def test_a_stop_sells_when_its_price_is_touched(self):
        venue = Venue(FALLING)

        order = venue.place(Kind.STOP_LOSS, Side.SELL, "0.5", stop="49500")
        assert (order.status, order.is_working) == (Status.NEW, False)

        filled = venue.after(order, 5)
        assert (filled.status, filled.is_working) == (Status.FILLED, True)
        assert venue.trades()[0].price == Decimal(49_500)
        assert not venue.trades()[0].is_maker

    def test_a_stop_buys_on_the_way_up_with_slippage_covered_by_its_lock(self):
        venue = Venue(RISING, slippage_bps=10.0)

        order = venue.place(Kind.STOP_LOSS, Side.BUY, "0.1", stop="50500")
        locked = venue.holds()["USDT"][1]
        venue.after(order, 10)

        assert venue.trades()[0].quote_quantity == locked == Decimal("5055.05")

    @pytest.mark.parametrize(("side", "stop"), [(Side.SELL, "50000"), (Side.BUY, "49999")])
    def test_a_stop_on_the_wrong_side_of_the_price_is_refused(self, side, stop):
        venue = Venue(FLAT)

        with pytest.raises(ApiError, match="would trigger immediately"):
            venue.place(Kind.STOP_LOSS, side, "0.1", stop=stop)

    def test_a_stop_limit_whose_limit_is_beyond_rests_after_its_trigger(self):
        venue = Venue([(0.0, 50_000.0), (10.0, 49_000.0), (20.0, 50_000.0)])
        order = venue.place(Kind.STOP_LOSS_LIMIT, Side.SELL, "0.5", stop="49500", price="49800")

        triggered = venue.after(order, 8)
        filled = venue.after(order, 20)

        assert (triggered.status, triggered.is_working) == (Status.NEW, True)
        assert triggered.working_ms == START_MS + 5 * SECOND
        assert filled.status == Status.FILLED
        assert venue.trades()[0].price == Decimal(49_800)
        assert venue.trades()[0].is_maker

    def test_a_stop_limit_within_its_limit_sells_at_the_stop(self):
        venue = Venue(FALLING)
        order = venue.place(Kind.STOP_LOSS_LIMIT, Side.SELL, "0.5", stop="49500", price="49400")

        assert venue.after(order, 10).status == Status.FILLED
        assert venue.trades()[0].price == Decimal(49_500)


class TestClientOrderIds:
    def test_one_is_unique_among_open_orders_and_free_again_afterwards(self):
        venue = Venue(FLAT)
        order = venue.place(Kind.LIMIT, Side.BUY, "0.1", price="49000", client_order_id="mine")

        with pytest.raises(ApiError, match=r"Duplicate order sent\."):
            venue.place(Kind.MARKET, Side.BUY, "0.1", client_order_id="mine")

        venue.exchange.cancel(order, now_ms=START_MS)
        again = venue.place(Kind.MARKET, Side.BUY, "0.1", client_order_id="mine")
        assert again.status == Status.FILLED


class TestLimitsOfABook:
    def test_the_twenty_first_stop_is_refused(self):
        venue = Venue(FLAT)
        for _ in range(20):
            venue.place(Kind.STOP_LOSS, Side.SELL, "0.001", stop="49000")

        with pytest.raises(ApiError, match="MAX_NUM_ALGO_ORDERS"):
            venue.place(Kind.STOP_LOSS, Side.SELL, "0.001", stop="49000")


points = st.lists(st.integers(48_000, 52_000), min_size=2, max_size=12).map(
    lambda prices: [(float(place), float(price)) for place, price in enumerate(prices)]
)
looks = st.lists(st.integers(1, 12_000), max_size=12).map(sorted)
wishes = st.lists(
    st.tuples(
        st.sampled_from(list(Kind)),
        st.sampled_from(list(Side)),
        st.integers(1, 80_000),
        st.integers(48_000, 52_000),
        st.integers(48_000, 52_000),
    ),
    min_size=1,
    max_size=8,
)


def try_to_place(venue: Venue, wish, *, now_ms: int) -> None:
    kind, side, lots, price, stop = wish
    more = {}
    if kind.has_limit:
        more["price"] = str(price)
    if kind.is_stop:
        more["stop"] = str(stop)
    try:
        venue.place_at(now_ms, kind, side, str(lots * Decimal("0.00001")), **more)
    except ApiError as error:
        if error.code not in {-1013, -2010}:
            raise


class TestProperties:
    @settings(max_examples=60, deadline=None)
    @given(points, wishes, looks)
    def test_when_and_how_orders_fill_does_not_depend_on_who_looks_when(
        self, path, wanted, instants
    ):
        watched, ignored = Venue(path), Venue(path)
        for wish in wanted:
            try_to_place(watched, wish, now_ms=START_MS)
            try_to_place(ignored, wish, now_ms=START_MS)

        for instant in instants:
            watched.exchange.settle(now_ms=START_MS + instant)
        for venue in (watched, ignored):
            venue.exchange.settle(now_ms=START_MS + 13_000)

        def facts(venue: Venue) -> dict[int, tuple[Decimal, bool, int]]:
            return {t.order_id: (t.price, t.is_maker, t.at_ms) for t in venue.trades()}

        assert facts(watched) == facts(ignored)
        assert watched.holds() == ignored.holds()

    @settings(max_examples=60, deadline=None)
    @given(points, wishes, st.booleans())
    def test_no_money_appears_or_vanishes_but_for_fees(self, path, wanted, cancels):
        venue = Venue(path)
        for place, wish in enumerate(wanted):
            try_to_place(venue, wish, now_ms=START_MS + place * SECOND)
        if cancels:
            for order in venue.store.open_orders():
                venue.exchange.cancel(order, now_ms=START_MS + 8 * SECOND)
        venue.exchange.settle(now_ms=START_MS + 13_000)

        expected = {"USDT": Decimal(100_000), "BTC": Decimal(1)}
        for trade in venue.trades():
            sign = 1 if trade.side is Side.BUY else -1
            expected["BTC"] += sign * trade.quantity
            expected["USDT"] -= sign * trade.quote_quantity
            expected[trade.fee_asset] -= trade.fee
        locked = {"USDT": Decimal(0), "BTC": Decimal(0)}
        for order in venue.store.open_orders():
            locked["USDT" if order.side is Side.BUY else "BTC"] += order.locked
        held = venue.holds()
        assert {asset: sum(parts) for asset, parts in held.items()} == expected
        assert {asset: parts[1] for asset, parts in held.items()} == locked
        assert all(free >= 0 for free, _ in held.values())
