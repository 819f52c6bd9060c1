"""A strategy's lines are computed with its result and drawn without its code."""

import numpy as np
import pytest

from backtesting import reports
from backtesting.domain.lines import ChartLines, bars_per_candle
from market.timeframes import Timeframe
from strategies import registry
from strategies.shapes import Overlay
from tests.factories import exchanges as exchange_factory
from tests.factories.accounts import make_person
from tests.factories.backtesting import make_done_run, make_market, swinging_closes


def overlay(count: int) -> Overlay:
    bars = np.arange(count, dtype=np.float64)
    return Overlay("RSI 14", np.where(bars < 3, np.nan, bars), "RSI")


@pytest.mark.parametrize(("bars", "size"), [(0, 1), (1, 1), (2_000, 1), (2_001, 2), (525_600, 263)])
def test_a_candle_joins_as_few_bars_as_fit(bars, size):
    assert bars_per_candle(bars) == size


@pytest.mark.parametrize("count", [0, 1, 5, 4_003])
def test_what_is_stored_is_read_again_to_the_last_bit(count):
    kept = ChartLines.of([overlay(count), overlay(count)._replace(pane="")], bars=count)

    read = ChartLines.from_bytes(kept.to_bytes())

    assert read.bars == count
    assert [(line.name, line.pane) for line in read.lines] == [("RSI 14", "RSI"), ("RSI 14", "")]
    for one, other in zip(read.lines, kept.lines, strict=True):
        assert one.values.tobytes() == other.values.tobytes()


def test_a_candle_of_many_bars_shows_the_value_at_the_close_of_the_last():
    (line,) = ChartLines.of([overlay(4_003)], bars=4_003).lines

    assert np.isnan(line.values[0])
    assert line.values[1:4].tolist() == [5.0, 8.0, 11.0]
    assert line.values[-1] == 4_002.0


def test_no_lines_are_none():
    assert ChartLines.from_bytes(ChartLines.of([], bars=7).to_bytes()).lines == []


@pytest.mark.django_db
class TestChart:
    def test_the_chart_shows_them_though_the_strategy_is_gone(self, monkeypatch):
        make_market()
        run = make_done_run(make_person())
        monkeypatch.setattr(registry, "all_definitions", lambda: ())

        chart = reports.candle_chart(run)

        assert [line["name"] for line in chart["lines"]] == ["EMA 5", "EMA 20"]
        # An average of five bars begins at the fifth; there is no bar before the window.
        assert len(chart["lines"][0]["points"]) == len(chart["candles"]) - 4

    def test_lines_over_other_candles_are_left_out(self):
        instrument = make_market(bars=599)
        run = make_done_run(make_person())
        more = exchange_factory.make_candles(swinging_closes(600), timeframe=Timeframe.H1)
        exchange_factory.store_candles(instrument, Timeframe.H1, more.slice(599, 600))
        run.refresh_from_db()
        run.to_at = run.to_at.replace(day=26, hour=0)

        assert reports.candle_chart(run)["lines"] == []

    def test_a_run_from_before_has_none(self):
        make_market()
        run = make_done_run(make_person())
        run.lines = None

        assert reports.candle_chart(run)["lines"] == []
