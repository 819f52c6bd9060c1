"""A sweep as files and programs see it; the same for pages, API and commands."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.http import StreamingHttpResponse

from backtesting.domain.objectives import FIGURES
from backtesting.domain.trials import Trials
from backtesting.models import Sweep
from backtesting.reports import instant, plain
from backtesting.selectors import sweeps as selectors
from market.errors import InvalidInputError

#: In front of a parameter that trials are sorted by, because figures have names of their own.
PARAMETER: Final = "parameter."


class UnknownOrderError(InvalidInputError):
    """Trials cannot be sorted by this."""

    code = "invalid_parameter"

    def __init__(self, asked: str) -> None:
        super().__init__(f"Trials cannot be sorted by “{asked[:60]}”.")


def sorted_trials(trials: Trials, order: str) -> Sequence[int]:
    """Return the indices of *trials* by *order*: ``sharpe``, ``-trades``, ``parameter.leverage``.

    Raises UnknownOrderError. A minus sign in front is for the largest first.
    """
    key, is_descending = order.removeprefix("-"), order.startswith("-")
    name = key.removeprefix(PARAMETER)
    is_known = name in trials.names if key.startswith(PARAMETER) else key in {"number", *FIGURES}
    if not is_known:
        raise UnknownOrderError(order)
    indices: list[int] = trials.sorted_by(name, descending=is_descending).tolist()
    return indices


def present_trial(trials: Trials, index: int) -> dict[str, Any]:
    """Return one trial; fractions are numbers, 0.01 is 1 %."""
    return {
        "number": int(trials.numbers[index]),
        "parameters": trials.parameters(index),
        "figures": trials.figures_json(index),
    }


def present_sweep(sweep: Sweep) -> dict[str, Any]:
    """Return everything about a sweep but its trials and links."""
    swept = {axis["name"] for axis in sweep.space}
    return {
        **present_sweep_in_list(sweep),
        "space": sweep.space,
        "parameters": {
            name: value for name, value in sweep.parameters.items() if name not in swept
        },
        "least_trades": sweep.least_trades,
        "seed": sweep.seed,
        "capital": plain(sweep.capital),
        "maker_fee_bps": plain(sweep.maker_fee_bps),
        "taker_fee_bps": plain(sweep.taker_fee_bps),
        "slippage_bps": plain(sweep.slippage_bps),
        "funding_bps": plain(sweep.funding_bps),
        "strategy_version": sweep.strategy_version.number,
        "engine_version": sweep.engine_version,
        "spec_hash": sweep.spec_hash,
    }


def present_sweep_in_list(sweep: Sweep) -> dict[str, Any]:
    """Return a sweep as a line of a list."""
    has_failed = bool(sweep.error_code)
    return {
        "id": str(sweep.public_id),
        "status": sweep.status,
        "progress": sweep.progress,
        "strategy": sweep.strategy_version.strategy.slug,
        "market": sweep.markets,
        "timeframe": sweep.timeframe,
        "from": instant(sweep.from_at),
        "to": instant(sweep.to_at),
        "method": sweep.method,
        "objective": sweep.objective,
        "trials_asked": sweep.trials_asked,
        "trials_planned": sweep.trials_planned,
        "trials_done": sweep.trials_done,
        "best": sweep.best,
        "requested_at": instant(sweep.requested_at),
        "started_at": instant(sweep.started_at),
        "finished_at": instant(sweep.finished_at),
        "error": {"code": sweep.error_code, "message": sweep.error_message} if has_failed else None,
    }


def csv_response(sweep: Sweep) -> StreamingHttpResponse:
    """Return all trials so far as a download, a line for each."""
    return _download(sweep, csv_lines(selectors.trials_of(sweep)), "csv", "text/csv")


def json_response(sweep: Sweep) -> StreamingHttpResponse:
    """Return the sweep and all of its trials so far as a download."""
    lines = _json_lines(present_sweep(sweep), selectors.trials_of(sweep))
    return _download(sweep, lines, "json", "application/json")


def csv_lines(trials: Trials) -> Iterator[str]:
    """Yield a line of CSV for each trial, after the names of the columns."""
    yield _csv_line(["number", *trials.names, *FIGURES])
    for index in range(len(trials)):
        figures = trials.figures_json(index).values()
        yield _csv_line([int(trials.numbers[index]), *trials.points[index], *figures])


def _csv_line(cells: Sequence[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def _json_lines(sweep: Mapping[str, Any], trials: Trials) -> Iterator[str]:
    yield json.dumps(sweep)[:-1] + ', "trials": ['
    for index in range(len(trials)):
        yield ("" if index == 0 else ",") + "\n" + json.dumps(present_trial(trials, index))
    yield "\n]}\n"


def _download(
    sweep: Sweep, lines: Iterator[str], ending: str, content_type: str
) -> StreamingHttpResponse:
    slug = sweep.strategy_version.strategy.slug
    symbol = "".join(each if each.isalnum() else "-" for each in sweep.short_market)
    name = f"{slug}-{symbol}-{sweep.timeframe}-sweep-{sweep.public_id.hex[:8]}.{ending}"
    return StreamingHttpResponse(
        lines,
        content_type=f"{content_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
