"""Charts as plain SVG."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtesting import drawings
from backtesting.domain.curves import EquityCurve
from market.timeframes import HOUR_MS

NUMBER = re.compile(r"[0-9,]+(\.[0-9]+)?(e-[0-9]+)?")


def curve_of(values: list[float]) -> EquityCurve:
    times = np.arange(len(values), dtype=np.int64) * HOUR_MS
    column = np.array(values, dtype=np.float64)
    return EquityCurve(times, column, column[::-1].copy(), 100.0)


def places(path: str) -> list[tuple[float, float]]:
    pairs = [part.split() for part in re.split("[ML]", path.replace("Z", ""))[1:]]
    return [(float(x), float(y)) for x, y in pairs]


class TestLines:
    def test_nothing_has_no_drawing(self):
        empty = curve_of([])

        assert drawings.draw_equity(empty) is None
        assert drawings.draw_drawdown(empty) is None

    @given(st.lists(st.floats(0.01, 1e9), min_size=1, max_size=80))
    def test_every_line_lies_inside_its_box(self, values):
        drawing = drawings.draw_equity(curve_of(values))

        assert drawing is not None
        box = drawing.box
        assert [line.kind for line in drawing.lines] == ["benchmark", "equity"]
        for line in drawing.lines:
            for x, y in places(line.path):
                assert box.left - 0.1 <= x <= box.right + 0.1
                assert box.top - 0.1 <= y <= box.bottom + 0.1
        assert all(box.top - 0.1 <= tick.at <= box.bottom + 0.1 for tick in drawing.y_ticks)
        assert 2 <= len(drawing.y_ticks) <= 8

    def test_a_long_curve_is_thinned_and_keeps_its_peak(self):
        values = [100.0 + index % 7 for index in range(5_000)]
        values[1_234] = 200.0

        drawing = drawings.draw_equity(curve_of(values))

        assert drawing is not None
        (equity,) = (line for line in drawing.lines if line.kind == "equity")
        assert len(places(equity.path)) <= 700
        highest = min(y for _, y in places(equity.path))
        assert highest == min(tick.at for tick in drawing.y_ticks if tick.label == "200")

    def test_a_drawdown_hangs_from_zero(self):
        drawing = drawings.draw_drawdown(curve_of([100.0, 90.0, 120.0, 60.0]))

        assert drawing is not None
        assert drawing.lines[0].path.endswith("Z")
        assert drawing.y_ticks[0].label.startswith("-50")
        assert drawing.y_ticks[-1].label == "0%"


class TestScatter:
    def test_no_trades_have_no_drawing(self):
        none = np.empty(0)

        assert drawings.draw_excursions(none, none, none > 0, total=0) is None

    def test_each_trade_has_its_mark(self):
        adverse, favorable = np.array([0.01, 0.02, 0.0]), np.array([0.05, 0.0, 0.0])

        drawing = drawings.draw_excursions(
            adverse, favorable, np.array([True, False, False]), total=9
        )

        assert drawing is not None
        assert drawing.wins.count("M") == 1
        assert drawing.losses.count("l5 5") == 2
        assert (drawing.shown, drawing.total) == (3, 9)
        assert [tick.label for tick in drawing.x_ticks][:2] == ["0%", "0.5%"]

    @pytest.mark.parametrize("size", [1e-9, 1e-4, 0.37, 55.0])
    def test_scales_have_round_labels(self, size):
        drawing = drawings.draw_excursions(
            np.array([size]), np.array([size]), np.array([True]), total=1
        )

        assert drawing is not None
        labels = [tick.label for tick in drawing.x_ticks]
        assert len(set(labels)) == len(labels)
        assert all(NUMBER.fullmatch(label.rstrip("%")) for label in labels)
