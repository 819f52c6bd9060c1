"""Venues and instruments: what ships, what a venue publishes, and finding them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from exchanges.adapters import packs
from exchanges.adapters.protocol import InstrumentReport
from exchanges.models import Instrument, InstrumentRules, Venue, VenueUse
from exchanges.selectors import instruments as reads
from exchanges.selectors.instruments import (
    InvalidMarketError,
    UnknownInstrumentError,
    UnknownVenueError,
)
from exchanges.services import catalogue
from exchanges.services.catalogue import InvalidVenueCodeError, Synchronized
from market.enums import InstrumentKind
from market.errors import VenueTimeoutError, VenueUnavailableError
from tests.exchanges.scripted_market import ScriptedMarket
from tests.factories.exchanges import make_instrument, make_venue

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BITCOIN = InstrumentReport(
    symbol="BTC/USDT",
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.01"),
    lot_step=Decimal("0.00001"),
    minimum_quantity=Decimal("0.00001"),
    minimum_notional=Decimal(5),
    is_active=True,
)


class TestWhatShips:
    def test_venues_and_instruments_are_there_and_stay_the_same(self, settings):
        settings.SIMULATOR_URL = "http://127.0.0.1:8100"

        catalogue.ensure_venues(now=NOW)
        catalogue.ensure_venues(now=NOW + timedelta(days=1))

        binance, simulator = Venue.objects.get(code="binance"), Venue.objects.get(code="simulator")
        futures = Venue.objects.get(code="simulator-futures")
        assert (binance.real_money, binance.takes_live_accounts) == (True, True)
        assert (futures.ccxt_id, futures.real_money) == ("binanceusdm", False)
        assert (simulator.real_money, simulator.takes_live_accounts) == (False, True)
        assert (simulator.ccxt_id, simulator.api_url) == ("binance", "http://127.0.0.1:8100")
        bitcoin = Instrument.objects.get(venue=simulator, symbol="BTC/USDT")
        assert (bitcoin.tick_size, bitcoin.lot_step) == (Decimal("0.01"), Decimal("0.00001"))
        assert InstrumentRules.objects.count() == Instrument.objects.count()

    def test_keys_are_taken_where_a_stop_can_rest_and_everything_else_says_so(self):
        catalogue.ensure_venues(now=NOW)

        uses = {venue.code: venue.use for venue in Venue.objects.all()}

        live = {code for code, use in uses.items() if use is VenueUse.LIVE_AND_PAPER}
        assert live == {
            *("binance", "binanceusdm", "kraken"),
            *("bybit", "okx", "bitget", "htx", "bingx"),
        }
        for code in ("gate", "kucoin", "mexc"):
            assert uses[code] is VenueUse.DATA_AND_PAPER
        assert uses["bittrex"] is VenueUse.IMPORTED
        assert set(uses) == {pack.ccxt_id for pack in packs.offered_packs()} | {"bittrex"}

    def test_an_exchange_without_a_pack_is_added_for_data_and_paper_alone(self):
        market = ScriptedMarket(now=NOW)
        market.reports = [BITCOIN]

        catalogue.add_data_venue("coinbase", now=NOW, market_of=lambda _: market)

        venue = Venue.objects.get(code="coinbase")
        assert (venue.use, venue.real_money) == (VenueUse.DATA_AND_PAPER, True)
        assert Instrument.objects.get(venue=venue).symbol == "BTC/USDT"

    def test_what_ccxt_does_not_know_is_not_added(self):
        with pytest.raises(VenueUnavailableError):
            catalogue.add_data_venue("withdraw", now=NOW)

        assert not Venue.objects.filter(code="withdraw").exists()

    def test_the_swaps_of_the_simulator_are_a_venue_of_their_own(self, settings):
        settings.SIMULATOR_URL = "http://127.0.0.1:8100"

        catalogue.ensure_venues(now=NOW)

        venue = Venue.objects.get(code="simulator-futures")
        assert (venue.ccxt_id, venue.api_url) == ("binanceusdm", "http://127.0.0.1:8100")
        assert (venue.real_money, venue.takes_live_accounts) == (False, True)
        swap = Instrument.objects.get(venue=venue, symbol="BTC/USDT:USDT")
        assert (swap.kind, swap.settle) == (InstrumentKind.LINEAR_SWAP, "USDT")
        assert swap.lot_step == Decimal("0.001")

    def test_without_an_address_there_is_no_simulator_that_could_reach_the_real_exchange(
        self, settings
    ):
        settings.SIMULATOR_URL = "http://127.0.0.1:8100"
        catalogue.ensure_venues(now=NOW)
        settings.SIMULATOR_URL = ""

        catalogue.ensure_venues(now=NOW)

        simulated = Venue.objects.filter(code__startswith="simulator")
        assert list(simulated.values_list("is_active", flat=True)) == [False, False]
        assert not reads.active_instruments().filter(venue__in=simulated).exists()

    @pytest.mark.parametrize("code", ["", "a b", "é", "x" * 41, "../up"])
    def test_a_code_of_a_venue_is_plain(self, code):
        with pytest.raises(InvalidVenueCodeError):
            catalogue.create_offline_venue(code)


class TestSynchronizing:
    def sync(self, *reports: InstrumentReport) -> Synchronized:
        market = ScriptedMarket(now=NOW)
        market.reports = list(reports)
        return catalogue.sync_instruments("binance", now=NOW, market_of=lambda _: market)

    def test_new_instruments_are_created_with_their_rules(self):
        make_venue()

        assert self.sync(BITCOIN) == Synchronized(created=1, changed=0, delisted=0)
        assert InstrumentRules.objects.get().valid_from == NOW

    def test_unchanged_rules_write_nothing(self):
        make_venue()
        self.sync(BITCOIN)

        assert self.sync(BITCOIN) == Synchronized(created=0, changed=0, delisted=0)
        assert InstrumentRules.objects.count() == 1

    def test_changed_rules_are_a_new_row(self):
        make_instrument()

        outcome = self.sync(replace(BITCOIN, tick_size=Decimal("0.1")))

        assert outcome.changed == 1
        assert Instrument.objects.get().tick_size == Decimal("0.1")
        assert InstrumentRules.objects.get().tick_size == Decimal("0.1")

    def test_what_is_no_longer_published_is_delisted_and_may_come_back(self):
        make_instrument()

        assert self.sync().delisted == 1
        assert Instrument.objects.get().delisted_at == NOW

        assert self.sync(BITCOIN).changed == 1
        assert Instrument.objects.get().is_active

    def test_a_venue_that_does_not_answer_changes_nothing(self):
        make_instrument()
        market = ScriptedMarket(now=NOW)
        market.failures = [VenueTimeoutError("No answer.")]

        with pytest.raises(VenueTimeoutError):
            catalogue.sync_instruments("binance", now=NOW, market_of=lambda _: market)

        assert Instrument.objects.get().is_active
        assert market.closed == 1


class TestFinding:
    def test_a_market_is_a_venue_and_a_symbol(self):
        instrument = make_instrument()

        assert reads.parse_market("binance:BTC/USDT") == instrument
        assert reads.get_instrument("binance", "BTC/USDT").venue.code == "binance"

    def test_a_perpetual_has_a_colon_of_its_own(self):
        instrument = make_instrument()
        Instrument.objects.update(symbol="BTC/USDT:USDT")

        assert reads.parse_market("binance:BTC/USDT:USDT") == instrument

    def test_the_nearest_symbols_are_named(self):
        make_instrument()

        with pytest.raises(UnknownInstrumentError) as caught:
            reads.parse_market("binance:BTC/USTD")

        assert caught.value.code == "unknown_symbol"
        assert caught.value.message == "BTC/USTD is not on binance. Did you mean BTC/USDT?"

    def test_the_known_venues_are_named(self):
        make_venue()

        with pytest.raises(UnknownVenueError, match="Known: binance"):
            reads.parse_market("binnance:BTC/USDT")

    @pytest.mark.parametrize("text", ["", "BTC/USDT", "binance:", ":BTC/USDT"])
    def test_a_market_is_written_in_one_way(self, text):
        with pytest.raises(InvalidMarketError):
            reads.parse_market(text)
