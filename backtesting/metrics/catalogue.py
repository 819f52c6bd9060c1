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


class Better(StrEnum):
    """Which of two values speaks for a run, all else equal; NEITHER says nothing about its worth."""

    HIGHER = "HIGHER"
    LOWER = "LOWER"
    NEITHER = "NEITHER"


class MetricInfo(NamedTuple):
    """One metric: its key in ``Metrics.values``, its name for people, its unit and its place."""

    key: str
    label: str
    unit: Unit
    section: Section
    better: Better


#: Of these the lower value is better, and of those below neither; of all others the higher one.
_LOWER: Final = frozenset(
    {
        "annual_volatility", "max_drawdown", "average_drawdown", "final_drawdown",
        "max_drawdown_duration_ms", "average_drawdown_duration_ms", "time_under_water",
        "ulcer_index", "max_consecutive_losses", "average_adverse_excursion",
        "max_adverse_excursion", "fees", "slippage", "funding", "kurtosis",
        "ambiguous_trades",
    }
)  # fmt: skip
_NEITHER: Final = frozenset(
    {
        "start_ms", "end_ms", "duration_ms", "bars", "exposure", "initial_capital",
        "buy_and_hold_return", "beta", "correlation", "drawdowns", "trades", "open_trades",
        "long_trades", "short_trades", "average_trade_duration_ms", "median_trade_duration_ms",
        "max_trade_duration_ms", "average_win_duration_ms", "average_loss_duration_ms",
        "adverse_excursion_of_wins", "favorable_excursion_of_losses", "turnover",
    }
)  # fmt: skip


def _section(section: Section, *rows: tuple[str, str, Unit]) -> tuple[MetricInfo, ...]:
    return tuple(MetricInfo(*row, section, _better(row[0])) for row in rows)


def _better(key: str) -> Better:
    if key in _NEITHER:
        return Better.NEITHER
    return Better.LOWER if key in _LOWER else Better.HIGHER


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
        ("ulcer_performance", "Ulcer performance index", Unit.RATIO),
        ("omega", "Omega ratio", Unit.RATIO),
        ("gain_to_pain", "Gain to pain, monthly", Unit.RATIO),
        ("probabilistic_sharpe", "Probability of a Sharpe above 0", Unit.FRACTION),
        ("alpha", "Alpha against buy and hold", Unit.FRACTION),
        ("beta", "Beta against buy and hold", Unit.RATIO),
        ("correlation", "Correlation with buy and hold", Unit.RATIO),
    ),
    *_section(
        Section.DRAWDOWN,
        ("max_drawdown", "Maximum drawdown", Unit.FRACTION),
        ("average_drawdown", "Average drawdown", Unit.FRACTION),
        ("final_drawdown", "Drawdown at the end", Unit.FRACTION),
        ("drawdowns", "Drawdowns", Unit.COUNT),
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
        ("ambiguous_trades", "Trades with an ambiguous bar", Unit.COUNT),
        ("long_trades", "Long trades", Unit.COUNT),
        ("short_trades", "Short trades", Unit.COUNT),
        ("win_rate", "Win rate", Unit.FRACTION),
        ("long_win_rate", "Win rate, long", Unit.FRACTION),
        ("short_win_rate", "Win rate, short", Unit.FRACTION),
        ("best_trade", "Best trade", Unit.FRACTION),
        ("worst_trade", "Worst trade", Unit.FRACTION),
        ("average_trade", "Average trade", Unit.FRACTION),
        ("median_trade", "Median trade", Unit.FRACTION),
        ("gross_profit", "Gross profit", Unit.MONEY),
        ("gross_loss", "Gross loss", Unit.MONEY),
        ("long_profit", "Result of long trades", Unit.MONEY),
        ("short_profit", "Result of short trades", Unit.MONEY),
        ("average_win", "Average win", Unit.MONEY),
        ("average_loss", "Average loss", Unit.MONEY),
        ("largest_win", "Largest win", Unit.MONEY),
        ("largest_loss", "Largest loss", Unit.MONEY),
        ("payoff_ratio", "Payoff ratio", Unit.RATIO),
        ("profit_factor", "Profit factor", Unit.RATIO),
        ("expectancy", "Expectancy per trade", Unit.MONEY),
        ("sqn", "System quality number", Unit.RATIO),
        ("kelly", "Kelly fraction", Unit.FRACTION),
        ("max_consecutive_wins", "Most wins in a row", Unit.COUNT),
        ("max_consecutive_losses", "Most losses in a row", Unit.COUNT),
        ("average_trade_duration_ms", "Average trade length", Unit.DURATION),
        ("median_trade_duration_ms", "Median trade length", Unit.DURATION),
        ("max_trade_duration_ms", "Longest trade", Unit.DURATION),
        ("average_win_duration_ms", "Average length of wins", Unit.DURATION),
        ("average_loss_duration_ms", "Average length of losses", Unit.DURATION),
        ("average_adverse_excursion", "Average adverse excursion", Unit.FRACTION),
        ("max_adverse_excursion", "Worst adverse excursion", Unit.FRACTION),
        ("adverse_excursion_of_wins", "Adverse excursion of wins", Unit.FRACTION),
        ("average_favorable_excursion", "Average favorable excursion", Unit.FRACTION),
        ("max_favorable_excursion", "Best favorable excursion", Unit.FRACTION),
        ("favorable_excursion_of_losses", "Favorable excursion of losses", Unit.FRACTION),
    ),
    *_section(
        Section.COSTS,
        ("fees", "Fees", Unit.MONEY),
        ("slippage", "Slippage", Unit.MONEY),
        ("funding", "Funding", Unit.MONEY),
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
        ("average_day", "Average day", Unit.FRACTION),
        ("positive_days", "Positive days", Unit.FRACTION),
        ("best_month", "Best month", Unit.FRACTION),
        ("worst_month", "Worst month", Unit.FRACTION),
        ("average_month", "Average month", Unit.FRACTION),
        ("positive_months", "Positive months", Unit.FRACTION),
    ),
)
