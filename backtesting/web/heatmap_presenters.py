"""The heat map of a sweep as its page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backtesting.domain.heatmaps import Band, HeatMap, heat_map, levels
from backtesting.domain.objectives import OBJECTIVES
from backtesting.domain.searches import Value
from backtesting.domain.trials import Trials
from backtesting.models import Sweep
from backtesting.results import Figure
from backtesting.web import sweep_presenters
from backtesting.web.sweep_presenters import figure, infos_of, title_of

#: How many colors there are, from the worst to the best; the style sheet has as many.
LEVELS: Final = 7
#: Another parameter is offered with at most so many of its values.
_OFFERED: Final = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a control."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Control:
    """A control above the map."""

    name: str
    label: str
    choices: Sequence[Choice]


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair of values: the best trial that has them; ``level`` is None where there is none."""

    figure: Figure | None
    number: int
    level: int | None
    is_best: bool


@dataclass(frozen=True, slots=True)
class HeatMapPage:
    """The map with its controls; ``rows`` have a label and cells."""

    down: str
    across: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    controls: Sequence[Control]
    objective: str
    low: Figure | None
    high: Figure | None
    levels: Sequence[int]


def present_heat_map(sweep: Sweep, trials: Trials, query: Mapping[str, str]) -> HeatMapPage | None:
    """Return the map that *query* asks for; None if fewer than two parameters vary.

    ``across`` and ``down`` name parameters, ``at.<name>`` a value of another one; whatever makes no
    sense is answered as if it had not been said.
    """
    varied = [name for name in trials.names if len(set(trials.values(name))) > 1]
    if len(varied) < 2:
        return None
    across = _named(query.get("across"), varied, varied[0])
    others = [name for name in varied if name != across]
    down = _named(query.get("down"), others, others[0])
    offered = {name: _offered(trials, name) for name in others if name != down}
    fixed = {
        name: value
        for name, values in offered.items()
        for value in values
        if query.get(f"at.{name}") == text_of(value)
    }
    objective = OBJECTIVES[sweep.objective]
    scores = objective.scores(trials.figures, least_trades=sweep.least_trades)
    found = heat_map(trials, scores, down=down, across=across, fixed=fixed)
    infos = infos_of(sweep)

    def axis_control(name: str, label: str, chosen: str) -> Control:
        choices = [Choice(each, title_of(infos, each), each == chosen) for each in varied]
        return Control(name, label, choices)

    controls = [axis_control("across", "Across", across), axis_control("down", "Down", down)]
    for name, values in offered.items():
        chosen = fixed.get(name)
        choices = [Choice("", "The best of all", name not in fixed)]
        choices += [
            Choice(text_of(each), text_of(each), name in fixed and each == chosen)
            for each in values
        ]
        controls.append(Control(f"at.{name}", title_of(infos, name), choices))
    return _page(sweep, trials, found, controls, title_of(infos, down), title_of(infos, across))


def _page(
    sweep: Sweep,
    trials: Trials,
    found: HeatMap,
    controls: Sequence[Control],
    down: str,
    across: str,
) -> HeatMapPage:
    steps = levels(found.scores, count=LEVELS).tolist()
    rows = []
    for row, band in enumerate(found.rows):
        cells = [
            _cell(sweep, trials, int(index), steps[row][column])
            for column, index in enumerate(found.best[row].tolist())
        ]
        rows.append((_label(band), cells))
    shown = [cell.figure for _, cells in rows for cell in cells if cell.figure is not None]
    ordered = sorted(shown, key=lambda each: OBJECTIVES[sweep.objective].sign * each.value)
    return HeatMapPage(
        down=down,
        across=across,
        columns=[_label(band) for band in found.columns],
        rows=rows,
        controls=controls,
        objective=OBJECTIVES[sweep.objective].info.label,
        low=ordered[0] if ordered else None,
        high=ordered[-1] if ordered else None,
        levels=range(LEVELS),
    )


def _cell(sweep: Sweep, trials: Trials, index: int, level: int) -> Cell:
    if index < 0:
        return Cell(None, 0, None, is_best=False)
    number = int(trials.numbers[index])
    return Cell(
        figure(sweep.objective, trials.figures_json(index)),
        number,
        level,
        is_best=sweep_presenters.is_best(sweep, number),
    )


def text_of(value: Value) -> str:
    """Return a value in as few characters as it needs."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label(band: Band) -> str:
    if band.low == band.high:
        return text_of(band.low)
    return f"{text_of(band.low)}…{text_of(band.high)}"


def _named(asked: str | None, among: Sequence[str], otherwise: str) -> str:
    return asked if asked is not None and asked in among else otherwise


def _offered(trials: Trials, name: str) -> Sequence[Value]:
    """Return the values of a parameter to choose from; none if there are too many."""
    distinct = sorted(set(trials.values(name)), key=lambda each: (isinstance(each, str), each))
    return distinct if len(distinct) <= _OFFERED else []
