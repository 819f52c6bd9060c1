"""The metrics that a backtest reports, in the order in which a page shows them."""

from enum import StrEnum
from typing import Final, NamedTuple


class Unit(StrEnum):
    """How a value is written: FRACTION 0.01 is 1 %, DURATION and INSTANT in milliseconds."""

    FRACTION = "FRACTION"
    MONEY = "MONEY"
    RATIO = "RATIO"
    COUNT = "COUNT"
    DURATION = "DURATION"
    INSTANT = "INSTANT"


class Section(StrEnum):
    """Where a page shows a metric."""

    OVERVIEW = "OVERVIEW"
    RISK = "RISK"
    DRAWDOWN = "DRAWDOWN"
    TRADES = "TRADES"
    COSTS = "COSTS"
    DISTRIBUTION = "DISTRIBUTION"


class MetricInfo(NamedTuple):
    """One metric: its key in ``Metrics.values``, its name for people, its unit and its place."""

    key: str
    label: str
    unit: Unit
    section: Section


def _section(section: Section, *rows: tuple[str, str, Unit]) -> tuple[MetricInfo, ...]:
    return tuple(MetricInfo(key, label, unit, section) for key, label, unit in rows)


CATALOGUE: Final[tuple[MetricInfo, ...]] = (
    *_section(
        Section.OVERVIEW,
        ("start_ms", "Start", Unit.INSTANT),
        ("end_ms", "End", Unit.INSTANT),
        ("duration_ms", "Duration", Unit.DURATION),
        ("bars", "Bars", Unit.COUNT),
        ("exposure", "Time in the market", Unit.FRACTION),
        ("initial_capital", "Initial capital", Unit.MONEY),
        ("final_equity", "Final equity", Unit.MONEY),
        ("peak_equity", "Peak equity", Unit.MONEY),
        ("net_profit", "Net profit", Unit.MONEY),
        ("total_return", "Total return", Unit.FRACTION),
        ("buy_and_hold_return", "Buy and hold", Unit.FRACTION),
        ("cagr", "Annual growth (CAGR)", Unit.FRACTION),
    ),
    *_section(
        Section.RISK,
        ("annual_volatility", "Annual volatility", Unit.FRACTION),
        ("sharpe", "Sharpe ratio", Unit.RATIO),
        ("sortino", "Sortino ratio", Unit.RATIO),
        ("calmar", "Calmar ratio", Unit.RATIO),
        ("omega", "Omega ratio", Unit.RATIO),
        ("probabilistic_sharpe", "Probability of a Sharpe above 0", Unit.FRACTION),
        ("alpha", "Alpha against buy and hold", Unit.FRACTION),
        ("beta", "Beta against buy and hold", Unit.RATIO),
    ),
    *_section(
        Section.DRAWDOWN,
        ("max_drawdown", "Maximum drawdown", Unit.FRACTION),
        ("average_drawdown", "Average drawdown", Unit.FRACTION),
        ("max_drawdown_duration_ms", "Longest drawdown", Unit.DURATION),
        ("average_drawdown_duration_ms", "Average drawdown length", Unit.DURATION),
        ("time_under_water", "Time under water", Unit.FRACTION),
        ("ulcer_index", "Ulcer index", Unit.FRACTION),
        ("recovery_factor", "Recovery factor", Unit.RATIO),
    ),
    *_section(
        Section.TRADES,
        ("trades", "Closed trades", Unit.COUNT),
        ("open_trades", "Open at the end", Unit.COUNT),
        ("long_trades", "Long trades", Unit.COUNT),
        ("short_trades", "Short trades", Unit.COUNT),
        ("win_rate", "Win rate", Unit.FRACTION),
        ("long_win_rate", "Win rate, long", Unit.FRACTION),
        ("short_win_rate", "Win rate, short", Unit.FRACTION),
        ("best_trade", "Best trade", Unit.FRACTION),
        ("worst_trade", "Worst trade", Unit.FRACTION),
        ("average_trade", "Average trade", Unit.FRACTION),
        ("median_trade", "Median trade", Unit.FRACTION),
        ("average_win", "Average win", Unit.MONEY),
        ("average_loss", "Average loss", Unit.MONEY),
        ("payoff_ratio", "Payoff ratio", Unit.RATIO),
        ("profit_factor", "Profit factor", Unit.RATIO),
        ("expectancy", "Expectancy per trade", Unit.MONEY),
        ("sqn", "System quality number", Unit.RATIO),
        ("kelly", "Kelly fraction", Unit.FRACTION),
        ("max_consecutive_wins", "Most wins in a row", Unit.COUNT),
        ("max_consecutive_losses", "Most losses in a row", Unit.COUNT),
        ("average_trade_duration_ms", "Average trade length", Unit.DURATION),
        ("max_trade_duration_ms", "Longest trade", Unit.DURATION),
        ("average_adverse_excursion", "Average adverse excursion", Unit.FRACTION),
        ("max_adverse_excursion", "Worst adverse excursion", Unit.FRACTION),
        ("average_favorable_excursion", "Average favorable excursion", Unit.FRACTION),
        ("max_favorable_excursion", "Best favorable excursion", Unit.FRACTION),
    ),
    *_section(
        Section.COSTS,
        ("fees", "Fees", Unit.MONEY),
        ("slippage", "Slippage", Unit.MONEY),
        ("turnover", "Turnover (traded value over capital)", Unit.RATIO),
    ),
    *_section(
        Section.DISTRIBUTION,
        ("value_at_risk", "Value at risk, 5 %", Unit.FRACTION),
        ("conditional_value_at_risk", "Expected shortfall, 5 %", Unit.FRACTION),
        ("skew", "Skew", Unit.RATIO),
        ("kurtosis", "Excess kurtosis", Unit.RATIO),
        ("tail_ratio", "Tail ratio", Unit.RATIO),
        ("best_day", "Best day", Unit.FRACTION),
        ("worst_day", "Worst day", Unit.FRACTION),
        ("positive_days", "Positive days", Unit.FRACTION),
        ("best_month", "Best month", Unit.FRACTION),
        ("worst_month", "Worst month", Unit.FRACTION),
        ("positive_months", "Positive months", Unit.FRACTION),
    ),
)
