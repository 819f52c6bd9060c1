"""``fetch_candles``, ``export_candles`` and ``data_report``, with a venue that lives in this process."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from exchanges.adapters import memory
from exchanges.adapters.factory import MEMORY
from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.protocol import FundingReport, InstrumentReport
from exchanges.models import CandleGap, CandleRevision, FundingRate, Instrument, QuarantinedBar
from exchanges.selectors import candles as reads
from exchanges.selectors import funding as funding_reads
from exchanges.selectors import held
from market.candles import CandleRow, Candles
from market.enums import InstrumentKind
from market.errors import VenueTimeoutError
from market.timeframes import HOUR_MS, Timeframe, from_milliseconds
from tests.factories.exchanges import (
    NEW_YEAR_MS,
    make_candles,
    make_instrument,
    make_venue,
    store_candles,
)

pytestmark = pytest.mark.django_db

H1 = Timeframe.H1
BARS = 2_500
SINCE = "2024-01-01"
UNTIL = "2024-04-01"
SWAP = "BTC/USDT:USDT"


class InterruptedRows(dict[tuple[str, Timeframe], list[CandleRow]]):
    """Bars behind which a person presses Ctrl-C at the question of that number."""

    questions = 0
    stops_at = 0

    def get(self, key, default=None):
        self.questions += 1
        if self.questions == self.stops_at:
            raise KeyboardInterrupt
        return super().get(key, default)


@pytest.fixture
def venue() -> Iterator[InMemoryVenue]:
    """A venue with 2,500 hourly bars of BTC/USDT, from new year on."""
    venue = InMemoryVenue()
    venue.candle_rows = InterruptedRows()
    venue.candle_rows["BTC/USDT", H1] = make_candles([100.0 + n % 50 for n in range(BARS)]).rows()
    memory.use_venue("memory", venue)
    yield venue
    memory.forget_venues()


@pytest.fixture
def instrument(venue: InMemoryVenue) -> Instrument:
    """BTC/USDT there."""
    return make_instrument(venue=make_venue("memory", ccxt_id=MEMORY))


def fetch(*more: str, symbol: str = "BTC/USDT", since: str = SINCE, until: str = UNTIL) -> None:
    window = ["--since", since, "--until", until]
    call_command("fetch_candles", "memory", symbol, "--timeframe", "1h", *window, *more)


def export(path: Path, *more: str) -> None:
    series = ["binance", "BTC/USDT", "--timeframe", "1h", "--output", str(path)]
    call_command("export_candles", *series, *more)


def stored(instrument: Instrument) -> Candles:
    return reads.load_candles(
        instrument_id=instrument.pk, timeframe=H1, from_ms=0, to_ms=NEW_YEAR_MS + 10**11
    )


class TestFetch:
    def test_everything_comes_once_and_a_second_time_asks_for_nothing(
        self, venue, instrument, capsys
    ):
        until = from_milliseconds(NEW_YEAR_MS + 2_000 * HOUR_MS).isoformat()
        fetch(until=until)

        assert stored(instrument).rows() == venue.candle_rows["BTC/USDT", H1][:2_000]
        assert "memory:BTC/USDT 1h: 2,000 new bars, 2 questions." in capsys.readouterr().out
        fetch(until=until)
        assert "0 new bars, 0 questions" in capsys.readouterr().out
        assert CandleRevision.objects.count() == 0

    def test_only_what_is_missing_is_asked_for(self, venue, instrument):
        rows = venue.candle_rows["BTC/USDT", H1]
        store_candles(instrument, H1, Candles.from_rows(rows[:900] + rows[1_000:]))

        fetch(until=from_milliseconds(NEW_YEAR_MS + BARS * HOUR_MS).isoformat())

        assert stored(instrument).rows() == rows
        assert venue.candle_rows.questions == 1

    def test_ctrl_c_keeps_what_was_stored_and_the_next_run_goes_on(self, venue, instrument, capsys):
        rows = make_candles([100.0 + n % 50 for n in range(9_000)]).rows()
        venue.candle_rows["BTC/USDT", H1] = rows
        venue.candle_rows.stops_at = 7

        with pytest.raises(SystemExit) as stopped:
            fetch(until="2025-01-01")

        assert stopped.value.code == 130
        assert "5,000 new bars are kept" in capsys.readouterr().out
        assert stored(instrument).rows() == rows[:5_000]
        fetch(until=from_milliseconds(NEW_YEAR_MS + 9_000 * HOUR_MS).isoformat())
        assert stored(instrument).rows() == rows

    def test_holes_of_the_venue_are_confirmed_and_not_asked_for_again(
        self, venue, instrument, capsys
    ):
        rows = venue.candle_rows["BTC/USDT", H1]
        venue.candle_rows["BTC/USDT", H1] = rows[:100] + rows[110:]
        until = from_milliseconds(NEW_YEAR_MS + BARS * HOUR_MS).isoformat()

        fetch(until=until)

        gap = CandleGap.objects.get()
        assert (gap.missing, gap.denials) == (10, 2)
        assert gap.confirmed_at is not None
        assert "1 holes are the venue's own" in capsys.readouterr().out
        fetch(until=until)
        assert "0 questions" in capsys.readouterr().out

    def test_a_venue_that_lists_later_is_asked_once_for_the_years_before(self, venue, instrument):
        fetch(since="2015-01-01", until="2024-02-01")

        assert len(stored(instrument)) == 31 * 24
        assert venue.candle_rows.questions == 2

    def test_unfinished_and_impossible_bars_are_not_stored(self, venue, instrument):
        rows = list(venue.candle_rows["BTC/USDT", H1])
        rows[5] = (rows[5][0], 100.0, 90.0, 110.0, 100.0, 1.0)
        venue.candle_rows["BTC/USDT", H1] = rows

        fetch(until=from_milliseconds(NEW_YEAR_MS + 10 * HOUR_MS).isoformat())

        assert len(stored(instrument)) == 9
        assert QuarantinedBar.objects.get().code == "high_below_low"

    def test_a_question_that_fails_is_put_again(self, venue, instrument):
        venue.next_question(raises=VenueTimeoutError("No answer."))

        fetch()

        assert len(stored(instrument)) == 91 * 24

    def test_instruments_are_learnt_from_the_venue_where_they_are_not_known(self, venue):
        make_venue("memory", ccxt_id=MEMORY)

        fetch()

        assert len(stored(Instrument.objects.get(symbol="BTC/USDT"))) == 91 * 24

    def test_funding_of_swaps_comes_along(self, venue, instrument):
        venue.book.instruments[SWAP] = InstrumentReport(
            symbol=SWAP,
            base="BTC",
            quote="USDT",
            tick_size=Decimal("0.1"),
            lot_step=Decimal("0.001"),
            minimum_quantity=Decimal("0.001"),
            minimum_notional=Decimal(5),
            is_active=True,
            kind=InstrumentKind.LINEAR_SWAP,
            settle="USDT",
        )
        swap = make_instrument(
            SWAP,
            venue=instrument.venue,
            kind=InstrumentKind.LINEAR_SWAP,
            quote="USDT",
            settle="USDT",
        )
        start = from_milliseconds(NEW_YEAR_MS)
        venue.book.swaps.fundings.extend(
            FundingReport(SWAP, Decimal("0.0001") * n, start + timedelta(hours=8 * n))
            for n in range(10)
        )

        fetch("--funding", symbol=SWAP)
        fetch("--funding", symbol=SWAP)

        assert FundingRate.objects.count() == 10
        times, rates = funding_reads.rates_between(
            instrument_id=swap.pk, from_ms=NEW_YEAR_MS, to_ms=NEW_YEAR_MS + 24 * HOUR_MS
        )
        assert times.tolist() == [NEW_YEAR_MS + 8 * n * HOUR_MS for n in range(3)]
        assert rates.tolist() == [0.0, 0.0001, 0.0002]

    @pytest.mark.parametrize(
        ("arguments", "message", "status"),
        [
            (("memori", "BTC/USDT"), "unknown_venue: There is no venue 'memori'. Did you mean", 1),
            (("memory", "BTC/USD"), "unknown_symbol: BTC/USD is not on memory. Did you mean", 1),
            (("paperonly", "BTC/USDT"), "venue_offline", 1),
        ],
    )
    def test_what_cannot_be_found_is_named(self, instrument, capsys, arguments, message, status):
        make_venue("paperonly", ccxt_id="")

        with pytest.raises(SystemExit) as refused:
            call_command("fetch_candles", *arguments, "--timeframe", "1h", "--since", SINCE)

        assert refused.value.code == status
        assert message in capsys.readouterr().err

    def test_a_window_that_ends_before_it_begins_is_a_usage_error(self, instrument, capsys):
        with pytest.raises(SystemExit) as refused:
            fetch(since="2024-02-01", until="2024-01-01")

        assert refused.value.code == 2
        assert capsys.readouterr().err.startswith("error: inconsistent:")


class TestExport:
    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_what_was_written_is_read_back_bit_for_bit(self, tmp_path, capsys, suffix):
        instrument = make_instrument()
        candles = make_candles([100 / 3 + n * 0.1 for n in range(1_500)])
        store_candles(instrument, H1, candles)
        path = tmp_path / f"btc.{suffix}"

        export(path, "--since", SINCE)

        assert "1,500 bars of binance:BTC/USDT 1h" in capsys.readouterr().out
        other = make_instrument(venue=make_venue("other"))
        call_command("import_candles", str(path), venue="other", symbol="BTC/USDT", timeframe="1h")
        assert stored(other).rows() == candles.rows()

    def test_a_part_of_a_series(self, tmp_path):
        instrument = make_instrument()
        store_candles(instrument, H1, make_candles([100.0 + n for n in range(100)]))
        path = tmp_path / "btc.csv"

        export(path, "--since", "2024-01-02", "--until", "2024-01-03")

        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0] == "timestamp,open,high,low,close,volume"
        assert len(lines) == 25
        assert lines[1].startswith(f"{NEW_YEAR_MS + 24 * HOUR_MS},")

    def test_a_file_that_is_there_stays_without_force(self, tmp_path, capsys):
        store_candles(make_instrument(), H1, make_candles([100.0, 101.0]))
        path = tmp_path / "btc.csv"
        path.write_text("mine", encoding="utf-8")

        with pytest.raises(SystemExit) as refused:
            export(path)
        assert refused.value.code == 1
        assert "error: exists:" in capsys.readouterr().err
        assert path.read_text(encoding="utf-8") == "mine"

        export(path, "--force")
        assert path.read_text(encoding="utf-8").startswith("timestamp")

    @pytest.mark.parametrize(
        ("name", "code"),
        [("btc.xlsx", "unknown_format"), ("no/btc.csv", "file_not_writable")],
    )
    def test_a_file_that_cannot_be_written_is_named(self, tmp_path, capsys, name, code):
        store_candles(make_instrument(), H1, make_candles([100.0, 101.0]))

        with pytest.raises(SystemExit):
            export(tmp_path / name)

        assert f"error: {code}:" in capsys.readouterr().err

    def test_nothing_to_write_leaves_no_file(self, tmp_path, capsys):
        make_instrument()

        with pytest.raises(SystemExit):
            export(tmp_path / "btc.csv")

        assert "error: no_candles:" in capsys.readouterr().err
        assert list(Path(tmp_path).iterdir()) == []


class TestReport:
    @pytest.fixture
    def series(self) -> None:
        instrument = make_instrument()
        candles = make_candles([100.0 + n for n in range(50)])
        store_candles(instrument, H1, candles.slice(0, 20))
        store_candles(instrument, H1, candles.slice(30, 50))
        changed = candles.slice(5, 6)
        store_candles(instrument, H1, replace(changed, volume=changed.volume + 1))
        store_candles(
            make_instrument("ETH/USDT", venue=instrument.venue),
            Timeframe.D1,
            make_candles([10.0, 11.0], timeframe=Timeframe.D1),
        )

    def report(self, capsys, **options) -> dict[str, Any]:
        call_command("data_report", json=True, **options)
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    def test_coverage_gaps_revisions_and_size(self, series, capsys):
        document = self.report(capsys)

        first, second = document["series"]
        assert (first["symbol"], first["bars"], first["missing"]) == ("BTC/USDT", 40, 10)
        assert (first["gaps"], first["confirmed_gaps"], first["revisions"]) == (1, 0, 1)
        assert first["bytes"] > 0
        assert (second["symbol"], second["timeframe"], second["gaps"]) == ("ETH/USDT", "1d", 0)
        assert document["total"]["bars"] == 42

    def test_only_what_is_asked_for(self, series, capsys):
        assert len(self.report(capsys, only="gaps")["series"]) == 1
        assert len(self.report(capsys, symbol="eth")["series"]) == 1
        assert self.report(capsys, symbol="%")["series"] == []
        assert self.report(capsys, timeframe="5m")["total"]["bars"] == 0

    @pytest.mark.parametrize("order", list(held.ORDERS))
    def test_every_order_gives_every_series(self, series, order):
        assert {row.symbol for row in held.held_series(order=order)} == {"BTC/USDT", "ETH/USDT"}

    def test_as_a_table(self, series, capsys):
        call_command("data_report")

        out = capsys.readouterr().out
        assert "80.00%" in out
        assert "2 series, 42 bars, 10 missing" in out

    def test_nothing_stored_is_a_table_too(self, capsys):
        call_command("data_report")

        assert "0 series, 0 bars" in capsys.readouterr().out
