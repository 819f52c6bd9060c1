"""What the compiled fold promises: sleeping, stepping and splitting change nothing, not a bit."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.engine import simulate
from market.candles import Candles
from market.costs import Costs
from market.enums import ExitReason, InstrumentKind, Leg
from market.matching import Bar
from market.orders import KernelFill
from market.timeframes import HOUR_MS, MINUTE_MS, Timeframe
from strategies.causality import generated_candles
from strategies.decide import decide, match_position
from strategies.reasons import CODES, ReasonCode
from strategies.registry import all_definitions
from strategies.rules import Ladder, PartialTarget, Rules, SizingMode, TradeDirection
from strategies.signals import Signals
from strategies.state import PositionState
from strategies.views import MarketView

COSTS = Costs(
    maker_fee_bps=2,
    taker_fee_bps=5,
    slippage_bps=3,
    spread_bps=1,
    tick_size=0.01,
    lot_step=0.00001,
    minimum_notional=5,
    maintenance_bps=50,
)
SINGLE = [each for each in all_definitions() if not each.requirements(each.params()).needs_universe]
BARS = 600


@st.composite
def rulebooks(draw):
    """Return rules with any of the features switched on."""
    partial = draw(
        st.sampled_from([(), (PartialTarget(1, 40),), (PartialTarget(1, 40), PartialTarget(2, 50))])
    )
    return Rules(
        stop_percent=draw(st.sampled_from([0.0, 0.8, 3.0])),
        target_percent=draw(st.sampled_from([0.0, 4.0])),
        partial_targets=partial,
        stop_ratchet=draw(st.booleans()),
        trail_activation_percent=draw(st.sampled_from([0.0, 1.0])),
        trail_offset_percent=draw(st.sampled_from([0.0, 0.7])),
        ladder=draw(st.sampled_from([None, Ladder(3, 1.0, 500.0, 1.5)])),
        anchor_includes_fees=draw(st.booleans()),
        sizing=draw(st.sampled_from([SizingMode.NOTIONAL, SizingMode.FIXED_QUOTE])),
        size=draw(st.sampled_from([20.0, 95.0])),
        compounding=draw(st.booleans()),
        direction=draw(st.sampled_from(TradeDirection)),
        leverage=draw(st.sampled_from([1.0, 8.0])),
        cooldown_ms=draw(st.sampled_from([0, 3 * HOUR_MS])),
        max_trades_per_day=draw(st.sampled_from([0, 2])),
        max_trades=draw(st.sampled_from([0, 9])),
        max_hold_ms=draw(st.sampled_from([0, 12 * HOUR_MS])),
        exit_after_bars=draw(st.sampled_from([0, 2])),
        exit_needs_arming=draw(st.booleans()),
        allows_reversal=draw(st.booleans()),
        short_allowed=True,
    )


def random_signals(seed, candles):
    """Return signals of every kind at random bars."""
    random = np.random.default_rng(seed)
    count = len(candles)

    def some(share):
        return random.random(count) < share

    kinds = random.choice([0, 0, 1, 2], count).astype(np.int8)
    shift = random.normal(0, 0.01, count)
    undefined = np.full(count, np.nan)
    return Signals(
        enter_long=some(0.05),
        enter_short=some(0.05),
        exit_long=some(0.05),
        exit_short=some(0.05),
        ready=np.arange(count) > 20,
        flatten=some(0.01),
        arm_exit=some(0.1),
        entry_kind=kinds,
        entry_price=candles.close * (1 + shift),
        entry_bars=random.integers(0, 4, count).astype(np.int32),
        stop_price=np.where(some(0.1), candles.close * 0.98, undefined),
        target_price=np.where(some(0.1), candles.close * 1.05, undefined),
        session=(candles.open_time // (8 * HOUR_MS)) if seed % 2 else None,
    )


def funding_of(candles):
    return np.where(candles.open_time % (8 * HOUR_MS) == 0, 0.0002, 0.0)


def records(result):
    return (
        result.fill_columns.tobytes(),
        result.trade_columns.tobytes(),
        result.equity.tobytes(),
        result.position.tobytes(),
        result.reasons.tobytes(),
        result.state,
    )


def run(candles, signals, rules, **more):
    if "trade_from_ms" not in more:
        more["trade_from_ms"] = int(candles.open_time[30])
    return simulate(candles, signals, rules, COSTS, capital=10_000.0, **more)


class TestTheFold:
    @settings(max_examples=60, deadline=None)
    @given(rules=rulebooks(), seed=st.integers(0, 10_000))
    def test_sleeping_through_quiet_bars_changes_no_bit(self, rules, seed):
        candles = generated_candles(BARS, seed=seed)
        signals, funding = random_signals(seed, candles), funding_of(candles)

        awake = run(candles, signals, rules, funding=funding, sleeps=False)

        assert records(run(candles, signals, rules, funding=funding)) == records(awake)

    @settings(max_examples=40, deadline=None)
    @given(rules=rulebooks(), seed=st.integers(0, 10_000), cut=st.integers(1, BARS - 1))
    def test_two_halves_with_the_state_carried_over_are_one_run(self, rules, seed, cut):
        candles = generated_candles(BARS, seed=seed)
        signals = random_signals(seed, candles)
        whole = run(candles, signals, rules)

        start = int(candles.open_time[30])
        first = run(candles.slice(0, cut), _part(signals, 0, cut), rules, trade_from_ms=start)
        stored = json.loads(json.dumps(first.state.to_json()))
        second = run(
            candles.slice(cut, BARS),
            _part(signals, cut, BARS),
            rules,
            trade_from_ms=start,
            state=PositionState.from_json(stored),
        )

        assert second.state == whole.state
        assert np.concatenate([first.equity, second.equity]).tobytes() == whole.equity.tobytes()
        assert len(first.fill_columns) + len(second.fill_columns) == len(whole.fill_columns)

    @settings(max_examples=60, deadline=None)
    @given(rules=rulebooks(), seed=st.integers(0, 10_000))
    def test_cash_and_the_position_are_the_equity_and_fills_stay_inside_their_bar(
        self, rules, seed
    ):
        candles = generated_candles(BARS, seed=seed)
        funding = funding_of(candles)

        result = run(candles, random_signals(seed, candles), rules, funding=funding)

        fills = result.fill_columns
        price, lots = fills["price_ticks"] * 0.01, fills["lots"] * 1e-5
        signed = fills["side"] * lots
        cash = np.full(BARS, 10_000.0)
        for bar, change in zip(fills["bar"], -signed * price - fills["fee"], strict=True):
            cash[bar:] += change
        held = np.concatenate([[0], result.position[:-1]]) * 1e-5
        cash -= np.cumsum(held * candles.open * funding)
        # A market exit at the open comes after funding, on what was held before.
        assert result.equity == pytest.approx(
            cash + result.position * 1e-5 * candles.close, rel=1e-9, abs=1e-6
        )
        rough = 1 + 4e-4
        bars = fills["bar"]
        assert (price <= candles.high[bars] * rough + 0.01).all()
        assert (price >= candles.low[bars] / rough - 0.01).all()
        assert (fills["lots"] > 0).all()
        earned = result.trade_columns["pnl"].sum()
        assert result.final_equity == pytest.approx(10_000 + earned, rel=1e-9, abs=1e-6)

    @settings(max_examples=30, deadline=None)
    @given(rules=rulebooks(), seed=st.integers(0, 10_000))
    def test_the_kind_order_inside_bars_differs_only_where_a_bar_is_ambiguous(self, rules, seed):
        candles = generated_candles(BARS, seed=seed)
        signals = random_signals(seed, candles)

        harsh, kind = run(candles, signals, rules), run(candles, signals, rules, kindly=True)

        if not harsh.ambiguous_bars:
            assert kind.equity.tobytes() == harsh.equity.tobytes()


class TestEveryStrategy:
    @pytest.mark.parametrize("definition", SINGLE, ids=lambda each: each.slug)
    def test_bar_by_bar_with_the_state_through_json_gives_the_same_records(self, definition):
        params = definition.default_params()
        requirements = definition.requirements(params)
        frame = requirements.longest_timeframe or Timeframe.M15
        frame = min(frame, Timeframe.M15, key=lambda each: each.milliseconds)
        warm_up = requirements.bars(frame)
        candles = generated_candles(warm_up + 700, timeframe=frame)
        rules = definition.rules(params).for_market(InstrumentKind.LINEAR_SWAP, frame)
        signals = definition.signals(MarketView(candles, frame), params)
        start = int(candles.open_time[warm_up])
        whole = run(candles, signals, rules, trade_from_ms=start)

        stored = PositionState.fresh(10_000.0).to_json()
        fills: list[KernelFill] = []
        said = signals.rows()
        for index, row in enumerate(candles.rows()):
            bar, state = Bar(*row), PositionState.from_json(stored)
            state, filled = match_position(state, bar, rules, COSTS)
            fills += filled
            early = ReasonCode.WARMING_UP if bar.open_time < start else None
            decision = decide(state, said[index], bar, rules, COSTS, no_entry=early)
            assert decision.reason is CODES[whole.reasons[index]]
            stored = json.loads(json.dumps(decision.state.to_json()))

        assert tuple(fills) == whole.fills
        assert PositionState.from_json(stored) == whole.state


def _part(signals, start, stop):
    return Signals(**{name: column[start:stop] for name, column in signals.columns().items()})


def _quiet(count):
    return np.zeros(count, dtype=np.bool_)


def enter_at(count, *bars):
    enters = _quiet(count)
    enters[list(bars)] = True
    nothing = _quiet(count)
    return Signals(enters, nothing, nothing, nothing, ~nothing)


FREE = replace(
    COSTS, maker_fee_bps=0, taker_fee_bps=0, slippage_bps=0, spread_bps=0, maintenance_bps=0
)
PLAIN = Rules(5.0, 10.0, SizingMode.FIXED_BASE, 1.0)


def hours(*bars):
    return Candles.from_rows([(i * HOUR_MS, *bar, 1.0) for i, bar in enumerate(bars)])


def minutes(first_hour, *closes):
    """Return bars of 15 minutes from *first_hour* on, each a straight line between two prices."""
    rows, before = [], closes[0]
    for number, close in enumerate(closes[1:]):
        opened = first_hour * HOUR_MS + number * 15 * MINUTE_MS
        rows.append((opened, before, max(before, close), min(before, close), close, 1.0))
        before = close
    return Candles.from_rows(rows)


class TestDetail:
    BOTH = ((100, 100, 100, 100), (100, 112, 94, 100), (100, 100, 100, 100))

    def exits(self, **more):
        candles = hours(*self.BOTH)
        result = simulate(
            candles, enter_at(3, 0), PLAIN, FREE, capital=1_000.0, trade_from_ms=0, **more
        )
        return result, [fill.leg for fill in result.fills if fill.leg is not Leg.ENTRY]

    def test_without_it_the_worse_order_counts_and_is_said_to_be_a_guess(self):
        result, legs = self.exits()

        assert legs == [Leg.STOP]
        assert result.ambiguous_bars == 1

    def test_the_kind_order_is_the_other_end_of_the_interval(self):
        assert self.exits(kindly=True)[1] == [Leg.TARGET]

    def test_shorter_bars_decide_which_level_was_first(self):
        up_first = minutes(1, 100, 112, 103, 94, 100)
        down_first = minutes(1, 100, 94, 103, 112, 100)

        result, legs = self.exits(detail=up_first)

        assert legs == [Leg.TARGET]
        assert result.ambiguous_bars == 0
        assert self.exits(detail=down_first)[1] == [Leg.STOP]

    def test_a_bar_without_shorter_ones_meets_itself(self):
        assert self.exits(detail=minutes(7, 100, 100, 100))[1] == [Leg.STOP]


class TestEnds:
    def test_each_way_out_has_its_reason(self):
        candles = hours(*[(100, 100.5, 99.5, 100)] * 8)
        signals = enter_at(8, 0)
        flatten = _quiet(8)
        flatten[3] = True

        by_session = run_free(candles, replace_columns(signals, flatten=flatten), PLAIN)
        by_time = run_free(candles, signals, replace(PLAIN, max_hold_ms=3 * HOUR_MS))

        assert by_session.trades[0].exit_reason is ExitReason.SESSION_END
        assert by_session.trades[0].exit_index == 4
        assert by_time.trades[0].exit_reason is ExitReason.TIME_LIMIT
        assert by_time.trades[0].exit_index == 5

    def test_a_trail_follows_the_best_price_from_the_next_bar_on(self):
        candles = hours(
            (100, 100, 100, 100), (100, 106, 100, 105), (105, 110, 104.8, 109), (109, 109, 104, 105)
        )
        rules = replace(PLAIN, target_percent=0, trail_activation_percent=2, trail_offset_percent=2)

        (trade,) = run_free(candles, enter_at(4, 0), rules).trades

        assert trade.exit_reason is ExitReason.TRAIL
        # Two percent under 110, the high of the bar before, and no longer two percent under 106.
        assert trade.exit_price == pytest.approx(107.8)

    def test_an_entry_that_is_not_reached_expires_and_does_not_count(self):
        candles = hours(*[(100, 100, 100, 100)] * 6)
        signals = replace_columns(
            enter_at(6, 0, 4),
            entry_kind=np.ones(6, dtype=np.int8),
            entry_price=np.full(6, 90.0),
            entry_bars=np.full(6, 2, dtype=np.int32),
        )

        result = run_free(candles, signals, replace(PLAIN, max_trades=1))

        assert [CODES[number] for number in result.reasons] == [
            ReasonCode.ENTER_LONG,
            ReasonCode.ORDER_PENDING,
            ReasonCode.ORDER_EXPIRED,
            ReasonCode.NO_SIGNAL,
            ReasonCode.ENTER_LONG,
            ReasonCode.ORDER_PENDING,
        ]


def run_free(candles, signals, rules):
    return simulate(candles, signals, rules, FREE, capital=1_000.0, trade_from_ms=0)


def replace_columns(signals, **columns):
    return Signals(**{**signals.columns(), **columns})
