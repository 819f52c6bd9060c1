"""The trials of a sweep as lines of text for a terminal."""

from collections.abc import Iterator

import numpy as np

from backtesting.domain.objectives import Objective, figure_info
from backtesting.domain.trials import Trials
from backtesting.management.text import metric_text

#: Beside the objective; wide enough for their names.
_FIGURES = ("total_return", "sharpe", "max_drawdown", "trades")
_WIDTH = 18


def lines(trials: Trials, objective: Objective, *, least_trades: int, most: int) -> Iterator[str]:
    """Yield the best trials, the best first, and what to think of them."""
    scores = objective.scores(trials.figures, least_trades=least_trades)
    ranked = [index for index in np.argsort(-scores, kind="stable") if not np.isnan(scores[index])]
    keys = [objective.key, *(key for key in _FIGURES if key != objective.key)]
    heads = ["#", *(figure_info(key).label for key in keys), *trials.names]
    yield "".join(f"{head:>{_width(head)}}" for head in heads)
    for index in ranked[:most]:
        figures = trials.figures_json(int(index))
        cells = [
            str(trials.numbers[index]),
            *(metric_text(figure_info(key), figures[key]) for key in keys),
            *(str(value) for value in trials.points[int(index)]),
        ]
        yield "".join(f"{cell:>{_width(head)}}" for head, cell in zip(heads, cells, strict=True))
    yield ""
    yield f"{len(trials):,} trials, {len(ranked):,} of them ranked by “{objective.info.label}”."
    if len(trials) > 1:
        yield "The more are tried, the better the best looks by chance alone."


def _width(head: str) -> int:
    return 6 if head == "#" else max(_WIDTH, len(head) + 2)
