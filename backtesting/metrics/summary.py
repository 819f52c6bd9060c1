"""All metrics of one simulation, as plain values that survive JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtesting.engine.results import SimulationResult
from backtesting.metrics import drawdowns, periods, returns, tradestats
from backtesting.metrics.catalogue import CATALOGUE
from backtesting.metrics.columns import TradeColumns
from backtesting.metrics.groups import TradeGroup, by_direction, by_entry, by_exit_reason
from backtesting.metrics.periods import MonthlyReturns
from backtesting.metrics.returns import Sample
from market.candles import Candles
from market.costs import Costs
from market.timeframes import DAY_MS, Timeframe

MetricValue = float | int | None

_YEAR_MS = returns.DAYS_PER_YEAR * DAY_MS


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a run was worth.

    ``values`` has one entry for each of ``CATALOGUE``, in its units; None where it is undefined,
    never NaN or infinity.
    """

    values: Mapping[str, MetricValue]
    monthly_returns: tuple[MonthlyReturns, ...]
    by_exit_reason: tuple[TradeGroup, ...]
    by_direction: tuple[TradeGroup, ...]
    by_entry: tuple[TradeGroup, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers."""
        return {
            "values": dict(self.values),
            "monthly_returns": [
                {"year": row.year, "months": list(row.months), "total": row.total}
                for row in self.monthly_returns
            ],
            "by_exit_reason": [group.to_json("reason") for group in self.by_exit_reason],
            "by_direction": [group.to_json("direction") for group in self.by_direction],
            "by_entry": [group.to_json("entry") for group in self.by_entry],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What a run lived through from the first bar at which it could trade: one entry per bar.

    ``equity`` is in quote at each close, after the starting ``capital``; ``market`` is what
    buying and holding is measured by, after ``first_price``. The window is ``[start_ms, end_ms)``,
    and ``bars_invested`` of its bars ended with an open position.
    """

    timeframe: Timeframe
    open_time: NDArray[np.int64]
    equity: NDArray[np.float64]
    market: NDArray[np.float64]
    first_price: float
    capital: float
    bars_invested: int
    end_ms: int

    @property
    def start_ms(self) -> int:
        """Open time of the first bar; 0 without one."""
        return int(self.open_time[0]) if len(self.open_time) else 0


def compute_metrics(
    result: SimulationResult, candles: Candles, costs: Costs, *, timeframe: Timeframe
) -> Metrics:
    """Return the metrics of *result*, which *candles* and *costs* have produced.

    They count from the first bar at which a position could be decided. Measures of trades count
    closed trades; a trade that is still open shows in the equity, in what was paid, and in the
    groups.
    """
    start = min(result.start_index, len(candles))
    open_time = candles.open_time[start:]
    course = Course(
        timeframe=timeframe,
        open_time=open_time,
        equity=result.equity[start:],
        market=candles.close[start:],
        first_price=float(candles.open[start]) if len(open_time) else 0.0,
        capital=result.capital,
        bars_invested=result.bars_invested(start),
        end_ms=timeframe.close_of(int(open_time[-1])) if len(open_time) else 0,
    )
    return measure(
        course, TradeColumns.from_records(result.trade_columns, result.fill_columns, costs)
    )


def measure(course: Course, trades: TradeColumns) -> Metrics:
    """Return the metrics of any course of equity and the trades that made it."""
    table = periods.monthly_returns(course.open_time, course.equity, course.capital)
    ends = periods.period_ends(course.open_time, course.timeframe)
    sample = periods.period_returns(ends, course.equity, course.capital, course.timeframe)
    market = periods.period_returns(ends, course.market, course.first_price, course.timeframe)
    months = Sample(np.array(periods.all_months(table)), per_year=12)
    closed = trades.where(~trades.is_open)
    values: dict[str, MetricValue] = {
        **_overview(course),
        **_risk(sample, market, months),
        **_drawdowns(course),
        **_trades(closed),
        **_results_of_trades(closed),
        "open_trades": len(trades) - len(closed),
        "ambiguous_trades": int(np.count_nonzero(trades.is_ambiguous)),
        **_costs(trades, course.capital),
        **_distribution(sample, months, has_days=course.timeframe.milliseconds <= DAY_MS),
    }
    growth, deepest = values["cagr"], values["max_drawdown"]
    ulcer = values["ulcer_index"]
    # Young (1991), "Calmar Ratio: A Smoother Tool", Futures 20(1).
    values["calmar"] = growth / deepest if growth is not None and deepest else None
    # Martin & McCann (1989), "The Investor's Guide to Fidelity Funds", without a risk-free rate.
    values["ulcer_performance"] = growth / ulcer if growth is not None and ulcer else None
    return Metrics(
        values={info.key: _finite(values[info.key]) for info in CATALOGUE},
        monthly_returns=table,
        by_exit_reason=by_exit_reason(trades),
        by_direction=by_direction(trades),
        by_entry=by_entry(trades),
    )


def _overview(course: Course) -> dict[str, MetricValue]:
    count = len(course.equity)
    final = float(course.equity[-1]) if count else course.capital
    total = final / course.capital - 1
    duration = course.end_ms - course.start_ms
    return {
        "start_ms": course.start_ms if count else None,
        "end_ms": course.end_ms if count else None,
        "duration_ms": duration,
        "bars": count,
        "exposure": course.bars_invested / count if count else None,
        "initial_capital": course.capital,
        "final_equity": final,
        "peak_equity": max(float(course.equity.max()), course.capital) if count else final,
        "net_profit": final - course.capital,
        "total_return": total,
        "buy_and_hold_return": float(course.market[-1]) / course.first_price - 1 if count else None,
        "cagr": returns.annual_growth(total, duration / _YEAR_MS),
    }


def _risk(sample: Sample, market: Sample, months: Sample) -> dict[str, MetricValue]:
    return {
        "annual_volatility": returns.annual_volatility(sample),
        "sharpe": returns.sharpe_ratio(sample),
        "sortino": returns.sortino_ratio(sample),
        "omega": returns.omega_ratio(sample),
        "gain_to_pain": returns.gain_to_pain(months),
        "probabilistic_sharpe": returns.probabilistic_sharpe(sample),
        "alpha": returns.alpha(sample, market),
        "beta": returns.beta(sample, market),
        "correlation": returns.correlation(sample, market),
    }


def _drawdowns(course: Course) -> dict[str, MetricValue]:
    curve = np.empty(len(course.equity) + 1)
    curve[0] = course.capital
    curve[1:] = course.equity
    found = drawdowns.find_drawdowns(curve)
    # Point 0 of the curve is the start of the window, point i the close of bar i - 1, which is the
    # open of bar i but for the last.
    instants = np.append(course.open_time, course.end_ms)
    lengths = instants[found.end] - instants[found.peak]
    return {
        "max_drawdown": found.max_depth,
        "average_drawdown": tradestats.mean(found.depth),
        "drawdowns": len(found),
        "final_drawdown": float(found.below[-1]),
        "max_drawdown_duration_ms": tradestats.largest(lengths),
        "average_drawdown_duration_ms": tradestats.mean(lengths),
        "time_under_water": found.under_water,
        "ulcer_index": found.ulcer_index,
        # Net profit over the deepest fall in money; Kaufman, "Trading Systems and Methods", chapter
        # 21.
        "recovery_factor": (float(curve[-1]) - course.capital) / found.deepest_money
        if found.deepest_money > 0
        else None,
    }


def _trades(closed: TradeColumns) -> dict[str, MetricValue]:
    pnl, fractions, durations = closed.pnl, closed.return_fraction, closed.duration_ms
    is_long, won = closed.direction > 0, pnl > 0
    long_count = int(np.count_nonzero(is_long))
    return {
        "trades": len(closed),
        "long_trades": long_count,
        "short_trades": len(closed) - long_count,
        "win_rate": tradestats.win_rate(pnl),
        "long_win_rate": tradestats.win_rate(pnl[is_long]),
        "short_win_rate": tradestats.win_rate(pnl[~is_long]),
        "best_trade": tradestats.largest(fractions),
        "worst_trade": tradestats.smallest(fractions),
        "average_trade": tradestats.mean(fractions),
        "median_trade": tradestats.median(fractions),
        "max_consecutive_wins": tradestats.longest_streak(pnl, winning=True),
        "max_consecutive_losses": tradestats.longest_streak(pnl, winning=False),
        "average_trade_duration_ms": tradestats.mean(durations),
        "median_trade_duration_ms": tradestats.median(durations),
        "max_trade_duration_ms": tradestats.largest(durations),
        "average_win_duration_ms": tradestats.mean(durations[won]),
        "average_loss_duration_ms": tradestats.mean(durations[~won]),
        # Sweeney (1997), "Maximum Adverse Excursion".
        "average_adverse_excursion": tradestats.mean(closed.adverse),
        "max_adverse_excursion": tradestats.largest(closed.adverse),
        "adverse_excursion_of_wins": tradestats.mean(closed.adverse[won]),
        "average_favorable_excursion": tradestats.mean(closed.favorable),
        "max_favorable_excursion": tradestats.largest(closed.favorable),
        "favorable_excursion_of_losses": tradestats.mean(closed.favorable[~won]),
    }


def _results_of_trades(closed: TradeColumns) -> dict[str, MetricValue]:
    pnl, is_long = closed.pnl, closed.direction > 0
    return {
        "gross_profit": float(pnl[pnl > 0].sum()),
        "gross_loss": float(pnl[pnl < 0].sum()),
        "long_profit": float(pnl[is_long].sum()),
        "short_profit": float(pnl[~is_long].sum()),
        "average_win": tradestats.mean(pnl[pnl > 0]),
        "average_loss": tradestats.mean(pnl[pnl < 0]),
        "largest_win": tradestats.largest(pnl[pnl > 0]),
        "largest_loss": tradestats.smallest(pnl[pnl < 0]),
        "payoff_ratio": tradestats.payoff_ratio(pnl),
        "profit_factor": tradestats.profit_factor(pnl),
        "expectancy": tradestats.mean(pnl),
        "sqn": tradestats.system_quality_number(pnl),
        "kelly": tradestats.kelly_fraction(pnl),
    }


def _costs(trades: TradeColumns, capital: float) -> dict[str, MetricValue]:
    return {
        "fees": float(trades.fees.sum()),
        "slippage": float(trades.slippage.sum()),
        "funding": float(trades.funding.sum()),
        "turnover": float(trades.traded.sum()) / capital,
    }


def _distribution(sample: Sample, months: Sample, *, has_days: bool) -> dict[str, MetricValue]:
    days = sample if has_days else Sample(np.empty(0))
    return {
        "value_at_risk": returns.value_at_risk(sample),
        "conditional_value_at_risk": returns.conditional_value_at_risk(sample),
        "skew": returns.skew(sample),
        "kurtosis": returns.excess_kurtosis(sample),
        "tail_ratio": returns.tail_ratio(sample),
        "best_day": tradestats.largest(days.values),
        "worst_day": tradestats.smallest(days.values),
        "average_day": tradestats.mean(days.values),
        "positive_days": tradestats.win_rate(days.values),
        "best_month": tradestats.largest(months.values),
        "worst_month": tradestats.smallest(months.values),
        "average_month": tradestats.mean(months.values),
        "positive_months": tradestats.win_rate(months.values),
    }


def _finite(value: MetricValue) -> MetricValue:
    return value if value is None or math.isfinite(value) else None
