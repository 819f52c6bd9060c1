"""All metrics of one simulation, as plain values that survive JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtesting.engine.results import SimulationResult, Trade
from backtesting.metrics import drawdowns, periods, returns, tradestats
from backtesting.metrics.catalogue import CATALOGUE
from backtesting.metrics.periods import MonthlyReturns
from market.candles import Candles
from market.costs import Costs
from market.enums import Direction, ExitReason
from market.timeframes import DAY_MS, Timeframe

MetricValue = float | int | None

_YEAR_MS = returns.DAYS_PER_YEAR * DAY_MS


class ReasonSummary(NamedTuple):
    """The trades that ended for one reason: how many, their net PnL, and the fraction that won."""

    reason: ExitReason
    trades: int
    pnl: float
    win_rate: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a run was worth.

    ``values`` has one entry for each of ``CATALOGUE``, in its units; None where it is undefined,
    never NaN or infinity.
    """

    values: Mapping[str, MetricValue]
    monthly_returns: tuple[MonthlyReturns, ...]
    by_exit_reason: tuple[ReasonSummary, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers."""
        return {
            "values": dict(self.values),
            "monthly_returns": [
                {"year": row.year, "months": list(row.months), "total": row.total}
                for row in self.monthly_returns
            ],
            "by_exit_reason": [
                {**row._asdict(), "reason": row.reason.value} for row in self.by_exit_reason
            ],
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The part of a run in which it could trade: arrays from its first bar on."""

    open_time: NDArray[np.int64]
    equity: NDArray[np.float64]
    close: NDArray[np.float64]
    position: NDArray[np.int64]
    first_price: float
    capital: float
    start_ms: int
    end_ms: int

    @property
    def curve(self) -> NDArray[np.float64]:
        """Equity with the starting capital in front."""
        return np.concatenate([[self.capital], self.equity])


def compute_metrics(
    result: SimulationResult, candles: Candles, costs: Costs, *, timeframe: Timeframe
) -> Metrics:
    """Return the metrics of *result*, which *candles* and *costs* have produced.

    They count from the first bar at which a position could be decided. Measures of trades count
    closed trades; a trade that is still open shows in the equity, and in ``by_exit_reason``.
    """
    window = _window_of(result, candles, timeframe)
    table = periods.monthly_returns(window.open_time, window.equity, window.capital)
    closed = [trade for trade in result.trades if not trade.is_open]
    values: dict[str, MetricValue] = {
        **_overview(window),
        **_risk(window, timeframe),
        **_drawdowns(window),
        **_trades(closed),
        "open_trades": len(result.trades) - len(closed),
        **_costs(result, costs),
        **_distribution(window, table, timeframe),
    }
    return Metrics(
        values={info.key: _finite(values[info.key]) for info in CATALOGUE},
        monthly_returns=table,
        by_exit_reason=_by_exit_reason(result.trades),
    )


def _window_of(result: SimulationResult, candles: Candles, timeframe: Timeframe) -> _Window:
    start = min(result.start_index, len(candles))
    part = candles.slice(start, len(candles))
    has_bars = len(part) > 0
    return _Window(
        open_time=part.open_time,
        equity=result.equity[start:],
        close=part.close,
        position=result.position[start:],
        first_price=float(part.open[0]) if has_bars else 0.0,
        capital=result.capital,
        start_ms=int(part.open_time[0]) if has_bars else 0,
        end_ms=timeframe.close_of(int(part.open_time[-1])) if has_bars else 0,
    )


def _overview(window: _Window) -> dict[str, MetricValue]:
    final = float(window.curve[-1])
    total = final / window.capital - 1
    has_bars = len(window.equity) > 0
    years = (window.end_ms - window.start_ms) / _YEAR_MS
    return {
        "start_ms": window.start_ms if has_bars else None,
        "end_ms": window.end_ms if has_bars else None,
        "duration_ms": window.end_ms - window.start_ms,
        "bars": len(window.equity),
        "exposure": float(np.mean(window.position != 0)) if has_bars else None,
        "initial_capital": window.capital,
        "final_equity": final,
        "peak_equity": float(np.max(window.curve)),
        "net_profit": final - window.capital,
        "total_return": total,
        "buy_and_hold_return": float(window.close[-1]) / window.first_price - 1
        if has_bars
        else None,
        "cagr": returns.annual_growth(total, years),
    }


def _risk(window: _Window, timeframe: Timeframe) -> dict[str, MetricValue]:
    ours = periods.period_returns(window.open_time, window.equity, window.capital, timeframe)
    hold = periods.period_returns(window.open_time, window.close, window.first_price, timeframe)
    overview = _overview(window)
    growth, deepest = overview["cagr"], drawdowns.max_drawdown(window.curve)
    return {
        "annual_volatility": returns.annual_volatility(ours.values, ours.per_year),
        "sharpe": returns.sharpe_ratio(ours.values, ours.per_year),
        "sortino": returns.sortino_ratio(ours.values, ours.per_year),
        # Young (1991), "Calmar Ratio: A Smoother Tool", Futures 20(1).
        "calmar": growth / deepest if growth is not None and deepest > 0 else None,
        "omega": returns.omega_ratio(ours.values),
        "probabilistic_sharpe": returns.probabilistic_sharpe(ours.values),
        "alpha": returns.alpha(ours.values, hold.values, ours.per_year),
        "beta": returns.beta(ours.values, hold.values),
    }


def _drawdowns(window: _Window) -> dict[str, MetricValue]:
    curve = window.curve
    found = drawdowns.drawdowns(curve)
    # Point 0 of the curve is the start of the window, point i the close of bar i - 1.
    ends = np.append(window.open_time[1:], window.end_ms) if len(window.equity) else curve[:0]
    instants = np.concatenate([[window.start_ms], ends])
    lengths = [float(instants[each.end] - instants[each.peak]) for each in found]
    peaks = np.maximum.accumulate(curve)
    deepest_money = float(np.max(peaks - curve))
    return {
        "max_drawdown": drawdowns.max_drawdown(curve),
        "average_drawdown": tradestats.mean([each.depth for each in found]),
        "max_drawdown_duration_ms": max(lengths, default=None),
        "average_drawdown_duration_ms": tradestats.mean(lengths),
        "time_under_water": drawdowns.time_under_water(curve),
        "ulcer_index": drawdowns.ulcer_index(curve),
        # Net profit over the deepest fall in money; Kaufman, "Trading Systems and Methods", chapter
        # 21.
        "recovery_factor": (float(curve[-1]) - window.capital) / deepest_money
        if deepest_money > 0
        else None,
    }


def _trades(closed: Sequence[Trade]) -> dict[str, MetricValue]:
    pnls = [trade.pnl for trade in closed]
    fractions = [trade.return_fraction for trade in closed]
    durations = [trade.duration_ms for trade in closed]
    adverse = [trade.adverse_excursion for trade in closed]
    favorable = [trade.favorable_excursion for trade in closed]
    long = [trade.pnl for trade in closed if trade.direction is Direction.LONG]
    short = [trade.pnl for trade in closed if trade.direction is Direction.SHORT]
    return {
        "trades": len(closed),
        "long_trades": len(long),
        "short_trades": len(short),
        "win_rate": tradestats.win_rate(pnls),
        "long_win_rate": tradestats.win_rate(long),
        "short_win_rate": tradestats.win_rate(short),
        "best_trade": max(fractions, default=None),
        "worst_trade": min(fractions, default=None),
        "average_trade": tradestats.mean(fractions),
        "median_trade": tradestats.median(fractions),
        "average_win": tradestats.mean([pnl for pnl in pnls if pnl > 0]),
        "average_loss": tradestats.mean([pnl for pnl in pnls if pnl < 0]),
        "payoff_ratio": tradestats.payoff_ratio(pnls),
        "profit_factor": tradestats.profit_factor(pnls),
        "expectancy": tradestats.mean(pnls),
        "sqn": tradestats.system_quality_number(pnls),
        "kelly": tradestats.kelly_fraction(pnls),
        "max_consecutive_wins": tradestats.longest_streak(pnls, winning=True),
        "max_consecutive_losses": tradestats.longest_streak(pnls, winning=False),
        "average_trade_duration_ms": tradestats.mean(durations),
        "max_trade_duration_ms": max(durations, default=None),
        # Sweeney (1997), "Maximum Adverse Excursion".
        "average_adverse_excursion": tradestats.mean(adverse),
        "max_adverse_excursion": max(adverse, default=None),
        "average_favorable_excursion": tradestats.mean(favorable),
        "max_favorable_excursion": max(favorable, default=None),
    }


def _costs(result: SimulationResult, costs: Costs) -> dict[str, MetricValue]:
    traded = (costs.notional(fill.lots, costs.price_of(fill.price_ticks)) for fill in result.fills)
    return {
        "fees": math.fsum(fill.fee for fill in result.fills),
        "slippage": math.fsum(fill.slippage for fill in result.fills),
        "turnover": math.fsum(traded) / result.capital,
    }


def _distribution(
    window: _Window, table: Sequence[MonthlyReturns], timeframe: Timeframe
) -> dict[str, MetricValue]:
    daily = periods.period_returns(
        window.open_time, window.equity, window.capital, timeframe
    ).values
    months = periods.all_months(table)
    has_days = timeframe.milliseconds <= DAY_MS and len(daily) > 0
    return {
        "value_at_risk": returns.value_at_risk(daily),
        "conditional_value_at_risk": returns.conditional_value_at_risk(daily),
        "skew": returns.skew(daily),
        "kurtosis": returns.excess_kurtosis(daily),
        "tail_ratio": returns.tail_ratio(daily),
        "best_day": float(np.max(daily)) if has_days else None,
        "worst_day": float(np.min(daily)) if has_days else None,
        "positive_days": float(np.mean(daily > 0)) if has_days else None,
        "best_month": max(months, default=None),
        "worst_month": min(months, default=None),
        "positive_months": sum(month > 0 for month in months) / len(months) if months else None,
    }


def _by_exit_reason(trades: Sequence[Trade]) -> tuple[ReasonSummary, ...]:
    found = []
    for reason in ExitReason:
        pnls = [trade.pnl for trade in trades if trade.exit_reason is reason]
        rate = tradestats.win_rate(pnls)
        if rate is not None:
            found.append(ReasonSummary(reason, len(pnls), math.fsum(pnls), rate))
    return tuple(found)


def _finite(value: MetricValue) -> MetricValue:
    return value if value is None or math.isfinite(value) else None
