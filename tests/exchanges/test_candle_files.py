"""Candles that a machine has at hand: never others than the database has, and never too many."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from django.db import transaction

from exchanges.domain import codec
from exchanges.models import CandleChunk
from exchanges.selectors import candle_files
from exchanges.selectors import candles as reads
from exchanges.services import candles as store
from market.timeframes import MINUTE_MS, Timeframe
from tests.factories.exchanges import NEW_YEAR_MS, make_candles, make_instrument

#: A month and a bit, so that there are two chunks.
BARS = 46_000
CLOSES = (30_000 + np.arange(BARS) % 700 / 100).round(2).tolist()


@pytest.fixture
def folder(settings, tmp_path) -> Path:
    settings.CANDLE_CACHE_BYTES = 50_000_000
    found: Path = tmp_path / "candles"
    settings.CANDLE_CACHE_FOLDER = found
    return found


@pytest.fixture
def instrument(db):
    found = make_instrument()
    put(found, make_candles(CLOSES, timeframe=Timeframe.M1))
    return found


def put(instrument, candles):
    with transaction.atomic():
        store.merge_into_chunks(
            instrument_id=instrument.pk, timeframe=Timeframe.M1, candles=candles
        )


def load(instrument, *, bars=BARS):
    return reads.load_candles(
        instrument_id=instrument.pk,
        timeframe=Timeframe.M1,
        from_ms=NEW_YEAR_MS + MINUTE_MS,
        to_ms=NEW_YEAR_MS + bars * MINUTE_MS,
    )


def same(candles, other):
    return all(map(np.array_equal, candles.columns(), other.columns()))


class TestLoading:
    def test_a_series_is_read_from_the_machine_the_second_time(self, folder, instrument):
        first = load(instrument)
        # The database has nothing readable any more: what comes now is the machine's.
        CandleChunk.objects.update(data=b"nothing")

        second = load(instrument)

        assert len(second) == BARS - 1
        assert same(first, second)
        assert [column.dtype for column in second.columns()] == [
            column.dtype for column in first.columns()
        ]

    def test_a_revision_is_seen_at_once(self, folder, instrument):
        before = load(instrument)
        revised = make_candles([29_000.0], timeframe=Timeframe.M1, first_open_ms=NEW_YEAR_MS)
        put(instrument, revised)
        put(
            instrument,
            make_candles([29_500.0], timeframe=Timeframe.M1, first_open_ms=NEW_YEAR_MS + MINUTE_MS),
        )

        after = load(instrument)

        assert after.close[0] == 29_500.0
        assert before.close[0] == CLOSES[1]
        assert after.close[1:].tolist() == before.close[1:].tolist()

    def test_what_a_computation_writes_into_its_bars_stays_with_it(self, folder, instrument):
        load(instrument)
        load(instrument).close[:] = 1.0

        assert load(instrument).close.tolist() == CLOSES[1:]

    @pytest.mark.parametrize("length", [0, 40, 64, 1_000_000])
    def test_a_file_that_was_cut_off_is_made_again(self, folder, instrument, length):
        load(instrument)
        (path,) = folder.iterdir()
        whole = path.stat().st_size
        os.truncate(path, length)

        assert load(instrument).close.tolist() == CLOSES[1:]
        assert path.stat().st_size == whole

    def test_a_chunk_that_is_not_what_was_written_is_not_kept(self, folder, instrument):
        other = codec.encode(load(instrument).slice(0, 10))
        for path in folder.iterdir():
            path.unlink()
        CandleChunk.objects.update(data=other, row_count=10)

        load(instrument)

        assert list(folder.iterdir()) == []

    def test_a_short_window_makes_no_file(self, folder, instrument):
        assert len(load(instrument, bars=1_000)) == 999
        assert not folder.exists()

    def test_nothing_stored_makes_no_file(self, folder, db):
        assert len(load(make_instrument())) == 0
        assert not folder.exists()

    def test_a_machine_without_a_place_for_files_loads_as_well(
        self, folder, instrument, tmp_path, settings, caplog
    ):
        settings.CANDLE_CACHE_FOLDER = tmp_path / "a-file" / "below"
        (tmp_path / "a-file").write_text("no folder")

        assert load(instrument).close.tolist() == CLOSES[1:]
        assert [record.message for record in caplog.records] == ["candles.not_kept"]

    def test_files_of_somebody_else_are_not_believed(self, folder, instrument, monkeypatch, caplog):
        load(instrument)
        (path,) = folder.iterdir()
        written = path.read_bytes()
        somebody = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: somebody)

        assert candle_files.find(path.stem, rows=BARS) is None
        candle_files.keep(path.stem, make_candles([1.0], timeframe=Timeframe.M1))

        assert path.read_bytes() == written
        assert [record.message for record in caplog.records] == ["candles.not_kept"]


class TestRoom:
    SIZE = 64 + 48 * 1_000

    def series(self, number):
        return make_candles([float(number + 1)] * 1_000, timeframe=Timeframe.M1)

    def keep(self, number):
        candle_files.keep(f"{number:064x}", self.series(number))

    def find(self, number):
        return candle_files.find(f"{number:064x}", rows=1_000)

    def test_what_was_not_used_for_longest_goes_first(self, folder, settings):
        settings.CANDLE_CACHE_BYTES = 5 * self.SIZE
        for number in range(5):
            self.keep(number)
            os.utime(folder / f"{number:064x}.candles", (number, number))
        assert self.find(0) is not None

        self.keep(5)

        assert [number for number in range(6) if self.find(number) is not None] == [0, 3, 4, 5]
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 5 * self.SIZE

    def test_what_is_mapped_can_be_read_after_it_is_removed(self, folder):
        self.keep(1)
        mapped = self.find(1)
        for path in folder.iterdir():
            path.unlink()

        assert same(mapped, self.series(1))

    def test_a_series_larger_than_the_room_is_not_kept(self, folder, settings):
        settings.CANDLE_CACHE_BYTES = self.SIZE

        self.keep(1)

        assert self.find(1) is None

    def test_readers_see_whole_files_while_others_write_and_make_room(self, folder, settings):
        settings.CANDLE_CACHE_BYTES = 3 * self.SIZE

        def work(number):
            seen = 0
            for turn in range(12):
                self.keep((number + turn) % 4)
                found = self.find(number % 4)
                seen += found is not None
                assert found is None or same(found, self.series(number % 4))
            return seen

        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(work, range(4))) > 0
        assert not list(folder.glob("*.new"))
