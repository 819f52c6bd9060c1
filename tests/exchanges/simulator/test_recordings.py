"""From recorded candles and scripts to prices."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from exchanges.simulator.prices import SAMPLES_PER_SECOND
from exchanges.simulator.recordings import (
    SHIPPED,
    RecordingError,
    Script,
    load_recordings,
    replay,
)
from market.timeframes import Timeframe

HEADER = ["timestamp", "open", "high", "low", "close", "volume"]
ROWS = [[0, 100, 110, 95, 105, 1_000], [60_000, 105, 106, 90, 91, 2_000]]


def write_candles(
    folder: Path, market: str, rows: Sequence[Sequence[float]], *, name: str = "1m.csv"
):
    (folder / market).mkdir(parents=True, exist_ok=True)
    with (folder / market / name).open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


def one_recording(folder: Path, rows: Sequence[Sequence[float]], *, market: str = "BTC-USDT"):
    write_candles(folder, market, rows)
    return load_recordings(folder, timeframe=Timeframe.M1)[0]


def ema(values: np.ndarray, length: int) -> np.ndarray:
    result = np.full(len(values), np.nan)
    result[length - 1] = values[:length].mean()
    for place in range(length, len(values)):
        step = values[place] - result[place - 1]
        result[place] = result[place - 1] + 2 / (length + 1) * step
    return result


class TestReplay:
    def test_the_shipped_markets_are_four(self):
        names = [r.instrument.name for r in load_recordings(SHIPPED, timeframe=Timeframe.H4)]

        assert names == ["BNB/USDT", "BTC/USDT", "ETH/USDT", "SOL/USDT"]

    def test_each_recorded_bar_keeps_its_open_high_low_and_close(self):
        recording = load_recordings(SHIPPED, timeframe=Timeframe.H4)[1]
        path = replay(recording, bar_seconds=4)
        starts = np.arange(len(recording.rows), dtype=np.int64) * 16

        bars = path.bars(starts, starts + 16)

        played = np.stack([bars.open, bars.high, bars.low, bars.close], axis=1) / 100
        assert np.abs(played - recording.rows[:, 1:5]).max() < 0.006

    def test_a_rising_bar_falls_first_and_a_falling_bar_rises_first(self, tmp_path):
        path = replay(one_recording(tmp_path, ROWS), bar_seconds=1)

        assert path.ticks_at(np.arange(8)).tolist() == [
            10_000, 9_500, 11_000, 10_500, 10_500, 10_600, 9_000, 9_100,
        ]  # fmt: skip

    def test_volume_flows_at_the_recorded_rate(self, tmp_path):
        recording = one_recording(tmp_path, [[0, 100, 110, 95, 105, 6_000]])
        path = replay(recording, bar_seconds=100)
        second = np.array([0]), np.array([100 * SAMPLES_PER_SECOND])

        lots = int(path.bars(*second).volume[0])

        assert lots * 0.00001 / 100 == pytest.approx(100, rel=0.1)

    def test_crosses_of_two_short_averages_come_more_than_once_a_minute(self):
        for recording in load_recordings(SHIPPED, timeframe=Timeframe.H4):
            path = replay(recording, bar_seconds=4)
            starts = np.arange(len(path) // 4, dtype=np.int64) * 4
            closes = path.bars(starts, starts + 4).close.astype(float)
            above = (ema(closes, 5) > ema(closes, 15))[15:]
            crosses = np.flatnonzero(above[1:] != above[:-1])

            assert len(crosses) / (len(closes) / 60) > 4
            assert np.diff(crosses).max() < 90

    def test_consecutive_seconds_differ(self):
        path = replay(load_recordings(SHIPPED, timeframe=Timeframe.H4)[1], bar_seconds=4)
        starts = np.arange(len(path) // 4, dtype=np.int64) * 4
        bars = path.bars(starts, starts + 4)

        assert (bars.high > bars.low).mean() > 0.99


class TestLoadRecordings:
    def test_parquet_is_read_like_csv(self, tmp_path):
        write_candles(tmp_path / "a", "ETH-BTC", [[0, 0.05, 0.06, 0.04, 0.055, 10]])
        folder = tmp_path / "b" / "ETH-BTC"
        folder.mkdir(parents=True)
        columns = dict(zip(HEADER, [[0], [0.05], [0.06], [0.04], [0.055], [10.0]], strict=True))
        parquet.write_table(pa.table(columns), folder / "1m.parquet")

        from_csv = load_recordings(tmp_path / "a", timeframe=Timeframe.M1)[0]
        from_parquet = load_recordings(tmp_path / "b", timeframe=Timeframe.M1)[0]

        assert from_csv.digest == from_parquet.digest
        assert from_csv.instrument == from_parquet.instrument

    @pytest.mark.parametrize(
        ("rows", "reason"),
        [
            ([], "no candles"),
            ([[0, 1, 2, 0, 1, 1]], "not positive"),
            ([[0, 1, 2, 1, "nan", 1]], "not positive"),
            ([[0, 1, 1, 1, 2, 1]], "inside its bar"),
            ([[5, 1, 1, 1, 1, 1], [5, 1, 1, 1, 1, 1]], "order of time"),
            ([[0, 1, 1, 1, "one", 1]], "could not convert"),
        ],
    )
    def test_broken_candles_are_refused_with_the_file_and_the_reason(self, tmp_path, rows, reason):
        write_candles(tmp_path, "BTC-USDT", rows)

        with pytest.raises(RecordingError, match=f"BTC-USDT.*{reason}"):
            load_recordings(tmp_path, timeframe=Timeframe.M1)

    def test_an_empty_folder_is_refused(self, tmp_path):
        with pytest.raises(RecordingError, match=r"No <BASE-QUOTE>/1m\.csv"):
            load_recordings(tmp_path, timeframe=Timeframe.M1)

    def test_two_recordings_of_one_market_are_refused(self, tmp_path):
        write_candles(tmp_path / "a", "BTC-USDT", ROWS)
        write_candles(tmp_path / "b", "BTC-USDT", ROWS)

        with pytest.raises(RecordingError, match="Two recordings of BTC-USDT"):
            load_recordings(tmp_path, timeframe=Timeframe.M1)

    @pytest.mark.parametrize("price", [0.00000123, 0.07, 3.0, 480.0, 70_000.0])
    def test_unknown_markets_get_steps_that_fit_their_price(self, tmp_path, price):
        rows = [[0, price, price, price, price, 1]]

        instrument = one_recording(tmp_path, rows, market="NEW-USDT").instrument

        assert float(instrument.tick) <= price / 100
        assert instrument.tick * instrument.lot * 10**8 >= 1


class TestScript:
    def test_prices_run_straight_between_points_or_jump(self, tmp_path):
        instrument = one_recording(tmp_path, ROWS).instrument
        document = {"prices": {"BTC/USDT": [[0, 100], [1, 200]]}}

        straight = Script.parse(document).path(instrument)
        stepped = Script.parse({**document, "stepped": True}).path(instrument)

        assert (straight.ticks_at(np.arange(6)) / 100).tolist() == [100, 125, 150, 175, 200, 200]
        assert (stepped.ticks_at(np.arange(6)) / 100).tolist() == [100, 100, 100, 100, 200, 200]

    def test_a_script_reads_back_what_it_writes(self):
        script = Script.parse({"prices": {"BTC/USDT": [[0, 100], [1.5, 99.5]]}, "start_ms": 250})

        assert Script.parse(json.loads(json.dumps(script.document()))) == script

    @pytest.mark.parametrize(
        "document",
        [
            None,
            {},
            {"prices": []},
            {"prices": {"BTC/USDT": []}},
            {"prices": {"BTC/USDT": [[0, 0]]}},
            {"prices": {"BTC/USDT": [[0, "much"]]}},
            {"prices": {"BTC/USDT": [[1, 5], [0, 5]]}},
            {"prices": {"btcusdt": [[0, 5]]}},
            {"prices": {"BTC/USDT": [[0, 5], [1e9, 5]]}},
        ],
    )
    def test_a_broken_script_is_refused(self, document):
        with pytest.raises(RecordingError):
            Script.parse(document)
