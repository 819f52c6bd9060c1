"""What is kept of each trial of a sweep, and by which of it trials are ranked."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.metrics import CATALOGUE, MetricInfo, Metrics

#: The metrics that each trial keeps, by their keys in the catalogue, in the order of the columns.
FIGURES: Final = (
    "final_equity",
    "total_return",
    "cagr",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "profit_factor",
    "expectancy",
    "win_rate",
    "trades",
    "exposure",
    "fees",
)
_TRADES: Final = FIGURES.index("trades")


@dataclass(frozen=True, slots=True)
class Objective:
    """A figure by which trials are ranked; ``sign`` is 1 where more is better, -1 where less is."""

    info: MetricInfo
    sign: int

    @property
    def key(self) -> str:
        """The figure's key."""
        return self.info.key

    @property
    def column(self) -> int:
        """The figure's place in a row of figures."""
        return FIGURES.index(self.key)

    def scores(self, figures: NDArray[np.float64], *, least_trades: int) -> NDArray[np.float64]:
        """Return how good each row of *figures*, shape ``(n, len(FIGURES))``, is: more is better.

        NaN where the figure is undefined or the trial made fewer than *least_trades* trades.
        """
        scores: NDArray[np.float64] = self.sign * figures[:, self.column]
        # Not a number is not more than any.
        return np.where(figures[:, _TRADES] >= least_trades, scores, np.nan)

    def best(self, figures: NDArray[np.float64], *, least_trades: int) -> int | None:
        """Return the first of the best rows of *figures*; None if none can be ranked."""
        scores = self.scores(figures, least_trades=least_trades)
        return None if np.isnan(scores).all() else int(np.nanargmax(scores))


_INFO: Final[Mapping[str, MetricInfo]] = {info.key: info for info in CATALOGUE}

#: By what a sweep may be ranked, by key, the usual one first.
OBJECTIVES: Final[Mapping[str, Objective]] = MappingProxyType(
    {
        key: Objective(_INFO[key], -1 if key == "max_drawdown" else 1)
        for key in (
            "sharpe",
            "total_return",
            "cagr",
            "sortino",
            "calmar",
            "profit_factor",
            "expectancy",
            "win_rate",
            "max_drawdown",
        )
    }
)


def figures_row(metrics: Metrics) -> NDArray[np.float64]:
    """Return the figures of *metrics* as a row, shape ``(len(FIGURES),)``; NaN where undefined."""
    row = [metrics.values[key] for key in FIGURES]
    return np.array([np.nan if value is None else value for value in row], dtype=np.float64)


def figure_info(key: str) -> MetricInfo:
    """Return how the figure *key* is called and written."""
    return _INFO[key]
