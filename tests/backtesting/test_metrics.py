"""Metrics against frozen figures of empyrical-reloaded 0.7.1 and SciPy 1.17, and counted by hand."""

import json
import math
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backtesting.engine import simulate
from backtesting.engine.roundtrips import TRADE
from backtesting.metrics import (
    CATALOGUE,
    Course,
    TradeColumns,
    compute_metrics,
    drawdowns,
    measure,
    periods,
    returns,
    tradestats,
)
from backtesting.metrics.returns import Sample
from market.candles import Candles
from market.costs import Costs
from market.enums import InstrumentKind
from market.kernel.records import FILL
from market.timeframes import DAY_MS, HOUR_MS, Timeframe, to_milliseconds
from strategies.causality import generated_candles
from strategies.registry import get_definition
from strategies.rules import Rules, SizingMode
from strategies.signals import Signals
from strategies.views import MarketView

# A made-up fortnight of returns, and of a market beside it.
OURS = np.array([0.01, -0.02, 0.015, 0.003, -0.007, 0.02, -0.011, 0.0, 0.004, -0.03, 0.025, 0.008])
MARKET = np.array(
    [0.012, -0.015, 0.01, 0.001, -0.01, 0.018, -0.004, 0.002, 0.001, -0.02, 0.03, 0.005]
)
EQUITY = 100 * np.concatenate([[1.0], np.cumprod(1 + OURS)])
COSTS = Costs(
    maker_fee_bps=2,
    taker_fee_bps=10,
    slippage_bps=5,
    spread_bps=0,
    tick_size=0.01,
    lot_step=0.00001,
    minimum_notional=5,
)


class TestReturns:
    @pytest.mark.parametrize(
        ("measure", "golden"),
        [
            (returns.annual_volatility, 0.3093974471501507),
            (returns.sharpe_ratio, 1.6712592107535802),
            (returns.sortino_ratio, 2.4453783517989023),
            (returns.omega_ratio, 1.2500000000000002),
            (returns.value_at_risk, -0.0245),
            (returns.conditional_value_at_risk, -0.03),
            (returns.tail_ratio, 0.9081632653061223),
            (returns.skew, -0.45529905570881085),
            (returns.excess_kurtosis, -0.5728992676219518),
        ],
    )
    def test_they_agree_with_the_published_library(self, measure, golden):
        assert measure(Sample(OURS)) == pytest.approx(golden, rel=1e-12)

    def test_so_do_measures_against_a_market_and_over_time(self):
        ours, market = Sample(OURS), Sample(MARKET)

        assert returns.alpha(ours, market) == pytest.approx(-0.3899205983154125, rel=1e-12)
        assert returns.beta(ours, market) == pytest.approx(1.1078521939953812, rel=1e-12)
        growth = returns.annual_growth(EQUITY[-1] / 100 - 1, 12 / 365)
        assert growth == pytest.approx(0.6043973184098232, rel=1e-12)

    def test_the_probabilistic_sharpe_follows_its_paper(self):
        per_period = 1.6712592107535802 / math.sqrt(365)
        skew, kurtosis = -0.45529905570881085, 3 - 0.5728992676219518
        spread = 1 - skew * per_period + (kurtosis - 1) / 4 * per_period**2
        score = per_period * math.sqrt(len(OURS) - 1) / math.sqrt(spread)

        expected = (1 + math.erf(score / math.sqrt(2))) / 2
        assert returns.probabilistic_sharpe(Sample(OURS)) == pytest.approx(expected)
        assert 0.5 < expected < 1

    @pytest.mark.parametrize("series", [[], [0.01], [0.01] * 5, [0.0] * 5])
    def test_where_there_is_no_spread_ratios_are_undefined(self, series):
        sample = Sample(np.array(series))

        assert returns.sharpe_ratio(sample) is None
        assert returns.sortino_ratio(sample) is None
        assert returns.omega_ratio(sample) is None
        assert returns.gain_to_pain(sample) is None
        assert returns.probabilistic_sharpe(sample) is None
        assert returns.skew(sample) is None
        assert returns.beta(sample, sample) is None
        assert returns.alpha(sample, sample) is None
        assert returns.correlation(sample, sample) is None

    def test_series_of_different_length_are_not_compared(self):
        assert returns.beta(Sample(OURS), Sample(MARKET[1:])) is None

    def test_a_total_loss_or_no_time_has_no_growth_rate(self):
        assert returns.annual_growth(-1.0, 1) is None
        assert returns.annual_growth(0.1, 0) is None
        assert returns.annual_growth(0.5, 1e-6) is None
        assert returns.annual_growth(0.21, 2) == pytest.approx(0.1)

    @given(st.lists(st.floats(-0.5, 1), min_size=2, max_size=60))
    def test_bounds_hold_for_any_series(self, values):
        sample = Sample(np.array(values))

        low, worst = returns.value_at_risk(sample), returns.conditional_value_at_risk(sample)
        assert low is not None
        assert worst is not None
        assert min(values) - 1e-12 <= worst <= low + 1e-12 <= max(values) + 2e-12
        sure = returns.probabilistic_sharpe(sample)
        assert sure is None or 0 <= sure <= 1
        omega, pain = returns.omega_ratio(sample), returns.gain_to_pain(sample)
        if omega is None or pain is None:
            assert omega is pain is None
        else:
            assert omega == pytest.approx(pain + 1)
        together = returns.correlation(sample, sample)
        assert together is None or together == pytest.approx(1)

    @given(st.lists(st.floats(-0.2, 0.3), min_size=3, max_size=40), st.floats(0.1, 10))
    def test_ratios_do_not_depend_on_the_stake(self, values, stake):
        sample, scaled = Sample(np.array(values)), Sample(np.array(values) * stake)
        assume(min(sample.deviation, scaled.deviation) > 1e-6)
        assume(min(sample.losses, scaled.losses) > 1e-6)

        for ratio in (returns.sharpe_ratio, returns.omega_ratio, returns.skew):
            assert ratio(scaled) == pytest.approx(ratio(sample), rel=1e-6, abs=1e-6)


class TestDrawdowns:
    def test_each_fall_has_peak_depth_and_recovery(self):
        equity = np.array([100.0, 110, 99, 105, 110, 120, 90])

        found = drawdowns.find_drawdowns(equity)

        assert found.peak.tolist() == [1, 5]
        assert found.end.tolist() == [4, 6]
        assert found.depth == pytest.approx([0.1, 0.25])
        assert found.max_depth == pytest.approx(0.25)
        assert found.deepest_money == 30

    def test_time_under_water_and_the_ulcer_index_count_points(self):
        found = drawdowns.find_drawdowns(np.array([100.0, 90, 100, 80]))

        assert found.under_water == 0.5
        assert found.ulcer_index == pytest.approx(math.sqrt((0.01 + 0.04) / 4))

    @given(st.lists(st.floats(1, 1e6), min_size=1, max_size=50))
    def test_falls_are_those_of_a_walk_from_point_to_point(self, values):
        found = drawdowns.find_drawdowns(np.array(values))

        peak, falls, begun = 0, [], None
        for index, value in enumerate(values):
            if value < values[peak]:
                begun = peak if begun is None else begun
            elif begun is not None:
                falls.append((begun, index))
                begun = None
            if value >= values[peak]:
                peak = index
        if begun is not None:
            falls.append((begun, len(values) - 1))
        # A fall too small for a fraction to show is none.
        shown = [(a, b) for a, b in falls if any(1 - v / values[a] > 0 for v in values[a : b + 1])]
        assert list(zip(found.peak.tolist(), found.end.tolist(), strict=True)) == shown
        assert found.max_depth == max(found.depth, default=0.0)
        assert 0 <= found.max_depth < 1


class TestTrades:
    PNLS = np.array([10.0, -5.0, 20.0, 0.0, -5.0, -10.0, 15.0])

    def test_they_are_counted_by_hand(self):
        pnls = self.PNLS

        assert tradestats.win_rate(pnls) == pytest.approx(3 / 7)
        assert tradestats.payoff_ratio(pnls) == pytest.approx(15 / (20 / 3))
        assert tradestats.profit_factor(pnls) == pytest.approx(45 / 20)
        assert tradestats.median(pnls) == 0
        assert tradestats.median(pnls[:4]) == 5
        assert tradestats.kelly_fraction(pnls) == pytest.approx(3 / 7 - (4 / 7) / 2.25)
        assert tradestats.longest_streak(pnls, winning=True) == 1
        assert tradestats.longest_streak(pnls, winning=False) == 3
        deviation = math.sqrt(sum((pnl - 25 / 7) ** 2 for pnl in pnls) / 6)
        assert tradestats.system_quality_number(pnls) == pytest.approx(
            math.sqrt(7) * (25 / 7) / deviation
        )

    @pytest.mark.parametrize("pnls", [[], [5.0], [5.0, 5.0]])
    def test_without_a_loss_ratios_are_undefined(self, pnls):
        column = np.array(pnls)

        assert tradestats.payoff_ratio(column) is None
        assert tradestats.profit_factor(column) is None
        assert tradestats.kelly_fraction(column) is None
        assert tradestats.system_quality_number(column) is None

    def test_without_trades_there_is_no_rate(self):
        none = np.empty(0)

        for of_trades in (tradestats.win_rate, tradestats.mean, tradestats.median):
            assert of_trades(none) is None
        assert tradestats.largest(none) is tradestats.smallest(none) is None
        assert tradestats.longest_streak(none, winning=True) == 0

    @given(st.lists(st.floats(-100, 100), max_size=40))
    def test_streaks_are_those_of_a_walk_from_trade_to_trade(self, values):
        for winning in (True, False):
            best = run = 0
            for value in values:
                run = run + 1 if (value > 0) is winning else 0
                best = max(best, run)

            assert tradestats.longest_streak(np.array(values), winning=winning) == best


class TestPeriods:
    def test_days_end_at_midnight_utc_and_days_without_bars_return_nothing(self):
        hours = np.array([0, 23, 24, 30, 72]) * HOUR_MS

        daily = periods.period_returns(
            periods.period_ends(hours, Timeframe.H1),
            np.array([90.0, 110, 100, 121, 242]),
            100.0,
            Timeframe.H1,
        )

        assert daily.per_year == 365
        assert daily.values == pytest.approx([0.1, 0.1, 0.0, 1.0])

    def test_bars_longer_than_a_day_are_their_own_periods(self):
        weeks = np.array([0, 7]) * DAY_MS

        weekly = periods.period_returns(
            periods.period_ends(weeks, Timeframe.W1), np.array([110.0, 121]), 100.0, Timeframe.W1
        )

        assert weekly.per_year == pytest.approx(365 / 7)
        assert weekly.values == pytest.approx([0.1, 0.1])
        assert periods.periods_per_year(Timeframe.MO1) == 12

    def test_returns_on_nothing_are_undefined(self):
        for value in (0.0, -5.0):
            lost = periods.period_returns(np.array([0]), np.array([value]), 100.0, Timeframe.D1)

            assert len(lost) == 0

    def test_months_are_calendar_months_and_years_compound(self):
        at = [
            to_milliseconds(_utc(2023, 11, 30)),
            to_milliseconds(_utc(2023, 12, 31)),
            to_milliseconds(_utc(2024, 2, 1)),
        ]

        first, second = periods.monthly_returns(np.array(at), np.array([110.0, 121.0, 60.5]), 100.0)

        assert first.year == 2023
        assert first.months[:10] == (None,) * 10
        assert second.months[0] is None
        assert first.total == pytest.approx(0.21)
        assert periods.all_months([first, second]) == pytest.approx([0.1, 0.1, -0.5])

    @given(
        st.lists(st.integers(0, 90 * 24), min_size=1, max_size=60, unique=True),
        st.randoms(use_true_random=False),
    )
    def test_days_and_months_compound_to_the_whole(self, hours, random):
        open_time = np.array(sorted(hours), dtype=np.int64) * HOUR_MS
        values = np.array([random.uniform(50, 200) for _ in hours])

        ends = periods.period_ends(open_time, Timeframe.H1)
        daily = periods.period_returns(ends, values, 100.0, Timeframe.H1)
        months = periods.all_months(periods.monthly_returns(open_time, values, 100.0))

        assert math.prod(1 + daily.values) == pytest.approx(values[-1] / 100)
        assert math.prod(1 + month for month in months) == pytest.approx(values[-1] / 100)


class TestGoldenFigures:
    """A made-up year and a half of days, measured once by independent libraries.

    How, with which versions, and how to repeat it stands in ``golden_metrics.py``.
    """

    @pytest.fixture
    def golden(self):
        return json.loads(Path(__file__).with_name("golden_metrics.json").read_text("utf-8"))

    @pytest.fixture
    def metrics(self, golden):
        ours, market = np.array(golden["returns"]), np.array(golden["market"])
        first = to_milliseconds(_utc(2023, 1, 1))
        course = Course(
            timeframe=Timeframe.D1,
            open_time=first + np.arange(len(ours), dtype=np.int64) * DAY_MS,
            equity=10_000 * np.cumprod(1 + ours),
            market=100 * np.cumprod(1 + market),
            first_price=100.0,
            capital=10_000.0,
            bars_invested=len(ours),
            end_ms=first + len(ours) * DAY_MS,
        )
        none, nothing = np.zeros(0, dtype=TRADE), np.zeros(0, dtype=FILL)
        return measure(course, TradeColumns.from_records(none, nothing, COSTS))

    @pytest.mark.parametrize(
        "name",
        [
            *("annual_volatility", "sharpe", "sortino", "omega", "calmar", "alpha", "beta"),
            *("correlation", "value_at_risk", "conditional_value_at_risk", "tail_ratio", "skew"),
            *("kurtosis", "max_drawdown", "cagr", "probabilistic_sharpe", "best_day", "worst_day"),
            *("drawdowns", "average_drawdown", "total_return"),
        ],
    )
    def test_figures_of_a_run_meet_them(self, golden, metrics, name):
        assert metrics.values[name] == pytest.approx(golden["golden"][name], rel=1e-9)

    def test_the_ulcer_index_counts_the_start_as_a_point(self, golden, metrics):
        count = len(golden["returns"])

        theirs = golden["golden"]["ulcer_index"] * math.sqrt((count - 1) / (count + 1))
        assert metrics.values["ulcer_index"] == pytest.approx(theirs, rel=1e-9)

    def test_the_table_of_months_is_theirs(self, golden, metrics):
        for ours, theirs in zip(metrics.monthly_returns, golden["golden"]["monthly"], strict=True):
            months = [0.0 if month is None else month for month in ours.months]
            assert [*months, ours.total] == pytest.approx(theirs, rel=1e-9, abs=1e-12)

    @pytest.mark.parametrize(
        ("name", "of_trades"),
        [
            ("payoff_ratio", tradestats.payoff_ratio),
            ("profit_factor", tradestats.profit_factor),
            ("kelly", tradestats.kelly_fraction),
            ("win_rate", tradestats.win_rate),
            ("max_consecutive_wins", partial(tradestats.longest_streak, winning=True)),
            ("max_consecutive_losses", partial(tradestats.longest_streak, winning=False)),
        ],
    )
    def test_measures_of_trades_meet_them(self, golden, name, of_trades):
        ours = of_trades(np.array(golden["returns"]))

        assert ours == pytest.approx(golden["golden"][name], rel=1e-9)

    def test_gains_over_losses_meet_them(self, golden):
        ours = returns.gain_to_pain(Sample(np.array(golden["returns"])))

        assert ours == pytest.approx(golden["golden"]["gain_to_pain"], rel=1e-9)


class TestComputeMetrics:
    def run(self, candles, kind=InstrumentKind.LINEAR_SWAP):
        definition = get_definition("ema-crossover")
        params = definition.default_params()
        first = int(candles.open_time[100]) if len(candles) > 100 else 0
        result = simulate(
            candles,
            definition.signals(MarketView(candles, Timeframe.H1), params),
            definition.rules(params).for_market(kind, Timeframe.H1),
            COSTS,
            capital=10_000.0,
            trade_from_ms=first,
        )
        return result, compute_metrics(result, candles, COSTS, timeframe=Timeframe.H1)

    def test_figures_of_a_run_fit_together(self):
        candles = generated_candles(3_000, seed=5)

        result, metrics = self.run(candles)

        values = metrics.values
        closed = [trade for trade in result.trades if not trade.is_open]
        assert list(values) == [info.key for info in CATALOGUE]
        assert values["start_ms"] == candles.open_time[100]
        assert values["end_ms"] == candles.open_time[-1] + HOUR_MS
        assert values["bars"] == 2_900
        assert values["final_equity"] == result.final_equity
        assert values["total_return"] == pytest.approx(result.final_equity / 10_000 - 1)
        assert values["buy_and_hold_return"] == pytest.approx(
            candles.close[-1] / candles.open[100] - 1
        )
        assert values["trades"] == len(closed) == values["long_trades"] + values["short_trades"]
        assert values["fees"] == pytest.approx(sum(trade.fees for trade in result.trades))
        assert values["slippage"] == pytest.approx(sum(trade.slippage for trade in result.trades))
        assert sum(row.trades for row in metrics.by_exit_reason) == len(result.trades)
        for groups in (metrics.by_exit_reason, metrics.by_direction, metrics.by_entry):
            total = sum(row.pnl for row in groups)
            assert total == pytest.approx(values["net_profit"], abs=1e-6)
        assert values["gross_profit"] + values["gross_loss"] == pytest.approx(
            values["long_profit"] + values["short_profit"]
        )
        traded = sum(fill.lots * fill.price_ticks for fill in result.fills)
        turnover = traded * COSTS.tick_size * COSTS.lot_step / 10_000
        assert values["turnover"] == pytest.approx(turnover)
        compounded = math.prod(1 + month for month in periods.all_months(metrics.monthly_returns))
        assert compounded - 1 == pytest.approx(values["total_return"])

    def test_buying_and_holding_with_all_money_has_the_returns_of_the_market(self):
        candles = generated_candles(24 * 60, seed=9)
        count = len(candles)
        always, never = np.ones(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
        rules = Rules(stop_percent=0, target_percent=0, sizing=SizingMode.NOTIONAL, size=100)
        free = Costs(
            maker_fee_bps=0,
            taker_fee_bps=0,
            slippage_bps=0,
            spread_bps=0,
            tick_size=0.01,
            lot_step=1e-8,
            minimum_notional=0,
        )

        result = simulate(
            candles,
            Signals(always, never, never, never, always),
            rules,
            free,
            capital=10_000.0,
            trade_from_ms=0,
        )
        values = compute_metrics(result, candles, free, timeframe=Timeframe.H1).values

        assert values["beta"] == pytest.approx(1, abs=0.1)
        assert values["exposure"] == pytest.approx((count - 1) / count)
        assert values["turnover"] == pytest.approx(1, abs=0.01)
        assert (values["trades"], values["open_trades"]) == (0, 1)

    @pytest.mark.parametrize("count", [0, 1, 2, 30, 150, 200])
    def test_however_short_the_data_the_result_is_plain_json_without_nan(self, count):
        candles = generated_candles(200).slice(0, count)

        _, metrics = self.run(candles)

        text = json.dumps(metrics.to_json(), allow_nan=False)
        assert set(json.loads(text)) == {
            "values",
            "monthly_returns",
            "by_exit_reason",
            "by_direction",
            "by_entry",
        }

    def test_a_run_that_loses_more_than_everything_is_still_plain_json(self):
        crash = [(i * HOUR_MS, p, p, p, p, 1.0) for i, p in enumerate([100.0, 100, 100, 400, 400])]
        candles = Candles.from_rows(crash)
        short = np.array([True, False, False, False, False])
        no = np.zeros(5, dtype=np.bool_)
        rules = Rules(
            stop_percent=0,
            target_percent=0,
            sizing=SizingMode.NOTIONAL,
            size=100,
            short_allowed=True,
        )

        result = simulate(
            candles,
            Signals(no, short, no, no, ~no),
            rules,
            COSTS,
            capital=1_000.0,
            trade_from_ms=0,
        )
        metrics = compute_metrics(result, candles, COSTS, timeframe=Timeframe.H1)

        assert result.final_equity < 0
        assert metrics.values["sharpe"] is None
        assert metrics.values["cagr"] is None
        assert [row.name for row in metrics.by_exit_reason] == ["END_OF_DATA"]
        json.dumps(metrics.to_json(), allow_nan=False)


def _utc(year, month, day):
    return datetime(year, month, day, tzinfo=UTC)
