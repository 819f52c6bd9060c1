"""The decision at the close of a bar, reason by reason."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.costs import Costs
from market.enums import InstrumentKind, Leg, OrderType, Side
from market.matching import Bar
from market.timeframes import DAY_MS, HOUR_MS, Timeframe
from strategies.decide import decide, match_position
from strategies.reasons import ReasonCode
from strategies.rules import Rules, SizingMode, TradeDirection
from strategies.signals import SignalRow
from strategies.state import PositionState

COSTS = Costs(
    maker_fee_bps=0,
    taker_fee_bps=0,
    slippage_bps=0,
    spread_bps=0,
    tick_size=0.01,
    lot_step=0.00001,
    minimum_notional=5,
)
RULES = Rules(stop_percent=2, target_percent=4, sizing=SizingMode.RISK, size=1, short_allowed=True)
SPOT = RULES.for_market(InstrumentKind.SPOT, Timeframe.H1)
FLAT = PositionState.fresh(10_000.0)
LONG_STATE = PositionState.of_position(
    lots=10_000, average_price=50_000, cash=5_000, capital=10_000
)
SHORT_STATE = PositionState.of_position(
    lots=-10_000, average_price=50_000, cash=15_000, capital=10_000
)
NOTHING = SignalRow()
UP = SignalRow(enter_long=True, exit_short=True)
DOWN = SignalRow(enter_short=True, exit_long=True)
BAR = Bar(10 * DAY_MS, 50_000, 50_000, 50_000, 50_000)


class TestFlat:
    def test_a_signal_enters_at_market_with_its_bracket(self):
        decision = decide(FLAT, UP, BAR, RULES, COSTS)

        (order,) = decision.orders
        assert decision.reason is ReasonCode.ENTER_LONG
        assert (order.leg, order.side, order.kind) == (Leg.ENTRY, Side.BUY, OrderType.MARKET)
        assert (order.stop_percent, order.target_percent) == (2, 4)
        assert not order.reduce_only
        assert decision.state.entry_lots == order.lots

    def test_the_size_risks_one_percent_at_a_stop_of_two(self):
        (order,) = decide(FLAT, UP, BAR, RULES, COSTS).orders

        assert order.lots * COSTS.lot_step == pytest.approx(0.1)

    def test_a_short_signal_sells_where_shorts_are_allowed(self):
        decision = decide(FLAT, DOWN, BAR, RULES, COSTS)

        assert decision.reason is ReasonCode.ENTER_SHORT
        assert decision.orders[0].side is Side.SELL

    @pytest.mark.parametrize(
        ("signal", "rules", "reason"),
        [
            (NOTHING, RULES, ReasonCode.NO_SIGNAL),
            (SignalRow(ready=False), RULES, ReasonCode.WARMING_UP),
            (UP._replace(enter_short=True), RULES, ReasonCode.NO_SIGNAL),
            (DOWN, SPOT, ReasonCode.SHORT_NOT_ALLOWED),
            (DOWN, replace(RULES, direction=TradeDirection.LONG), ReasonCode.SHORT_NOT_ALLOWED),
            (UP, replace(RULES, direction=TradeDirection.SHORT), ReasonCode.LONG_NOT_ALLOWED),
            (UP, replace(RULES, size=1e-6), ReasonCode.BELOW_MINIMUM),
        ],
    )
    def test_every_refusal_has_its_reason_and_no_order(self, signal, rules, reason):
        decision = decide(FLAT, signal, BAR, rules, COSTS)

        assert (decision.reason, decision.orders) == (reason, ())
        assert decision.state == FLAT

    @pytest.mark.parametrize("cash", [0.0, -5.0, 1.0])
    def test_without_money_nothing_is_bought(self, cash):
        broke = FLAT._replace(cash=cash)

        assert decide(broke, UP, BAR, RULES, COSTS).reason is ReasonCode.NO_CAPITAL

    @pytest.mark.parametrize(
        "blocked", [ReasonCode.DATA_STALE, ReasonCode.ENTRIES_PAUSED, ReasonCode.ENTITLEMENT_ENDED]
    )
    def test_a_forbidden_entry_says_why_only_when_there_would_have_been_one(self, blocked):
        refused = decide(FLAT, UP, BAR, RULES, COSTS, no_entry=blocked)
        quiet = decide(FLAT, NOTHING, BAR, RULES, COSTS, no_entry=blocked)

        assert (refused.reason, refused.orders) == (blocked, ())
        assert quiet.reason is ReasonCode.NO_SIGNAL

    def test_an_order_that_still_works_is_waited_for(self):
        decision = decide(FLAT._replace(awaits_venue=1), UP, BAR, RULES, COSTS)

        assert (decision.reason, decision.orders) == (ReasonCode.ORDER_PENDING, ())


class TestInPosition:
    @pytest.mark.parametrize("state", [LONG_STATE, SHORT_STATE])
    def test_without_a_signal_it_is_held(self, state):
        decision = decide(state, NOTHING, BAR, RULES, COSTS)

        assert (decision.reason, decision.orders) == (ReasonCode.HOLD, ())

    def test_a_signal_in_its_own_direction_changes_nothing(self):
        assert decide(LONG_STATE, UP, BAR, RULES, COSTS).reason is ReasonCode.HOLD

    @pytest.mark.parametrize(
        ("state", "signal", "side"),
        [(LONG_STATE, DOWN, Side.SELL), (SHORT_STATE, UP, Side.BUY)],
    )
    def test_the_opposite_signal_closes_and_opens_the_other_way(self, state, signal, side):
        decision = decide(state, signal, BAR, RULES, COSTS)

        close, opens = decision.orders
        assert decision.reason is ReasonCode.REVERSE
        assert decision.cancels_bracket
        assert (close.leg, close.side, close.lots, close.reduce_only) == (
            Leg.EXIT,
            side,
            10_000,
            True,
        )
        assert (opens.leg, opens.side, opens.lots) == (Leg.ENTRY, side, 10_000)

    @pytest.mark.parametrize(
        ("rules", "blocked"),
        [
            (SPOT, None),
            (RULES, ReasonCode.ENTITLEMENT_ENDED),
            (replace(RULES, cooldown_ms=HOUR_MS), None),
            (replace(RULES, size=1e-6), None),
        ],
    )
    def test_where_no_entry_is_possible_the_exit_still_is(self, rules, blocked):
        decision = decide(LONG_STATE, DOWN, BAR, rules, COSTS, no_entry=blocked)

        assert decision.reason is ReasonCode.EXIT_SIGNAL
        assert [order.leg for order in decision.orders] == [Leg.EXIT]
        assert decision.cancels_bracket

    def test_a_resting_bracket_does_not_hold_back_an_exit_and_goes_with_it(self):
        protected = LONG_STATE._replace(stop_ticks=4_900_000, target_ticks=5_200_000)

        decision = decide(protected, DOWN, BAR, SPOT, COSTS)

        assert [order.leg for order in protected.protection()] == [Leg.STOP, Leg.TARGET]
        assert decision.state.protection() == ()
        assert decision.state.exit_lots == 10_000


class TestLimitsInTime:
    def test_after_an_exit_the_cooldown_runs_from_the_bar_that_noticed_it(self):
        rules = replace(RULES, cooldown_ms=HOUR_MS)
        was_long = FLAT._replace(seen_lots=10)

        first = decide(was_long, UP, BAR, rules, COSTS)
        second = decide(
            first.state, UP, BAR._replace(open_time=BAR.open_time + HOUR_MS), rules, COSTS
        )

        assert first.reason is ReasonCode.COOLDOWN
        assert second.reason is ReasonCode.ENTER_LONG

    def test_a_day_has_only_so_many_entries(self):
        rules = replace(RULES, max_trades_per_day=1)
        first = decide(FLAT, UP, BAR, rules, COSTS)
        state = first.state._replace(entry_side=0)

        again = decide(state, UP, BAR._replace(open_time=BAR.open_time + HOUR_MS), rules, COSTS)
        tomorrow = decide(state, UP, BAR._replace(open_time=BAR.open_time + DAY_MS), rules, COSTS)

        assert again.reason is ReasonCode.DAILY_LIMIT
        assert tomorrow.reason is ReasonCode.ENTER_LONG


def lots_of(state, rules, bar=BAR, costs=COSTS):
    """Return the lots that an entry decided at the close of *bar* asks for."""
    return sum(order.lots for order in decide(state, UP, bar, rules, costs).orders)


class TestSizing:
    @pytest.mark.parametrize(
        ("mode", "size", "quantity"),
        [
            (SizingMode.RISK, 1, 0.1),
            (SizingMode.NOTIONAL, 10, 0.02),
            (SizingMode.FIXED_BASE, 0.05, 0.05),
            (SizingMode.FIXED_QUOTE, 1_000, 0.02),
        ],
    )
    def test_each_mode_has_its_formula(self, mode, size, quantity):
        rules = replace(RULES, sizing=mode, size=size)

        lots = lots_of(FLAT, rules)

        assert lots * COSTS.lot_step == pytest.approx(quantity)

    def test_a_loss_does_not_shrink_the_size_unless_it_compounds(self):
        half = FLAT._replace(cash=5_000.0)

        compounding = replace(RULES, compounding=True)

        assert (lots_of(half, RULES), lots_of(half, compounding)) == (10_000, 5_000)

    @given(
        cash=st.floats(10, 1e6),
        size=st.floats(0.1, 10),
        price=st.floats(0.5, 1e5),
        slippage=st.floats(0, 100),
    )
    def test_a_buy_never_costs_more_than_there_is(self, cash, size, price, slippage):
        costs = replace(COSTS, taker_fee_bps=10, slippage_bps=slippage)
        bar = BAR._replace(close=price)

        lots = lots_of(FLAT._replace(cash=cash), RULES, bar, costs)

        spent = costs.notional(lots, costs.slipped(price, Side.BUY)) * (1 + costs.taker_rate)
        assert spent <= cash * (1 + 1e-9)

    def test_leverage_raises_the_cap_and_not_the_risk(self):
        tight = replace(RULES, stop_percent=0.5)

        levered = lots_of(FLAT, replace(tight, leverage=3))

        assert (lots_of(FLAT, tight), levered) == (20_000, 40_000)
        assert lots_of(FLAT, replace(RULES, leverage=3)) == 10_000

    def test_spot_knows_no_leverage(self):
        assert (
            replace(RULES, leverage=5).for_market(InstrumentKind.SPOT, Timeframe.H1).leverage == 1
        )

    def test_sizing_by_risk_without_a_stop_is_refused(self):
        with pytest.raises(ValueError, match="needs a stop"):
            replace(RULES, stop_percent=0)


class TestFillsAndState:
    def test_fills_move_cash_and_position_and_the_bracket_is_noted(self):
        state = decide(FLAT, UP, BAR, RULES, COSTS).state

        state = match_position(state, BAR, RULES, COSTS).state

        assert (state.lots, state.average_price) == (10_000, 50_000)
        assert state.cash == pytest.approx(5_000)
        assert (state.stop_ticks, state.target_ticks) == (4_900_000, 5_200_000)
        assert state.equity(51_000, COSTS.lot_step) == pytest.approx(10_100)

    def test_a_reversal_leaves_the_price_of_the_new_position(self):
        state = decide(LONG_STATE, DOWN, BAR, RULES, COSTS).state
        dearer = BAR._replace(open=51_000.0, high=51_000.0, low=51_000.0, close=51_000.0)

        state = match_position(state, dearer, RULES, COSTS).state

        assert (state.lots, state.average_price) == (-10_000, 51_000)
        assert state.equity(51_000, COSTS.lot_step) == pytest.approx(10_100)

    def test_state_survives_json_bit_for_bit(self):
        state = decide(LONG_STATE._replace(cash=0.1 + 0.2), DOWN, BAR, RULES, COSTS).state

        assert PositionState.from_json(json.loads(json.dumps(state.to_json()))) == state

    def test_state_of_another_version_is_refused(self):
        with pytest.raises(ValueError, match="version 99"):
            PositionState.from_json({**FLAT.to_json(), "version": 99})
