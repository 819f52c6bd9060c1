"""Metrics against frozen figures of empyrical-reloaded 0.7.1 and SciPy 1.17, and counted by hand."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtesting.engine import simulate
from backtesting.metrics import CATALOGUE, compute_metrics, drawdowns, periods, returns, tradestats
from market.candles import Candles
from market.costs import Costs
from market.enums import ExitReason, InstrumentKind
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
        ("value", "golden"),
        [
            (returns.annual_volatility(OURS), 0.3093974471501507),
            (returns.sharpe_ratio(OURS), 1.6712592107535802),
            (returns.sortino_ratio(OURS), 2.4453783517989023),
            (returns.omega_ratio(OURS), 1.2500000000000002),
            (returns.alpha(OURS, MARKET), -0.3899205983154125),
            (returns.beta(OURS, MARKET), 1.1078521939953812),
            (returns.value_at_risk(OURS), -0.0245),
            (returns.conditional_value_at_risk(OURS), -0.03),
            (returns.tail_ratio(OURS), 0.9081632653061223),
            (returns.skew(OURS), -0.45529905570881085),
            (returns.excess_kurtosis(OURS), -0.5728992676219518),
            (drawdowns.max_drawdown(EQUITY), 0.03683268000000001),
            (returns.annual_growth(EQUITY[-1] / 100 - 1, 12 / 365), 0.6043973184098232),
        ],
    )
    def test_they_agree_with_the_published_library(self, value, golden):
        assert value == pytest.approx(golden, rel=1e-12)

    def test_the_probabilistic_sharpe_follows_its_paper(self):
        per_period = 1.6712592107535802 / math.sqrt(365)
        skew, kurtosis = -0.45529905570881085, 3 - 0.5728992676219518
        spread = 1 - skew * per_period + (kurtosis - 1) / 4 * per_period**2
        score = per_period * math.sqrt(len(OURS) - 1) / math.sqrt(spread)

        expected = (1 + math.erf(score / math.sqrt(2))) / 2
        assert returns.probabilistic_sharpe(OURS) == pytest.approx(expected)
        assert 0.5 < expected < 1

    @pytest.mark.parametrize("series", [[], [0.01], [0.01] * 5, [0.0] * 5])
    def test_where_there_is_no_spread_ratios_are_undefined(self, series):
        values = np.array(series)

        assert returns.sharpe_ratio(values) is None
        assert returns.sortino_ratio(values) is None
        assert returns.omega_ratio(values) is None
        assert returns.probabilistic_sharpe(values) is None
        assert returns.skew(values) is None
        assert returns.beta(values, values) is None
        assert returns.alpha(values, values) is None

    def test_a_total_loss_or_no_time_has_no_growth_rate(self):
        assert returns.annual_growth(-1.0, 1) is None
        assert returns.annual_growth(0.1, 0) is None
        assert returns.annual_growth(0.5, 1e-6) is None
        assert returns.annual_growth(0.21, 2) == pytest.approx(0.1)


class TestDrawdowns:
    def test_each_fall_has_peak_trough_and_recovery(self):
        equity = np.array([100.0, 110, 99, 105, 110, 120, 90])

        first, second = drawdowns.drawdowns(equity)

        assert (first.peak, first.trough, first.end, first.recovered) == (1, 2, 4, True)
        assert (second.peak, second.trough, second.end, second.recovered) == (5, 6, 6, False)
        assert [first.depth, second.depth] == pytest.approx([0.1, 0.25])

    def test_time_under_water_and_the_ulcer_index_count_points(self):
        equity = np.array([100.0, 90, 100, 80])

        assert drawdowns.time_under_water(equity) == 0.5
        assert drawdowns.ulcer_index(equity) == pytest.approx(math.sqrt((0.01 + 0.04) / 4))

    @given(st.lists(st.floats(1, 1e6), min_size=1, max_size=50))
    def test_the_deepest_fall_is_one_of_the_falls(self, values):
        equity = np.array(values)

        deepest = max((each.depth for each in drawdowns.drawdowns(equity)), default=0.0)

        assert deepest == drawdowns.max_drawdown(equity)
        assert 0 <= deepest < 1


class TestTrades:
    PNLS = (10.0, -5.0, 20.0, 0.0, -5.0, -10.0, 15.0)

    def test_they_are_counted_by_hand(self):
        pnls = self.PNLS

        assert tradestats.win_rate(pnls) == pytest.approx(3 / 7)
        assert tradestats.payoff_ratio(pnls) == pytest.approx(15 / (20 / 3))
        assert tradestats.profit_factor(pnls) == pytest.approx(45 / 20)
        assert tradestats.median(pnls) == 0
        assert tradestats.kelly_fraction(pnls) == pytest.approx(3 / 7 - (4 / 7) / 2.25)
        assert tradestats.longest_streak(pnls, winning=True) == 1
        assert tradestats.longest_streak(pnls, winning=False) == 3
        deviation = math.sqrt(sum((pnl - 25 / 7) ** 2 for pnl in pnls) / 6)
        assert tradestats.system_quality_number(pnls) == pytest.approx(
            math.sqrt(7) * (25 / 7) / deviation
        )

    @pytest.mark.parametrize("pnls", [(), (5.0,), (5.0, 5.0)])
    def test_without_a_loss_ratios_are_undefined(self, pnls):
        assert tradestats.payoff_ratio(pnls) is None
        assert tradestats.profit_factor(pnls) is None
        assert tradestats.kelly_fraction(pnls) is None
        assert tradestats.system_quality_number(pnls) is None

    def test_without_trades_there_is_no_rate(self):
        assert tradestats.win_rate(()) is None
        assert tradestats.mean(()) is None
        assert tradestats.median(()) is None


class TestPeriods:
    def test_days_end_at_midnight_utc_and_days_without_bars_return_nothing(self):
        hours = np.array([0, 23, 24, 30, 72]) * HOUR_MS

        daily = periods.period_returns(
            hours, np.array([90.0, 110, 100, 121, 242]), 100.0, Timeframe.H1
        )

        assert daily.per_year == 365
        assert daily.values == pytest.approx([0.1, 0.1, 0.0, 1.0])

    def test_bars_longer_than_a_day_are_their_own_periods(self):
        weekly = periods.period_returns(
            np.array([0, 7]) * DAY_MS, np.array([110.0, 121]), 100.0, Timeframe.W1
        )

        assert weekly.per_year == pytest.approx(365 / 7)
        assert weekly.values == pytest.approx([0.1, 0.1])

    def test_returns_on_nothing_are_undefined(self):
        lost = periods.period_returns(np.array([0]), np.array([0.0]), 100.0, Timeframe.D1)

        assert len(lost.values) == 0

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
        assert sum(row.pnl for row in metrics.by_exit_reason) == pytest.approx(
            values["net_profit"], abs=1e-6
        )
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
        assert set(json.loads(text)) == {"values", "monthly_returns", "by_exit_reason"}

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
        assert [row.reason for row in metrics.by_exit_reason] == [ExitReason.END_OF_DATA]
        json.dumps(metrics.to_json(), allow_nan=False)


def _utc(year, month, day):
    return datetime(year, month, day, tzinfo=UTC)
