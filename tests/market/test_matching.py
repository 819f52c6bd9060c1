"""How one order meets a bar. Tick 1, lot 1, no costs unless a test says so."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.costs import Costs
from market.enums import Leg, Liquidity, OrderType, Side
from market.matching import Bar, meet, protective_ticks
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


def met(order, one_bar, costs):
    return meet(order, one_bar, costs)


class TestMarketOrders:
    @pytest.mark.parametrize(("side", "price"), [(BUY, 101), (SELL, 99)])
    def test_they_fill_at_the_open_slipped_against_us(self, side, price):
        fill, rests = met(entry(side), bar(100, 120, 90, 110), DEAR)

        assert (fill.price_ticks, fill.lots, fill.at_open) == (price, 10, True)
        assert fill.liquidity is Liquidity.TAKER
        assert fill.fee == pytest.approx(10 * price * 0.02)
        assert fill.slippage == pytest.approx(10)
        assert rests is None

    @pytest.mark.parametrize(("side", "ticks"), [(BUY, 11), (SELL, 10)])
    def test_a_price_between_ticks_is_rounded_against_us(self, side, ticks):
        costs = replace(FREE, tick_size=10)

        assert met(entry(side), bar(105, 105, 105, 105), costs).fill.price_ticks == ticks


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

        fill, rests = met(order, bar(*ohlc), DEAR)

        if price is None:
            assert (fill, rests) == (None, order)
        else:
            assert fill.price_ticks == price
            assert fill.liquidity is Liquidity.MAKER
            assert fill.fee == pytest.approx(10 * price * 0.01)
            assert fill.slippage == 0

    def test_binary_noise_does_not_hide_a_touch(self):
        costs = replace(FREE, tick_size=0.1)

        assert met(entry(SELL, LIMIT, 3), bar(0.2, 0.3, 0.2, 0.2), costs).fill.price_ticks == 3


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
        order = entry(side, STOP, 90)

        fill, rests = met(order, bar(*ohlc), DEAR)

        assert (fill and fill.price_ticks, rests) == (price, order if price is None else None)

    @pytest.mark.parametrize(
        ("limit", "ohlc", "filled", "rests"),
        [
            (88, (100, 101, 90, 95), 89, False),
            (90, (100, 101, 90, 95), 90, False),
            (88, (80, 85, 75, 80), None, True),
            (88, (100, 101, 91, 95), None, False),
        ],
    )
    def test_a_stop_limit_becomes_a_limit_once_triggered(self, limit, ohlc, filled, rests):
        order = entry(SELL, OrderType.STOP_LOSS_LIMIT, 90, limit_ticks=limit)

        fill, left = met(order, bar(*ohlc), DEAR)

        assert (fill and fill.price_ticks) == filled
        if rests:
            assert (left.kind, left.price_ticks, left.limit_ticks) == (LIMIT, 88, 0)
        else:
            assert left == (None if filled else order)


class TestProtectiveLevels:
    @pytest.mark.parametrize(
        ("side", "price", "levels"),
        [(BUY, 1010, (989, 1051)), (SELL, 101.5, (104, 97))],
    )
    def test_they_lie_around_the_price_and_are_rounded_away_from_it(self, side, price, levels):
        found = protective_ticks(
            entry_side=side, average_price=price, stop_percent=2, target_percent=4, costs=FREE
        )

        assert found == levels

    def test_zero_percent_means_none_and_so_does_a_level_below_one_tick(self):
        found = protective_ticks(
            entry_side=SELL, average_price=10, stop_percent=0, target_percent=100, costs=FREE
        )

        assert found == (0, 0)


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
def test_an_order_fills_whole_and_inside_the_bar_or_rests_as_it_is(one_bar, side, kind, level):
    order = entry(side, kind, 0 if kind is MARKET else level)

    fill, rests = met(order, one_bar, FREE)

    assert (fill is None) == (rests == order)
    if fill is not None:
        assert fill.lots == 10
        assert one_bar.low <= fill.price_ticks <= one_bar.high
