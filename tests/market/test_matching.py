"""The fill rules, one by one. Tick 1, lot 1, no costs unless a test says so."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.costs import Costs
from market.enums import Leg, Liquidity, OrderType, Side
from market.matching import Bar, bracket, match
from market.orders import KernelOrder

FREE = Costs(
    maker_fee_bps=0,
    taker_fee_bps=0,
    slippage_bps=0,
    spread_bps=0,
    tick_size=1,
    lot_step=1,
    minimum_notional=0,
)
DEAR = replace(FREE, maker_fee_bps=100, taker_fee_bps=200, slippage_bps=100)
BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LOSS


def bar(open_, high, low, close):
    return Bar(0, open_, high, low, close)


def entry(side, kind=MARKET, price=0, lots=10, **more):
    return KernelOrder(Leg.ENTRY, side, kind, lots, price, **more)


def stop(side, price, lots=10):
    return KernelOrder(Leg.STOP, side, STOP, lots, price, reduce_only=True)


def target(side, price, lots=10):
    return KernelOrder(Leg.TARGET, side, LIMIT, lots, price, reduce_only=True)


def prices(result):
    return [(fill.leg, fill.price_ticks) for fill in result.fills]


class TestMarketOrders:
    def test_no_orders_no_fills(self):
        assert match((), bar(1, 1, 1, 1), FREE) == ((), (), ())

    @pytest.mark.parametrize(("side", "price"), [(BUY, 101), (SELL, 99)])
    def test_they_fill_at_the_open_slipped_against_us(self, side, price):
        result = match([entry(side)], bar(100, 120, 90, 110), DEAR)

        (fill,) = result.fills
        assert (fill.price_ticks, fill.lots, fill.at_open) == (price, 10, True)
        assert fill.liquidity is Liquidity.TAKER
        assert fill.fee == pytest.approx(10 * price * 0.02)
        assert fill.slippage == pytest.approx(10)
        assert result.working == ()

    @pytest.mark.parametrize(("side", "ticks"), [(BUY, 11), (SELL, 10)])
    def test_a_price_between_ticks_is_rounded_against_us(self, side, ticks):
        costs = replace(FREE, tick_size=10)

        assert match([entry(side)], bar(105, 105, 105, 105), costs).fills[0].price_ticks == ticks

    def test_an_exit_and_the_opposite_entry_fill_in_their_order(self):
        close = KernelOrder(Leg.EXIT, SELL, MARKET, 10, reduce_only=True)

        result = match([close, entry(SELL, lots=7, stop_percent=2)], bar(100, 101, 99, 100), FREE)

        assert prices(result) == [(Leg.EXIT, 100), (Leg.ENTRY, 100)]
        assert [(order.leg, order.lots) for order in result.working] == [(Leg.STOP, 7)]

    def test_a_buyer_spends_no_more_than_the_budget_fee_included(self):
        order = entry(BUY, budget=1_000)

        (fill,) = match([order], bar(100, 100, 100, 100), DEAR).fills

        assert fill.lots == 9
        assert fill.lots * fill.price_ticks + fill.fee <= 1_000

    def test_a_budget_that_buys_nothing_cancels_the_order(self):
        order = entry(BUY, budget=50)

        assert match([order], bar(100, 100, 100, 100), FREE) == ((), (), (order,))


class TestLimits:
    @pytest.mark.parametrize(
        ("side", "ohlc", "price"),
        [
            (BUY, (100, 105, 91, 95), None),
            (BUY, (100, 105, 90, 95), 90),
            (BUY, (85, 95, 80, 95), 85),
            (SELL, (80, 89, 75, 85), None),
            (SELL, (80, 90, 75, 85), 90),
            (SELL, (95, 99, 85, 90), 95),
        ],
    )
    def test_they_fill_at_their_price_or_at_a_better_open(self, side, ohlc, price):
        order = entry(side, LIMIT, 90)

        result = match([order], bar(*ohlc), DEAR)

        if price is None:
            assert result == ((), (order,), ())
        else:
            (fill,) = result.fills
            assert fill.price_ticks == price
            assert fill.liquidity is Liquidity.MAKER
            assert fill.fee == pytest.approx(10 * price * 0.01)
            assert fill.slippage == 0

    def test_binary_noise_does_not_hide_a_touch(self):
        costs = replace(FREE, tick_size=0.1)

        result = match([entry(SELL, LIMIT, 3)], bar(0.2, 0.3, 0.2, 0.2), costs)

        assert prices(result) == [(Leg.ENTRY, 3)]


class TestStops:
    @pytest.mark.parametrize(
        ("side", "ohlc", "price"),
        [
            (SELL, (100, 105, 91, 95), None),
            (SELL, (100, 105, 90, 95), 89),
            (SELL, (80, 95, 70, 95), 79),
            (BUY, (80, 89, 75, 85), None),
            (BUY, (80, 90, 75, 85), 91),
            (BUY, (100, 102, 95, 96), 101),
        ],
    )
    def test_they_trigger_at_their_price_or_a_worse_open_and_slip(self, side, ohlc, price):
        order = stop(side, 90)

        result = match([order], bar(*ohlc), DEAR)

        assert prices(result) == ([] if price is None else [(Leg.STOP, price)])
        assert result.working == ((order,) if price is None else ())

    @pytest.mark.parametrize(
        ("limit", "ohlc", "filled", "rests"),
        [
            (88, (100, 101, 90, 95), 89, False),
            (90, (100, 101, 90, 95), 90, False),
            (88, (80, 85, 75, 80), None, True),
            (88, (80, 92, 75, 80), 88, False),
            (88, (100, 101, 91, 95), None, False),
        ],
    )
    def test_a_stop_limit_becomes_a_limit_once_triggered(self, limit, ohlc, filled, rests):
        order = KernelOrder(
            Leg.STOP, SELL, OrderType.STOP_LOSS_LIMIT, 10, 90, limit, reduce_only=True
        )

        result = match([order], bar(*ohlc), DEAR)

        assert [fill.price_ticks for fill in result.fills] == ([filled] if filled else [])
        if rests:
            (resting,) = result.working
            assert (resting.kind, resting.price_ticks) == (LIMIT, 88)


class TestBrackets:
    def test_an_entry_at_the_open_gets_stop_and_target_around_its_fill_price(self):
        order = entry(BUY, stop_percent=2, target_percent=4, key="k1")

        result = match([order], bar(1000, 1030, 995, 1010), DEAR)

        # Filled at 1010 after slippage; 989.8 and 1050.4 are rounded away from it.
        first, second = result.working
        assert first == stop(SELL, 989)._replace(reason="STOP", key="k1")
        assert second == target(SELL, 1051)._replace(reason="TARGET", key="k1")

    def test_a_short_entry_is_protected_above(self):
        orders = bracket(
            entry_side=SELL,
            lots=3,
            average_price=101.5,
            stop_percent=2,
            target_percent=4,
            costs=FREE,
        )

        # 103.53 up, 97.44 down.
        assert [(o.leg, o.side, o.price_ticks, o.lots) for o in orders] == [
            (Leg.STOP, BUY, 104, 3),
            (Leg.TARGET, BUY, 97, 3),
        ]

    def test_zero_percent_means_no_order_and_so_does_a_target_below_one_tick(self):
        given_none = bracket(
            entry_side=SELL,
            lots=1,
            average_price=10,
            stop_percent=0,
            target_percent=100,
            costs=FREE,
        )

        assert given_none == ()

    def test_the_bracket_has_the_size_that_was_filled(self):
        order = entry(BUY, budget=500, stop_percent=2)

        result = match([order], bar(100, 101, 99, 100), FREE)

        assert [working.lots for working in result.working] == [5]

    @pytest.mark.parametrize(
        ("ohlc", "leg", "price"),
        [
            ((100, 110, 99, 105), Leg.TARGET, 104),
            ((100, 103, 98, 99), Leg.STOP, 98),
            ((100, 110, 90, 100), Leg.STOP, 98),
        ],
    )
    def test_the_bracket_of_an_entry_at_the_open_works_in_the_same_bar(self, ohlc, leg, price):
        order = entry(BUY, stop_percent=2, target_percent=4)

        result = match([order], bar(*ohlc), FREE)

        assert prices(result) == [(Leg.ENTRY, 100), (leg, price)]
        assert result.working == ()
        assert len(result.canceled) == 1

    def test_stop_and_target_in_one_bar_is_the_stop(self):
        orders = [target(SELL, 110), stop(SELL, 90)]

        result = match(orders, bar(100, 115, 85, 100), FREE)

        assert prices(result) == [(Leg.STOP, 90)]
        assert result.canceled == (orders[0],)

    def test_a_target_jumped_over_at_the_open_comes_before_a_stop_later_in_the_bar(self):
        result = match([stop(SELL, 90), target(SELL, 110)], bar(112, 115, 85, 100), FREE)

        assert prices(result) == [(Leg.TARGET, 112)]
        assert result.working == ()

    @pytest.mark.parametrize(
        ("side", "kind", "level", "ohlc"),
        [
            (BUY, LIMIT, 100, (105, 120, 99, 110)),
            (BUY, STOP, 100, (99, 120, 99, 110)),
            (SELL, LIMIT, 100, (95, 101, 80, 90)),
            (SELL, STOP, 100, (101, 101, 80, 90)),
        ],
    )
    def test_an_entry_inside_the_bar_does_not_reach_its_target_in_it(self, side, kind, level, ohlc):
        order = entry(side, kind, level, stop_percent=2, target_percent=4)

        result = match([order], bar(*ohlc), FREE)

        assert prices(result) == [(Leg.ENTRY, 100)]
        assert [working.leg for working in result.working] == [Leg.STOP, Leg.TARGET]

    @pytest.mark.parametrize(
        ("side", "kind", "ohlc", "stopped_at"),
        [
            (BUY, LIMIT, (105, 120, 97, 110), 98),
            (BUY, STOP, (97, 120, 96, 110), 98),
            (SELL, LIMIT, (95, 103, 80, 90), 102),
            (SELL, STOP, (103, 104, 80, 90), 102),
        ],
    )
    def test_an_entry_inside_the_bar_may_be_stopped_out_in_it(self, side, kind, ohlc, stopped_at):
        order = entry(side, kind, 100, stop_percent=2, target_percent=4)

        result = match([order], bar(*ohlc), FREE)

        assert prices(result) == [(Leg.ENTRY, 100), (Leg.STOP, stopped_at)]
        assert not result.fills[0].at_open
        assert result.working == ()

    def test_a_partial_exit_leaves_the_rest_protected(self):
        close = KernelOrder(Leg.EXIT, SELL, MARKET, 4, reduce_only=True)

        result = match([close, stop(SELL, 90), target(SELL, 120)], bar(100, 101, 99, 100), FREE)

        assert [(order.leg, order.lots) for order in result.working] == [
            (Leg.STOP, 6),
            (Leg.TARGET, 6),
        ]


class TestExpiry:
    def test_an_order_rests_for_as_many_bars_as_it_may(self):
        order = entry(BUY, LIMIT, 50, expires_after_bars=2)
        quiet = bar(100, 101, 99, 100)

        first = match([order], quiet, FREE)
        assert first.working == (order._replace(expires_after_bars=1),)

        second = match(first.working, quiet, FREE)
        assert second == ((), (), first.working)


@st.composite
def bars(draw):
    low = draw(st.integers(50, 150))
    high = draw(st.integers(low, 160))
    inside = st.integers(low, high)
    return bar(draw(inside), high, low, draw(inside))


@given(
    one_bar=bars(),
    side=st.sampled_from(Side),
    kind=st.sampled_from([MARKET, LIMIT, STOP]),
    level=st.integers(60, 140),
)
def test_fills_stay_inside_the_bar_and_never_close_more_than_was_opened(one_bar, side, kind, level):
    order = entry(side, kind, 0 if kind is MARKET else level, stop_percent=2, target_percent=3)

    result = match([order], one_bar, FREE)

    opened = sum(fill.lots for fill in result.fills if fill.leg is Leg.ENTRY)
    closed = sum(fill.lots for fill in result.fills if fill.leg is not Leg.ENTRY)
    assert closed in {0, opened}
    for fill in result.fills:
        assert one_bar.low <= fill.price_ticks <= one_bar.high
    protective = [working for working in result.working if working.reduce_only]
    assert len(protective) == (2 if opened > closed else 0)
