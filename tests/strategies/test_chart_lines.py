"""Lines of strategies as charts draw them."""

import numpy as np

from strategies.chart_lines import chart_line
from strategies.shapes import Overlay

NAN = float("nan")
TIMES = np.arange(8) * 60


def test_a_line_begins_where_it_is_defined_and_breaks_once_in_each_gap():
    values = np.array([NAN, 1.0, 2.0, NAN, NAN, 3.0, NAN, NAN])

    line = chart_line(Overlay("RSI", values, pane="RSI"), TIMES)

    assert line == {
        "name": "RSI",
        "pane": "RSI",
        "points": [
            {"time": 60, "value": 1.0},
            {"time": 120, "value": 2.0},
            {"time": 180, "value": None},
            {"time": 300, "value": 3.0},
        ],
    }


def test_a_line_that_is_defined_nowhere_has_no_points():
    line = chart_line(Overlay("EMA 8", np.full(8, NAN)), TIMES)

    assert line == {"name": "EMA 8", "pane": "", "points": []}
    assert chart_line(Overlay("EMA 8", np.empty(0)), TIMES[:0])["points"] == []
