"""What was known of markets at an instant: from candles that had closed by then, with quotes only for now."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from exchanges.models import Instrument, Quote
from exchanges.selectors import universe
from exchanges.selectors.instruments import UnknownVenueError
from market.timeframes import DAY_MS, Timeframe, from_milliseconds, to_milliseconds
from tests.factories.accounts import make_person
from tests.factories.exchanges import (
    NEW_YEAR_MS,
    make_candles,
    make_instrument,
    make_venue,
    store_candles,
)

pytestmark = pytest.mark.django_db

START = from_milliseconds(NEW_YEAR_MS)
DAYS = 60
NOW = datetime(2026, 11, 1, tzinfo=UTC)
AT = START + timedelta(days=40)


@pytest.fixture
def bitcoin() -> Instrument:
    """Sixty days of BTC/USDT from new year on, rising by one a day, ten coins traded each."""
    instrument = make_instrument()
    closes = [100.0 + n for n in range(DAYS)]
    store_candles(instrument, Timeframe.D1, make_candles(closes, timeframe=Timeframe.D1))
    return instrument


def facts(at: datetime, *, now: datetime = NOW):
    return {each.symbol: each for each in universe.facts_at("binance", at=at, now=now)}


def test_price_volume_age_and_volatility_are_those_of_closed_bars(bitcoin):
    known = facts(AT)["BTC/USDT"]

    assert known.price == 139.0
    assert known.quote_volume == pytest.approx(1_390.0)
    assert known.age_days == 40.0
    closes = np.array([139.0 - n for n in range(31)])[::-1]
    assert known.volatility == pytest.approx(np.diff(np.log(closes)).std(ddof=1))
    assert known.spread_bps is None


def test_what_came_later_has_no_influence(bitcoin):
    before = facts(AT)
    changed = make_candles(
        [1e6 + n for n in range(20)],
        timeframe=Timeframe.D1,
        first_open_ms=NEW_YEAR_MS + 40 * DAY_MS,
    )
    store_candles(bitcoin, Timeframe.D1, changed)
    later = make_instrument("NEW/USDT", venue=bitcoin.venue)
    store_candles(later, Timeframe.D1, changed)

    assert facts(AT) == before


def test_a_bar_that_has_not_closed_is_not_read(bitcoin):
    assert facts(AT - timedelta(milliseconds=1))["BTC/USDT"].price == 138.0


def test_a_market_that_was_delisted_later_is_there_and_one_before_is_not(bitcoin):
    Instrument.objects.update(delisted_at=AT + timedelta(days=1), is_active=False)
    assert "BTC/USDT" in facts(AT)

    Instrument.objects.update(delisted_at=AT)
    assert facts(AT) == {}


def test_short_bars_add_up_to_days(bitcoin):
    other = make_instrument("ETH/USDT", venue=bitcoin.venue)
    hours = make_candles([50.0] * 24 * 30, timeframe=Timeframe.H1)
    store_candles(other, Timeframe.H1, hours)

    known = facts(START + timedelta(days=30))["ETH/USDT"]

    assert known.quote_volume == pytest.approx(24 * 10 * 50.0)
    assert known.volatility == 0.0


def test_old_bars_say_nothing_of_the_volume_of_now(bitcoin):
    known = facts(NOW)["BTC/USDT"]

    assert (known.price, known.quote_volume) == (None, None)


def test_quotes_count_for_now_alone(bitcoin):
    Quote.objects.create(
        instrument=bitcoin,
        last=Decimal(200),
        bid=Decimal(199),
        ask=Decimal(201),
        quote_volume=Decimal(10**9),
        recorded_at=NOW,
    )

    today = facts(NOW, now=NOW + timedelta(minutes=1))["BTC/USDT"]
    assert (today.price, today.quote_volume) == (200.0, 1e9)
    assert today.spread_bps == pytest.approx(100.0)
    assert facts(AT)["BTC/USDT"].price == 139.0
    assert facts(NOW, now=NOW + timedelta(hours=1))["BTC/USDT"].price is None


def test_an_unknown_venue_is_named():
    make_venue()

    with pytest.raises(UnknownVenueError):
        universe.facts_at("binanc", at=AT, now=NOW)


class TestCommand:
    def test_what_fits_is_printed_as_a_universe(self, bitcoin, capsys):
        other = make_instrument("ETH/USDT", venue=bitcoin.venue)
        store_candles(other, Timeframe.D1, make_candles([1.0] * DAYS, timeframe=Timeframe.D1))

        options = ["--at", "2024-02-10", "--min-volume", "100", "--explain"]
        call_command("universe", "binance", *options)

        out, err = capsys.readouterr()
        assert out == "binance:BTC/USDT\n"
        assert "1 fit, 1 do not." in err
        assert "ETH/USDT: volume 10 is less than 100" in err

    def test_as_json(self, bitcoin, capsys):
        call_command("universe", "binance", "--at", "2024-02-10", "--json")

        document = json.loads(capsys.readouterr().out)
        assert document["universe"] == "binance:BTC/USDT"
        assert document["markets"][0]["price"] == 139.0

    @pytest.mark.parametrize("options", [["--at", "2124-01-01"], ["--top", "0"]])
    def test_what_cannot_be_meant_is_a_usage_error(self, bitcoin, capsys, options):
        with pytest.raises(SystemExit) as refused:
            call_command("universe", "binance", *options)

        assert refused.value.code == 2


class TestPageAndApi:
    @pytest.fixture
    def bitcoin(self) -> Instrument:
        """Forty days of BTC/USDT that end today."""
        instrument = make_instrument()
        first_ms = Timeframe.D1.open_of(to_milliseconds(timezone.now())) - 40 * DAY_MS
        closes = [100.0 + n for n in range(40)]
        candles = make_candles(closes, timeframe=Timeframe.D1, first_open_ms=first_ms)
        store_candles(instrument, Timeframe.D1, candles)
        return instrument

    @pytest.fixture
    def page(self, client):
        client.force_login(make_person())
        return client

    def test_both_choose_the_same_and_say_why_others_are_out(self, page, bitcoin):
        make_instrument("ETH/USDT", venue=bitcoin.venue)
        asked = "?venue=binance&min_price=100&without=XRP/USDT"

        told = page.get(f"/api/v1/universe{asked}").json()
        shown = page.get(f"/market-data/universe/{asked}").content.decode()

        assert told["universe"] == "binance:BTC/USDT"
        assert [market["symbol"] for market in told["markets"]] == ["BTC/USDT"]
        assert told["refused"] == {"ETH/USDT": "price is not known"}
        assert "binance:BTC/USDT" in shown
        assert "price is not known" in shown

    @pytest.mark.parametrize(
        ("query", "field"),
        [("top=0", "top"), ("min_price=cheap", "min_price"), ("colour=red", "colour")],
    )
    def test_bad_filters_are_named(self, page, bitcoin, query, field):
        answer = page.get(f"/api/v1/universe?venue=binance&{query}")

        assert answer.status_code == 400
        assert [problem["field"] for problem in answer.json()["errors"]] == [field]

    def test_an_unknown_exchange_is_refused(self, page, bitcoin):
        assert page.get("/api/v1/universe?venue=nowhere").status_code == 400
        assert page.get("/market-data/universe/?venue=nowhere").status_code == 422
