"""Candle files into the store: whole or not at all, once, and with every problem named."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from exchanges.models import (
    CandleChunk,
    CandleGap,
    CandleImport,
    CandleRevision,
    Instrument,
    InstrumentRules,
    Venue,
)
from exchanges.selectors import candles as reads
from exchanges.services import imports
from exchanges.services.imports import FileOutcome, ImportStatus
from market.candles import Candles
from market.enums import InstrumentKind
from market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe
from tests.factories.exchanges import NEW_YEAR_MS, make_candles, make_venue

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "timestamp,open,high,low,close,volume\n"


def lines(candles: Candles) -> list[str]:
    return [",".join(map(repr, row)) + "\n" for row in candles.rows()]


@pytest.fixture
def venue() -> Venue:
    return make_venue()


@pytest.fixture
def write(tmp_path: Path):
    def write_file(rows: list[str], name: str = "BTC-USDT/1h.csv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(HEADER + "".join(rows), encoding="utf-8")
        return path

    return write_file


def run(path: Path, venue: Venue, **options) -> FileOutcome:
    return imports.import_file(path, venue=venue, now=NOW, **options)


class TestAGoodFile:
    def test_its_bars_are_stored(self, venue, write):
        candles = make_candles([100.0 + n for n in range(48)])

        outcome = run(write(lines(candles)), venue)

        assert (outcome.status, outcome.row_count, outcome.added) == (
            ImportStatus.IMPORTED,
            48,
            48,
        )
        instrument = Instrument.objects.get()
        stored = reads.load_candles(
            instrument_id=instrument.pk,
            timeframe=Timeframe.H1,
            from_ms=NEW_YEAR_MS,
            to_ms=NEW_YEAR_MS + DAY_MS * 2,
        )
        assert stored.rows() == candles.rows()

    def test_an_unknown_instrument_gets_careful_rules_and_that_is_said(self, venue, write):
        outcome = run(write(lines(make_candles([100.25, 101.5]))), venue)

        instrument = Instrument.objects.get()
        assert (instrument.symbol, instrument.kind) == ("BTC/USDT", InstrumentKind.SPOT)
        assert instrument.tick_size == Decimal("0.01")
        assert InstrumentRules.objects.get().tick_size == Decimal("0.01")
        assert any("created as SPOT: tick 0.01" in note for note in outcome.notes)

    def test_a_known_instrument_keeps_its_rules(self, venue, write):
        run(write(lines(make_candles([100.25, 101.5]))), venue)
        outcome = run(write(lines(make_candles([100.125] * 3)), "BTC-USDT/1d.csv"), venue)

        assert outcome.status is ImportStatus.FAILED
        daily = make_candles([100.125] * 3, timeframe=Timeframe.D1)
        outcome = run(write(lines(daily), "BTC-USDT/1d.csv"), venue)
        assert outcome.notes == ()
        assert Instrument.objects.get().tick_size == Decimal("0.01")

    def test_gaps_are_recorded_and_not_refused(self, venue, write):
        rows = lines(make_candles([100.0] * 20))

        outcome = run(write(rows[:5] + rows[8:]), venue)

        assert (outcome.status, outcome.missing) == (ImportStatus.IMPORTED, 3)
        assert CandleGap.objects.get().missing == 3

    def test_the_same_file_again_changes_nothing(self, venue, write):
        path = write(lines(make_candles([100.0] * 20)))
        run(path, venue)
        before = CandleChunk.objects.values().get()

        outcome = run(path, venue)

        assert (outcome.status, outcome.code) == (
            ImportStatus.ALREADY_IMPORTED,
            "already_imported",
        )
        assert CandleChunk.objects.values().get() == before
        assert CandleImport.objects.count() == 1

    def test_an_overlapping_file_adds_what_is_new_and_revises_what_differs(self, venue, write):
        candles = make_candles([100.0] * 30)
        run(write(lines(candles.slice(0, 20)), "BTC-USDT/1h.csv"), venue)
        rows = lines(candles.slice(10, 30))
        rows[2] = rows[2].replace("100.5", "100.75")

        outcome = run(write(rows, "later/BTC-USDT/1h.csv"), venue)

        assert (outcome.added, outcome.revised) == (10, 1)
        assert CandleChunk.objects.get().version == 2
        assert CandleRevision.objects.get().high == 100.5

    def test_equal_repetitions_and_unfinished_bars_are_dropped_with_a_count(self, venue, write):
        rows = lines(make_candles([100.0] * 3))
        first_ms = (int(NOW.timestamp() * 1_000)) - 2 * HOUR_MS - MINUTE_MS * 30
        recent = lines(make_candles([100.0] * 3, first_open_ms=Timeframe.H1.open_of(first_ms)))

        repeated = run(write([rows[0], rows[0], rows[1], rows[2], rows[2]]), venue)
        unfinished = imports.import_file(
            write(recent, "ETH-USDT/1h.csv"),
            venue=venue,
            now=datetime(2025, 12, 31, 23, 30, tzinfo=UTC),
        )

        assert "2 repeated rows dropped" in repeated.notes
        assert repeated.added == 3
        assert "1 unfinished bars dropped" in unfinished.notes
        assert unfinished.added == 2

    def test_a_jump_of_the_price_is_worth_a_note(self, venue, write):
        outcome = run(write(lines(make_candles([1.0, 1.0, 5_000.0]))), venue)

        assert outcome.status is ImportStatus.IMPORTED
        assert "row 4: the price jumps more than 1,000-fold" in outcome.notes

    def test_the_arguments_win_over_the_path(self, venue, write):
        market = imports.parse_symbol("ETHUSDT", venue_code="binance")
        path = write(lines(make_candles([1.0] * 3)), "odd names/prices.csv")

        outcome = run(path, venue, market=market, timeframe=Timeframe.H1)

        assert (outcome.symbol, outcome.timeframe, outcome.added) == ("ETH/USDT", "1h", 3)


class TestABadFile:
    @pytest.mark.parametrize(
        ("row", "code"),
        [
            ("{t},100,90,110,100,1", "high_below_low"),
            ("{t},100,101,99,102,1", "outside_range"),
            ("{t},0,101,0,100,1", "price_not_positive"),
            ("{t},-1,101,-1,100,1", "price_not_positive"),
            ("{t},100,101,99,nan,1", "not_a_finite_number"),
            ("{t},100,101,99,1e400,1", "not_a_finite_number"),
            ("{t},100,101,99,100,-1", "negative_volume"),
            ("{odd},100,101,99,100,1", "off_grid"),
            ("{before},100,101,99,100,1", "out_of_order"),
            ("{previous},100,101,99,100,7", "conflicting_duplicate"),
            ("4102444800000,100,101,99,100,1", "in_future"),
            ("{t},100,101,99,abc,1", "not_a_number"),
            ("{t},100,101,99", "wrong_columns"),
            ("{seconds},100,101,99,100,1", "timestamp_in_seconds"),
        ],
    )
    def test_the_row_and_the_reason_are_named_and_nothing_is_stored(self, venue, write, row, code):
        rows = lines(make_candles([100.0] * 10))
        at = NEW_YEAR_MS + 4 * HOUR_MS
        rows[4] = (
            row.format(
                t=at,
                odd=at + 1_000,
                before=NEW_YEAR_MS,
                previous=at - HOUR_MS,
                seconds=at // 1_000,
            )
            + "\n"
        )

        outcome = run(write(rows), venue)

        assert (outcome.status, outcome.code) == (ImportStatus.FAILED, "invalid_rows")
        assert (outcome.problems[0].field, outcome.problems[0].code) == ("row 6", code)
        assert CandleChunk.objects.count() == 0
        assert Instrument.objects.count() == 0

    def test_many_bad_rows_are_counted_and_twenty_are_named(self, venue, write):
        candles = make_candles([100.0] * 500)
        bad = replace(candles, high=candles.low - 1)

        outcome = run(write(lines(bad)), venue)

        assert len(outcome.problems) == 20
        assert "500 rows" in outcome.message

    def test_bars_of_another_timeframe_are_refused_in_one_sentence(self, venue, write):
        candles = make_candles([100.0] * 10, timeframe=Timeframe.M5)

        outcome = run(write(lines(candles), "BTC-USDT/1m.csv"), venue)

        assert (outcome.code, outcome.message) == (
            "timeframe_mismatch",
            "The file looks like 5m, not 1m.",
        )

    def test_what_the_path_does_not_say_is_asked_for(self, venue, write):
        outcome = run(write(lines(make_candles([1.0])), "somewhere/prices.csv"), venue)

        assert (outcome.status, outcome.code) == (ImportStatus.FAILED, "unknown_series")
        assert "--symbol" in outcome.message

    def test_a_corrected_file_can_be_imported_afterwards(self, venue, write):
        rows = lines(make_candles([100.0] * 10))
        run(write([*rows[:5], "broken\n", *rows[5:]]), venue)

        assert run(write(rows), venue).added == 10


class TestWhatIsSkipped:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("XRP-USDT/1h-mark.parquet", "mark prices"),
            ("XRP-USDT/8h-funding_rate.csv", "funding rates"),
            ("README.md", "neither .csv nor .parquet"),
        ],
    )
    def test_it_says_why(self, venue, tmp_path, name, reason):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("anything", encoding="utf-8")

        outcome = run(path, venue)

        assert outcome.status is ImportStatus.SKIPPED
        assert reason in outcome.message


class TestCommand:
    def call(self, *arguments: object, capsys) -> tuple[int, str, str]:
        status = 0
        try:
            call_command("import_candles", *map(str, arguments), stderr=StringIO())
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    def test_a_folder_is_imported_with_a_line_a_file(self, venue, write, tmp_path, capsys):
        write(lines(make_candles([100.0] * 3)), "data/BTC-USDT/1h.csv")
        write(lines(make_candles([9.0] * 3)), "data/ETH-USDT/1h.csv")
        write([], "data/ETH-USDT/1h-mark.csv")

        status, out, _ = self.call(tmp_path / "data", "--venue", "binance", capsys=capsys)

        assert status == 0
        assert "[1/3] BTC-USDT/1h.csv: BTC/USDT 1h: 3 bars, 3 new" in out
        assert "[2/3] ETH-USDT/1h-mark.csv: skipped, mark prices have no kind here yet" in out
        assert "6 new bars; files: 2 imported, 0 already imported, 1 skipped, 0 failed." in out

    def test_a_broken_file_does_not_stop_the_others_and_the_status_is_1(
        self, venue, write, tmp_path, capsys
    ):
        rows = lines(make_candles([100.0] * 3))
        write([rows[0], rows[2], rows[1]], "data/BTC-USDT/1h.csv")
        write(rows, "data/ETH-USDT/1h.csv")

        status, out, err = self.call(tmp_path / "data", "--venue", "binance", capsys=capsys)

        assert status == 1
        assert "error: invalid_rows: " in err
        assert "row 4: 2024-01-01 01:00:00 comes after 2024-01-01 02:00:00 (out_of_order)" in err
        assert "3 new bars; files: 1 imported, 0 already imported, 0 skipped, 1 failed." in out

    def test_an_unknown_venue_is_refused_with_the_known_ones(self, venue, write):
        error = StringIO()

        with pytest.raises(SystemExit) as stop:
            call_command("import_candles", str(write([])), venue="binanec", stderr=error)

        assert stop.value.code == 1
        text = error.getvalue()
        assert "error: unknown_venue: There is no venue 'binanec'." in text
        assert "Known: binance." in text

    def test_a_new_venue_is_created_offline_when_asked_for(self, write, capsys):
        path = write(lines(make_candles([40_000.0] * 3)), "BTC-PERP/1h.csv")

        status, _, _ = self.call(path, "--venue", "ftx", "--new-venue", capsys=capsys)

        instrument = Instrument.objects.select_related("venue").get()
        assert status == 0
        assert (instrument.venue.code, instrument.venue.ccxt_id) == ("ftx", "")
        assert (instrument.symbol, instrument.kind) == ("BTC/USD:USD", InstrumentKind.LINEAR_SWAP)

    def test_an_absent_path_and_a_wrong_timeframe_are_refused(self, venue, tmp_path):
        error = StringIO()
        with pytest.raises(SystemExit):
            call_command("import_candles", str(tmp_path / "no"), venue="binance", stderr=error)
        assert "error: file_not_readable: " in error.getvalue()

        with pytest.raises(CommandError, match="invalid choice"):
            call_command("import_candles", "x", "--venue", "binance", "--timeframe", "7h")


class TestSampleData:
    def test_all_of_it_imports_and_the_second_time_nothing_changes(self, settings):
        settings.SIMULATOR_URL = "http://127.0.0.1:9"

        first = imports.import_sample_data(now=NOW)
        second = imports.import_sample_data(now=NOW)

        assert {outcome.status for outcome in first} == {ImportStatus.IMPORTED}
        assert {outcome.status for outcome in second} == {ImportStatus.ALREADY_IMPORTED}
        assert len(first) == len(second) == 30
        assert sum(outcome.added for outcome in first) == 37_453
        assert not any("created as" in note for outcome in first for note in outcome.notes)
        assert {"binance", "bittrex", "simulator"} <= set(
            Venue.objects.values_list("code", flat=True)
        )

    def test_the_prices_of_the_shipped_instruments_lie_on_their_ticks(self, settings):
        imports.import_sample_data(now=NOW)

        for line in reads.series():
            candles = reads.load_candles(
                instrument_id=line.instrument.pk,
                timeframe=line.timeframe,
                from_ms=0,
                to_ms=int(NOW.timestamp() * 1_000),
            )
            ticks = candles.close / float(line.instrument.tick_size)
            assert np.abs(ticks - np.round(ticks)).max() < 1e-3, line


@pytest.mark.candles
@pytest.mark.parametrize(
    ("venue_code", "bars", "skipped"),
    [
        ("binance", 699_423, 0),
        ("binance-2024", 454_716, 0),
        ("ftx", 45_031, 0),
        ("binanceusdm", 100, 3),
    ],
)
def test_the_larger_set_imports_completely(candles_dir, capsys, venue_code, bars, skipped):
    call_command(
        "import_candles", str(candles_dir / venue_code), "--venue", venue_code, "--new-venue"
    )

    out = capsys.readouterr().out
    assert f"{bars:,} new bars" in out
    assert f"0 already imported, {skipped} skipped, 0 failed." in out
    assert sum(line.row_count for line in reads.series()) == bars
