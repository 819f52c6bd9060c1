"""Writing and reading candles: chunks and tail as one series, gaps, revisions, sealing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import transaction

from exchanges.domain.codec import CorruptChunkError
from exchanges.domain.merging import take
from exchanges.models import CandleChunk, CandleFeed, CandleGap, CandleRevision, CandleTail
from exchanges.selectors import candles as reads
from exchanges.services import candles as store
from exchanges.services import sealing
from exchanges.services.candles import SeriesBars, Stored
from market.candles import Candles
from market.timeframes import DAY_MS, HOUR_MS, SECOND_MS, Timeframe, from_milliseconds
from tests.factories.exchanges import NEW_YEAR_MS, make_candles, make_instrument, store_candles

pytestmark = pytest.mark.django_db

H1 = Timeframe.H1
FAR = NEW_YEAR_MS + 10_000 * DAY_MS


def append(instrument, candles: Candles, timeframe: Timeframe = H1) -> Stored:
    with transaction.atomic():
        outcome = store.append_closed(
            timeframe=timeframe, batches=[SeriesBars(instrument.pk, candles)]
        )
    return outcome[instrument.pk]


def load(instrument, timeframe: Timeframe = H1, from_ms: int = 0, to_ms: int = FAR) -> Candles:
    return reads.load_candles(
        instrument_id=instrument.pk, timeframe=timeframe, from_ms=from_ms, to_ms=to_ms
    )


def without(candles: Candles, *absent: int) -> Candles:
    return take(candles, np.setdiff1d(np.arange(len(candles)), absent))


def gaps(instrument) -> list[tuple[int, int]]:
    rows = CandleGap.objects.filter(instrument=instrument).order_by("from_at")
    return [
        (int((row.from_at - from_milliseconds(NEW_YEAR_MS)).total_seconds()) // 3600, row.missing)
        for row in rows
    ]


def test_what_is_stored_in_chunks_comes_back_bit_by_bit():
    instrument = make_instrument()
    candles = make_candles([100 + 0.1 * n for n in range(9_000)])

    store_candles(instrument, H1, candles)

    assert CandleChunk.objects.count() == 2
    assert load(instrument).rows() == candles.rows()


def test_a_window_takes_what_opens_within_it():
    instrument = make_instrument()
    store_candles(instrument, H1, make_candles([100.0] * 48))

    window = load(instrument, from_ms=NEW_YEAR_MS + HOUR_MS, to_ms=NEW_YEAR_MS + 4 * HOUR_MS)

    assert window.open_time.tolist() == [NEW_YEAR_MS + n * HOUR_MS for n in (1, 2, 3)]
    assert len(load(instrument, from_ms=FAR, to_ms=FAR + DAY_MS)) == 0


def test_chunks_and_tail_are_one_series():
    instrument = make_instrument()
    candles = make_candles([100.0 + n for n in range(30)])
    store_candles(instrument, H1, candles.slice(0, 20))
    append(instrument, candles.slice(18, 30))

    assert CandleTail.objects.count() == 10
    assert load(instrument).rows() == candles.rows()
    coverage = reads.coverage(instrument_id=instrument.pk, timeframe=H1)
    assert coverage is not None
    assert (coverage.row_count, coverage.missing) == (30, 0)
    assert coverage.last_open_at == from_milliseconds(int(candles.open_time[-1]))


def test_series_of_other_instruments_and_timeframes_stay_apart():
    instrument = make_instrument()
    other = make_instrument("ETH/USDT", venue=instrument.venue)
    store_candles(instrument, H1, make_candles([1.0] * 3))
    store_candles(other, H1, make_candles([2.0] * 4))
    append(instrument, make_candles([3.0] * 5, timeframe=Timeframe.M1), Timeframe.M1)

    lines = [(s.instrument.symbol, s.timeframe.value, s.row_count) for s in reads.series()]

    assert lines == [("BTC/USDT", "1m", 5), ("BTC/USDT", "1h", 3), ("ETH/USDT", "1h", 4)]
    assert load(other).close.tolist() == [2.0] * 4


def test_nothing_stored_has_no_coverage_and_no_bars():
    instrument = make_instrument()

    assert reads.coverage(instrument_id=instrument.pk, timeframe=H1) is None
    assert len(load(instrument)) == 0


class TestTheSameAgain:
    def test_equal_bars_change_nothing_in_a_chunk(self):
        instrument = make_instrument()
        candles = make_candles([100.0] * 20)
        store_candles(instrument, H1, candles)
        before = CandleChunk.objects.values().get()

        store_candles(instrument, H1, candles)

        assert CandleChunk.objects.values().get() == before

    def test_equal_bars_change_nothing_in_the_tail(self):
        instrument = make_instrument()
        candles = make_candles([100.0] * 20)

        assert append(instrument, candles) == Stored(added=20)
        assert append(instrument, candles) == Stored()
        assert set(CandleTail.objects.values_list("revision", flat=True)) == {0}


class TestRevisions:
    def changed(self, candles: Candles, index: int) -> Candles:
        close = candles.close.copy()
        close[index] = candles.close[index] + 0.25
        return replace(candles, close=close)

    def test_a_changed_bar_of_the_tail_keeps_its_former_values(self):
        instrument = make_instrument()
        candles = make_candles([100.0] * 5)
        append(instrument, candles)

        outcome = append(instrument, self.changed(candles, 3))

        assert outcome == Stored(revised=1)
        former = CandleRevision.objects.get()
        assert (former.open_at, former.close) == (
            from_milliseconds(int(candles.open_time[3])),
            100.0,
        )
        assert CandleTail.objects.get(revision=1).close == 100.25
        assert load(instrument).close[3] == 100.25

    def test_a_changed_bar_of_a_chunk_raises_its_version(self):
        instrument = make_instrument()
        candles = make_candles([100.0] * 5)
        store_candles(instrument, H1, candles)

        outcome = append(instrument, self.changed(candles, 4))

        assert outcome == Stored(revised=1)
        assert CandleChunk.objects.get().version == 2
        assert CandleRevision.objects.get().close == 100.0
        assert CandleTail.objects.count() == 0
        assert load(instrument).close[4] == 100.25

    def test_the_version_of_the_data_changes_with_the_bars_and_not_with_their_place(self):
        instrument = make_instrument()
        candles = make_candles([100.0] * 5)

        def version() -> str:
            return reads.data_version(
                instrument_id=instrument.pk, timeframe=H1, from_ms=0, to_ms=FAR
            )

        append(instrument, candles)
        in_tail = version()
        sealing.seal_series(instrument_id=instrument.pk, timeframe=H1, now=datetime.now(UTC))
        sealed = version()
        append(instrument, self.changed(candles, 0))

        assert CandleChunk.objects.count() == 1
        assert in_tail == sealed != version()


class TestGaps:
    def test_holes_between_bars_are_recorded_by_an_import(self):
        instrument = make_instrument()
        candles = make_candles([100.0] * 10)
        sparse = without(candles, 2, 3, 7)

        store_candles(instrument, H1, sparse)

        assert gaps(instrument) == [(2, 2), (7, 1)]

    def test_a_late_bar_closes_or_splits_its_gap(self):
        instrument = make_instrument()
        candles = make_candles([100.0] * 10)
        sparse = without(candles, 2, 3, 4, 7)
        append(instrument, sparse)

        append(instrument, candles.slice(7, 8))
        assert gaps(instrument) == [(2, 3)]

        append(instrument, candles.slice(3, 4))
        assert gaps(instrument) == [(2, 1), (4, 1)]

        store_candles(instrument, H1, candles)
        assert gaps(instrument) == []

    def test_a_gap_may_cross_chunks_and_shrinks_from_both_sides(self):
        instrument = make_instrument()
        year = 366 * 24
        candles = make_candles([100.0] * (year + 20))
        store_candles(instrument, H1, candles.slice(0, 5))
        store_candles(instrument, H1, candles.slice(year + 10, year + 20))
        assert gaps(instrument) == [(5, year + 5)]

        store_candles(instrument, H1, candles.slice(5, 6))
        append(instrument, candles.slice(year + 8, year + 12))

        assert gaps(instrument) == [(6, year + 2)]

    def test_bars_that_simply_follow_leave_no_gap(self):
        instrument = make_instrument()
        candles = make_candles([100.0] * 12)
        append(instrument, candles.slice(0, 5))
        append(instrument, candles.slice(3, 9))
        append(instrument, candles.slice(9, 12))

        assert gaps(instrument) == []
        assert len(load(instrument)) == 12

    def test_filling_a_gap_before_later_bars_closes_it(self):
        instrument = make_instrument()
        candles = make_candles([100.0] * 12)
        append(instrument, candles.slice(0, 4))
        append(instrument, candles.slice(8, 12))
        assert gaps(instrument) == [(4, 4)]

        append(instrument, candles.slice(2, 7))

        assert gaps(instrument) == [(7, 1)]


class TestSealing:
    def test_a_period_that_has_passed_is_sealed_whole(self):
        instrument = make_instrument()
        candles = make_candles([100.0 + n for n in range(50)])
        append(instrument, candles)

        sealed = sealing.seal_due(now=datetime(2025, 1, 1, tzinfo=UTC))

        assert sealed == 50
        assert CandleTail.objects.count() == 0
        assert load(instrument).rows() == candles.rows()

    def test_a_running_period_is_left_alone(self):
        instrument = make_instrument()
        append(instrument, make_candles([100.0] * 50))

        assert sealing.seal_due(now=datetime(2024, 2, 1, tzinfo=UTC)) == 0
        assert CandleTail.objects.count() == 50

    def test_a_long_tail_is_sealed_but_for_the_newest_rows(self):
        instrument = make_instrument()
        candles = make_candles([100.0 + n for n in range(sealing.LONGEST_TAIL + 1)])
        append(instrument, candles)

        sealing.seal_due(now=datetime(2024, 2, 1, tzinfo=UTC))

        assert CandleTail.objects.count() == sealing.KEPT_ROWS
        assert load(instrument).rows() == candles.rows()
        assert gaps(instrument) == []

    def test_sealing_twice_extends_the_chunk(self):
        instrument = make_instrument()
        candles = make_candles([100.0 + n for n in range(90)])
        append(instrument, candles.slice(0, 60))
        sealing.seal_due(now=datetime(2025, 1, 1, tzinfo=UTC))
        append(instrument, candles.slice(60, 90))
        sealing.seal_due(now=datetime(2025, 1, 1, tzinfo=UTC))

        chunk = CandleChunk.objects.get()
        assert (chunk.version, chunk.row_count) == (2, 90)
        assert load(instrument).rows() == candles.rows()


def test_an_import_takes_rows_of_the_tail_along():
    instrument = make_instrument()
    candles = make_candles([100.0 + n for n in range(30)])
    append(instrument, candles.slice(10, 20))

    store_candles(instrument, H1, candles)

    assert CandleTail.objects.count() == 0
    assert load(instrument).rows() == candles.rows()


def test_seconds_of_a_feed_are_kept_for_seven_days():
    instrument = make_instrument()
    now = from_milliseconds(NEW_YEAR_MS) + timedelta(days=10)
    CandleFeed.objects.create(instrument=instrument, timeframe="1s", backfill_from_at=now)
    old = make_candles([1.0] * 10, timeframe=Timeframe.S1)
    new = make_candles([1.0] * 10, timeframe=Timeframe.S1, first_open_ms=NEW_YEAR_MS + 9 * DAY_MS)
    store_candles(instrument, Timeframe.S1, old)
    append(instrument, new, Timeframe.S1)
    store_candles(instrument, H1, make_candles([1.0] * 10))

    deleted = sealing.prune_expired(now=now)

    assert deleted == 10
    assert load(instrument, Timeframe.S1).rows() == new.rows()
    assert CandleGap.objects.filter(timeframe="1s").count() == 0
    assert len(load(instrument)) == 10


def test_imported_seconds_without_a_feed_are_kept():
    instrument = make_instrument()
    store_candles(instrument, Timeframe.S1, make_candles([1.0] * 10, timeframe=Timeframe.S1))

    assert sealing.prune_expired(now=datetime.now(UTC)) == 0


def test_a_damaged_chunk_is_found_and_refused():
    instrument = make_instrument()
    store_candles(instrument, H1, make_candles([1.0] * 10))
    assert list(reads.damaged_chunks()) == []

    CandleChunk.objects.update(data=b"not candles")

    assert len(list(reads.damaged_chunks())) == 1
    with pytest.raises(CorruptChunkError):
        load(instrument)


def test_many_series_are_appended_with_few_queries(django_assert_num_queries):
    venue = make_instrument().venue
    instruments = [make_instrument(f"C{n}/USDT", venue=venue) for n in range(20)]
    first, second = (
        make_candles([1.0] * 3, timeframe=Timeframe.S1, first_open_ms=NEW_YEAR_MS + n * SECOND_MS)
        for n in (0, 2)
    )
    with transaction.atomic():
        store.append_closed(
            timeframe=Timeframe.S1, batches=[SeriesBars(i.pk, first) for i in instruments]
        )

    with transaction.atomic(), django_assert_num_queries(5):
        stored = store.append_closed(
            timeframe=Timeframe.S1, batches=[SeriesBars(i.pk, second) for i in instruments]
        )

    assert {outcome.added for outcome in stored.values()} == {2}
    assert CandleTail.objects.count() == 100


def test_writing_needs_a_transaction():
    with pytest.raises(RuntimeError, match="transaction"):
        store.merge_into_chunks(instrument_id=1, timeframe=H1, candles=make_candles([1.0]))
