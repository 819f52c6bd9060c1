"""How a bar meets a position: exits, entries, brackets, ladders, targets. Tick 1, lot 1, no costs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.costs import Costs
from market.enums import Leg
from market.kernel.records import AT_LIMIT, AT_MARKET, AT_STOP
from market.matching import Bar
from strategies.decide import match_position
from strategies.rules import Ladder, PartialTarget, Rules, SizingMode
from strategies.state import PositionState

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
RULES = Rules(2.0, 4.0, SizingMode.FIXED_BASE, 10, short_allowed=True)
BARE = replace(RULES, stop_percent=0, target_percent=0)
FLAT = PositionState.fresh(100_000.0)
LONG, SHORT = 1, -1


def bar(open_, high, low, close, **more):
    return Bar(0, open_, high, low, close, **more)


def entering(side, kind=AT_MARKET, ticks=0, lots=10, **more):
    return FLAT._replace(
        entry_side=side, entry_kind=kind, entry_lots=lots, entry_ticks=ticks, trades=1, **more
    )


def holding(lots, price=100, **more):
    return PositionState(lots, price, 100_000.0 - lots * price, 100_000.0)._replace(**more)


def meets(state, one_bar, rules=RULES, costs=FREE, **more):
    return match_position(state, one_bar, rules, costs, **more)


def executions(matched):
    return [(fill.leg, fill.lots, fill.price_ticks) for fill in matched.fills]


class TestExitsAndEntries:
    def test_an_exit_and_the_opposite_entry_fill_in_their_order(self):
        state = holding(10, exit_lots=10, entry_side=SHORT, entry_lots=7)

        matched = meets(state, bar(100, 101, 99, 100))

        assert executions(matched) == [(Leg.EXIT, 10, 100), (Leg.ENTRY, 7, 100)]
        assert matched.state.lots == -7
        assert (matched.state.stop_ticks, matched.state.target_ticks) == (102, 96)

    def test_a_buyer_spends_no_more_than_the_budget_fee_included(self):
        (fill,) = meets(
            entering(LONG, entry_budget=1_000), bar(100, 100, 100, 100), BARE, DEAR
        ).fills

        assert fill.lots == 9
        assert fill.lots * fill.price_ticks + fill.fee <= 1_000

    def test_a_budget_that_buys_nothing_takes_the_order_and_its_count_back(self):
        matched = meets(entering(LONG, entry_budget=50), bar(100, 100, 100, 100))

        assert matched.fills == ()
        assert matched.state.is_idle
        assert matched.state.trades == 0


class TestBrackets:
    def test_an_entry_is_protected_around_the_price_that_it_got(self):
        matched = meets(entering(LONG), bar(1_000, 1_030, 995, 1_010), RULES, DEAR)

        # Filled at 1010 after slippage; 989.8 and 1050.4 are rounded away from it.
        assert (matched.state.stop_ticks, matched.state.target_ticks) == (989, 1_051)

    def test_levels_that_the_signal_asked_for_go_first(self):
        state = entering(LONG, entry_stop_ticks=95, entry_target_ticks=120)

        matched = meets(state, bar(100, 105, 97, 100))

        assert (matched.state.stop_ticks, matched.state.target_ticks) == (95, 120)

    @pytest.mark.parametrize(
        ("ohlc", "leg", "price"),
        [
            ((100, 110, 99, 105), Leg.TARGET, 104),
            ((100, 103, 98, 99), Leg.STOP, 98),
            ((100, 110, 90, 100), Leg.STOP, 98),
        ],
    )
    def test_the_bracket_of_an_entry_at_the_open_works_in_the_same_bar(self, ohlc, leg, price):
        matched = meets(entering(LONG), bar(*ohlc))

        assert executions(matched) == [(Leg.ENTRY, 10, 100), (leg, 10, price)]
        assert matched.state.protection() == ()

    def test_stop_and_target_in_one_bar_is_the_stop_unless_the_kind_order_is_asked_for(self):
        state, both = holding(10, stop_ticks=90, target_ticks=110), bar(100, 115, 85, 100)

        assert executions(meets(state, both)) == [(Leg.STOP, 10, 90)]
        assert executions(meets(state, both, kindly=True)) == [(Leg.TARGET, 10, 110)]

    @pytest.mark.parametrize(
        ("open_", "leg", "price"), [(112, Leg.TARGET, 112), (85, Leg.STOP, 85)]
    )
    def test_what_the_open_jumps_over_fills_at_the_open(self, open_, leg, price):
        state = holding(10, stop_ticks=90, target_ticks=110)

        assert executions(meets(state, bar(open_, 115, 80, 100))) == [(leg, 10, price)]

    @pytest.mark.parametrize(
        ("side", "kind", "ohlc"),
        [
            (LONG, AT_LIMIT, (105, 120, 99, 110)),
            (LONG, AT_STOP, (99, 120, 99, 110)),
            (SHORT, AT_LIMIT, (95, 101, 80, 90)),
            (SHORT, AT_STOP, (101, 101, 80, 90)),
        ],
    )
    def test_an_entry_inside_the_bar_does_not_reach_its_target_in_it(self, side, kind, ohlc):
        matched = meets(entering(side, kind, 100), bar(*ohlc))

        assert executions(matched) == [(Leg.ENTRY, 10, 100)]
        assert len(matched.state.protection()) == 2

    @pytest.mark.parametrize(
        ("side", "kind", "ohlc", "stopped_at"),
        [
            (LONG, AT_LIMIT, (105, 120, 97, 110), 98),
            (LONG, AT_STOP, (97, 120, 96, 110), 98),
            (SHORT, AT_LIMIT, (95, 103, 80, 90), 102),
            (SHORT, AT_STOP, (103, 104, 80, 90), 102),
        ],
    )
    def test_an_entry_inside_the_bar_may_be_stopped_out_in_it(self, side, kind, ohlc, stopped_at):
        matched = meets(entering(side, kind, 100), bar(*ohlc))

        assert executions(matched) == [(Leg.ENTRY, 10, 100), (Leg.STOP, 10, stopped_at)]
        assert not matched.fills[0].at_open
        assert matched.state.lots == 0

    def test_kindly_a_stop_entry_survives_a_low_that_may_have_come_before(self):
        rising = bar(97, 103, 96, 102)

        assert executions(meets(entering(LONG, AT_STOP, 100), rising, kindly=True)) == [
            (Leg.ENTRY, 10, 100)
        ]


class TestLadder:
    """The check table of a ladder: first fill 100, equal sizes in quote, steps of one percent."""

    COSTS = replace(FREE, tick_size=0.01, lot_step=0.0001)
    RULES = Rules(
        5.0,
        20.0,
        SizingMode.FIXED_QUOTE,
        10_000,
        partial_targets=(PartialTarget(1, 40), PartialTarget(3, 40)),
        stop_ratchet=True,
        ladder=Ladder(5, 1.0, 10_000),
    )

    def entered(self, capital=1_000_000.0):
        state = PositionState.fresh(capital)._replace(
            entry_side=LONG, entry_kind=AT_LIMIT, entry_lots=1_000_000, entry_ticks=10_000
        )
        return meets(state, bar(100, 100, 100, 100), self.RULES, self.COSTS).state

    @pytest.mark.parametrize(
        ("low", "average", "target", "stop"),
        [
            (100.0, 100.0, 101.0, 95.0),
            (99.0, 99.4975, 100.4925, 94.5226),
            (98.0, 98.9933, 99.9832, 94.0436),
            (97.0, 98.4873, 99.4722, 93.5629),
            (96.0, 97.9796, 98.9594, 93.0806),
            (95.0, 97.4701, 98.4448, 92.5966),
        ],
    )
    def test_each_fill_moves_average_target_and_stop(self, low, average, target, stop):
        state = meets(self.entered(), bar(100, 100, low, low), self.RULES, self.COSTS).state

        assert state.average_price == pytest.approx(average, abs=1e-4)
        assert state.target_ticks * 0.01 == pytest.approx(target, abs=0.0101)
        assert state.stop_ticks * 0.01 == pytest.approx(stop, abs=0.0101)

    def test_the_walk_down_comes_first_and_the_farther_target_counts(self):
        # Down to 97, then up to 100.5: the recomputed target of 99.48 was not yet there at first.
        matched = meets(self.entered(), bar(100, 100.5, 97, 100), self.RULES, self.COSTS)

        assert [fill.leg for fill in matched.fills] == [Leg.LADDER] * 3
        assert [fill.step for fill in matched.fills] == [1, 2, 3]

    def test_targets_sell_forty_forty_and_the_rest_and_the_stop_ratchets(self):
        state = self.entered()

        first = meets(state, bar(100, 101, 100, 100.5), self.RULES, self.COSTS)
        second = meets(first.state, bar(101, 103, 100.5, 102), self.RULES, self.COSTS)
        third = meets(second.state, bar(103, 125, 103, 120), self.RULES, self.COSTS)

        assert executions(first) == [(Leg.TARGET, 400_000, 10_100)]
        assert first.state.stop_ticks == 10_000
        assert first.state.ladder_ticks == 0
        assert executions(second) == [(Leg.TARGET, 240_000, 10_300)]
        assert second.state.stop_ticks == 10_100
        assert executions(third) == [(Leg.TARGET, 360_000, 12_000)]
        assert third.state.lots == 0

    def test_a_step_that_cannot_be_paid_for_ends_the_ladder(self):
        state = self.entered(capital=15_000.0)

        matched = meets(state, bar(100, 100, 97.5, 98), self.RULES, self.COSTS)

        assert [fill.leg for fill in matched.fills] == [Leg.LADDER]
        assert matched.state.cash >= 0
        assert matched.state.ladder_ticks == 0


class TestFundingAndRuin:
    def test_funding_is_paid_by_longs_and_earned_by_shorts(self):
        quiet = bar(100, 100, 100, 100, funding_rate=0.001)

        long_state = meets(holding(10), quiet, BARE).state
        short_state = meets(holding(-10), quiet, BARE).state

        assert long_state.cash == pytest.approx(holding(10).cash - 1)
        assert short_state.cash == pytest.approx(holding(-10).cash + 1)

    @pytest.mark.parametrize(
        ("lots", "ohlc"), [(50, (100, 101, 80, 90)), (-50, (100, 125, 99, 110))]
    )
    def test_a_levered_position_is_liquidated_before_its_equity_is_gone(self, lots, ohlc):
        costs = replace(FREE, maintenance_bps=50)
        state = PositionState(lots, 100.0, 1_000.0 - lots * 100, 1_000.0)

        matched = meets(state, bar(*ohlc), BARE, costs)

        (fill,) = matched.fills
        assert (fill.leg, fill.reason) == (Leg.STOP, "LIQUIDATION")
        assert 0 < matched.state.cash < 60

    def test_a_nearer_stop_goes_before_ruin(self):
        costs = replace(FREE, maintenance_bps=50)
        state = PositionState(50, 100.0, -4_000.0, 1_000.0)._replace(stop_ticks=90)

        assert meets(state, bar(100, 101, 80, 90), BARE, costs).fills[0].reason == "STOP"


@st.composite
def bars(draw):
    low = draw(st.integers(50, 150))
    high = draw(st.integers(low, 160))
    inside = st.integers(low, high)
    return bar(draw(inside), high, low, draw(inside))


@given(
    first=bars(),
    second=bars(),
    side=st.sampled_from([LONG, SHORT]),
    kind=st.sampled_from([AT_MARKET, AT_LIMIT, AT_STOP]),
    level=st.integers(60, 140),
    kindly=st.booleans(),
    parts=st.sampled_from(
        [(), (PartialTarget(1, 30),), (PartialTarget(1, 30), PartialTarget(2, 50))]
    ),
    steps=st.integers(0, 4),
)
def test_fills_stay_inside_the_bar_and_quantity_and_cash_add_up(
    first, second, side, kind, level, kindly, parts, steps
):
    rules = replace(
        RULES,
        partial_targets=parts,
        stop_ratchet=True,
        ladder=Ladder(steps, 1.5, 500) if steps else None,
    )
    state = entering(side, kind, 0 if kind == AT_MARKET else level)
    fills = []
    for one_bar in (first, second):
        state, filled = meets(state, one_bar, rules, kindly=kindly)
        fills += [(one_bar, fill) for fill in filled]

    signed = [fill.lots if fill.side == "BUY" else -fill.lots for _, fill in fills]
    spent = sum(lots * fill.price_ticks for lots, (_, fill) in zip(signed, fills, strict=True))
    assert sum(signed) == state.lots
    assert state.lots * side >= 0
    assert state.cash == pytest.approx(100_000 - spent)
    for one_bar, fill in fills:
        assert one_bar.low <= fill.price_ticks <= one_bar.high
        assert fill.lots > 0
    assert bool(state.lots) == bool(state.stop_ticks)
