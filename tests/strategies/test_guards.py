"""What a strategy returns is checked before anything trades on it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.timeframes import Timeframe
from strategies.causality import generated_candles
from strategies.guards import (
    InvalidSignalsError,
    StrategyFailedError,
    check_signals,
    guarded,
    guarded_overlays,
)
from strategies.indicators.crossings import Crossings
from strategies.registry import get_definition
from strategies.shapes import Overlay
from strategies.signals import ENTER_AT_LIMIT, ENTER_AT_MARKET, ENTER_AT_STOP, Signals
from strategies.views import MarketView, UniverseView

BARS = 5
VIEW = MarketView(generated_candles(BARS), Timeframe.H1)
NO = np.zeros(BARS, dtype=np.bool_)
NAN = float("nan")


def at(index: int) -> np.ndarray:
    """Return a column that is true at one bar."""
    column = NO.copy()
    column[index] = True
    return column


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


#: Goes long at bar 2, and is ready from bar 1 on.
GOOD = Signals(at(2), NO, NO, NO, ~at(0))
LIMIT = np.full(BARS, ENTER_AT_LIMIT, dtype=np.int8)
PRICES = floats(NAN, NAN, 100.0, NAN, NAN)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"entry_kind": LIMIT, "entry_price": PRICES},
        {"entry_kind": np.full(BARS, ENTER_AT_MARKET, dtype=np.int8)},
        {"entry_kind": LIMIT, "entry_price": PRICES, "entry_bars": np.full(BARS, 3, np.int32)},
        {"stop_price": floats(-1, 0, 90, NAN, NAN), "target_price": floats(0, 0, NAN, 0, 0)},
        {"score": floats(NAN, NAN, 1.5, NAN, NAN), "flatten": at(4)},
        {"session": np.arange(BARS, dtype=np.int64)},
        {"enter_short": at(2), "entry_kind": LIMIT},  # both at once is no signal
        {"ready": NO, "entry_kind": LIMIT},
    ],
    ids=str,
)
def test_signals_that_can_be_traded_on_pass(change: dict[str, Any]):
    check_signals("Honest", replace(GOOD, **change), VIEW)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"enter_long": NO[:-1]}, "enter_long of shape 4 for bars of shape 5"),
        ({"ready": np.zeros((2, BARS), dtype=np.bool_)}, "ready of shape 2 x 5"),
        ({"ready": np.float64(1)}, "float64 as ready, not an array"),
        ({"exit_long": np.full(BARS, NAN)}, "exit_long as float64; it has to hold true or false"),
        ({"enter_long": [False] * BARS}, "list as enter_long, not an array"),
        ({"enter_long": None}, "NoneType as enter_long"),
        ({"score": np.array(["a"] * BARS)}, "score as <U1"),
        ({"entry_kind": floats(0, 0, 0, 0, 0)}, "entry_kind as float64"),
        ({"entry_kind": np.full(BARS, 7, np.int8)}, "unknown kind of order at bar 2"),
        ({"entry_kind": LIMIT}, "limit or stop order without a price at bar 2"),
        ({"entry_kind": LIMIT, "entry_price": np.full(BARS, NAN)}, "without a price at bar 2"),
        ({"entry_kind": LIMIT, "entry_price": -PRICES}, "without a price at bar 2"),
        (
            {"entry_kind": np.full(BARS, ENTER_AT_STOP, np.int8), "entry_price": PRICES * np.inf},
            "without a price at bar 2",
        ),
        ({"entry_bars": np.full(BARS, -1, np.int32)}, "rest for less than no bars at bar 2"),
        ({"stop_price": -PRICES}, "a stop that is no price at bar 2"),
        ({"target_price": PRICES * np.inf}, "a target that is no price at bar 2"),
        ({"score": np.full(BARS, NAN)}, "a score that is no number at bar 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_could_be_misread_is_refused_with_the_first_bar(change, sentence):
    with pytest.raises(InvalidSignalsError) as caught:
        check_signals("Garbage", replace(GOOD, **change), VIEW)

    assert sentence in caught.value.message
    assert caught.value.code == "invalid_signals"
    if "at bar 2" in sentence:
        assert "1970-01-01 02:00 UTC" in caught.value.message


def universe(symbols: int) -> UniverseView:
    candles = VIEW.candles
    columns = [np.tile(column, (symbols, 1)) for column in candles.columns()[1:]]
    names = tuple(f"COIN{number}/USDT" for number in range(symbols))
    return UniverseView(names, Timeframe.H1, candles.open_time, *columns)


def test_a_universe_needs_a_row_for_each_symbol():
    flat = np.zeros((2, BARS), dtype=np.bool_)
    told = Signals(flat, flat, flat, flat, ~flat)

    check_signals("Many", told, universe(2))
    with pytest.raises(InvalidSignalsError, match="shape 2 x 5 for bars of shape 3 x 5"):
        check_signals("Many", told, universe(3))


def test_a_time_limit_is_no_fault_of_the_strategy():
    class SoftTimeLimitExceeded(Exception):
        pass

    def slow() -> int:
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        guarded("Slow", "signals", int, slow, package="tests")()


def test_a_failure_names_the_innermost_line_of_its_own_package():
    def raises() -> int:
        return int("x")

    with pytest.raises(StrategyFailedError) as caught:
        guarded("Bad", "rules", int, raises, package=__name__)()

    assert caught.value.message.startswith("“Bad” broke in its rules: ValueError in tests.")
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("lines", [None, [1], [Overlay("short", np.zeros(2))], "text"], ids=str)
def test_lines_that_do_not_fit_the_bars_are_refused(lines):
    draw = guarded_overlays("Draws", lambda *_: lines, package="tests")

    with pytest.raises(StrategyFailedError):
        draw(VIEW, None)


@given(
    columns=st.lists(st.lists(st.booleans(), min_size=BARS, max_size=BARS), min_size=5, max_size=5)
)
def test_any_truth_values_of_the_right_length_pass(columns):
    long, short, leave_long, leave_short, ready = np.array(columns, dtype=np.bool_)
    told = Signals(long, short, leave_long, leave_short, ready)

    check_signals("Any", told, VIEW)


def test_the_registry_guards_what_it_hands_out(monkeypatch):
    definition = get_definition("ema-crossover")
    nothing = Crossings(*(np.zeros(1, dtype=np.bool_) for _ in range(3)))
    monkeypatch.setattr(definition.module, "ema_crossings", lambda *_: nothing)

    with pytest.raises(InvalidSignalsError, match="enter_long of shape 1"):
        definition.signals(VIEW, definition.default_params())
