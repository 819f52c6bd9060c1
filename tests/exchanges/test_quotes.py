"""Last prices and funding: one call per venue, stored once, backfilled by schedule."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from exchanges.adapters.protocol import FundingReport, MarkReport, TickerReport
from exchanges.models import FundingFeed, FundingRate, Instrument, Quote
from exchanges.selectors import funding as funding_reads
from exchanges.selectors import quotes as quote_reads
from exchanges.services import feeds, funding, quotes
from market.enums import InstrumentKind
from market.errors import VenueTimeoutError
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from tests.exchanges.scripted_market import ScriptedMarket
from tests.factories.exchanges import NEW_YEAR_MS, make_instrument

pytestmark = pytest.mark.django_db

NOW = from_milliseconds(NEW_YEAR_MS)
SWAP = "BTC/USDT:USDT"
HOUR = timedelta(hours=1)


def hold(instrument: Instrument, *, since=NOW - 30 * 24 * HOUR) -> None:
    with transaction.atomic():
        feeds.hold(
            instrument_id=instrument.pk,
            timeframe=Timeframe.H1,
            holder="test",
            backfill_from_at=since,
        )


def make_swap(**fields) -> Instrument:
    kind = InstrumentKind.LINEAR_SWAP
    return make_instrument(SWAP, kind=kind, quote="USDT", settle="USDT", **fields)


@pytest.fixture
def market() -> ScriptedMarket:
    """A venue that quotes BTC/USDT, its swap and something that nobody knows."""
    market = ScriptedMarket(now=NOW)
    bitcoin = TickerReport(
        "BTC/USDT", Decimal(40_000), Decimal(39_999), Decimal(40_001), Decimal(10**9), NOW
    )
    market.ticker_reports = [
        replace(bitcoin, symbol=SWAP),
        replace(bitcoin, symbol="NEW/USDT"),
        bitcoin,
    ]
    market.mark_reports = [
        MarkReport(SWAP, Decimal(40_010), Decimal(40_005), Decimal("0.0001"), NOW + HOUR, NOW)
    ]
    return market


class TestQuotes:
    def refresh(self, market: ScriptedMarket, *, at=NOW) -> int:
        return quotes.refresh_quotes(now=at, market_of=lambda _: market)

    def test_every_known_instrument_of_a_venue_in_use_is_quoted_by_one_question(self, market):
        instrument = make_instrument()
        hold(instrument)

        assert self.refresh(market) == 1

        quote = quote_reads.quotes_of([instrument.pk])[instrument.pk]
        assert (quote.last, quote.bid, quote.ask) == (40_000, 39_999, 40_001)
        assert (quote.quote_volume, quote.recorded_at) == (10**9, NOW)
        assert market.closed == 1

    def test_swaps_have_their_mark_and_the_next_funding(self, market):
        swap = make_swap()
        hold(swap)

        self.refresh(market)

        quote = Quote.objects.get(instrument=swap)
        assert (quote.last, quote.mark_price, quote.index_price) == (40_000, 40_010, 40_005)
        assert (quote.funding_rate, quote.next_funding_at) == (Decimal("0.0001"), NOW + HOUR)

    def test_an_older_answer_does_not_replace_a_newer_one(self, market):
        instrument = make_instrument()
        hold(instrument)
        self.refresh(market)
        late = replace(market.ticker_reports[2], last=Decimal(1), venue_at=NOW - HOUR)
        market.ticker_reports = [late]

        self.refresh(market, at=NOW + HOUR)

        assert Quote.objects.get().last == 40_000

    def test_a_venue_that_does_not_answer_keeps_its_quotes(self, market):
        hold(make_instrument())
        self.refresh(market)
        market.failures = [VenueTimeoutError("No answer.")]

        assert self.refresh(market, at=NOW + HOUR) == 0
        assert Quote.objects.get().recorded_at == NOW

    def test_a_venue_that_nobody_uses_is_not_asked(self, market):
        make_instrument()

        assert self.refresh(market) == 0
        assert market.closed == 0


class TestFunding:
    @pytest.fixture
    def swap(self, market: ScriptedMarket) -> Instrument:
        """A swap with 90 days of funding every eight hours, of which somebody needs 30."""
        swap = make_swap()
        hold(swap)
        market.funding_reports = [
            FundingReport(SWAP, Decimal(n) / 10**6, NOW - 8 * n * HOUR) for n in range(1, 271)
        ]
        return swap

    def refresh(self, market: ScriptedMarket, *, at=NOW) -> int:
        return funding.refresh_funding(now=at, market_of=lambda _: market)

    def test_what_is_needed_is_fetched_once_and_then_only_what_is_new(self, market, swap):
        assert self.refresh(market) == 90
        market.funding_reports.append(FundingReport(SWAP, Decimal("0.5"), NOW + HOUR))
        assert self.refresh(market, at=NOW + timedelta(minutes=5)) == 0
        assert self.refresh(market, at=NOW + 2 * HOUR) == 1

        assert FundingRate.objects.count() == 91
        assert FundingRate.objects.latest("funded_at").rate == Decimal("0.5")

    def test_a_later_need_for_older_rates_is_backfilled_at_once(self, market, swap):
        self.refresh(market)
        hold(swap, since=NOW - 60 * 24 * HOUR)
        with transaction.atomic():
            feeds.hold(
                instrument_id=swap.pk,
                timeframe=Timeframe.H1,
                holder="another",
                backfill_from_at=NOW - 60 * 24 * HOUR,
            )

        assert self.refresh(market, at=NOW + timedelta(minutes=1)) == 90
        assert funding_reads.asked_between(
            instrument_id=swap.pk,
            from_ms=to_milliseconds(NOW - 60 * 24 * HOUR),
            to_ms=to_milliseconds(NOW),
        )

    def test_rates_come_as_arrays_of_a_window(self, market, swap):
        self.refresh(market)

        times, rates = funding_reads.rates_between(
            instrument_id=swap.pk,
            from_ms=to_milliseconds(NOW - 16 * HOUR),
            to_ms=to_milliseconds(NOW),
        )

        assert times.tolist() == [to_milliseconds(NOW - hours * HOUR) for hours in (16, 8)]
        assert rates.tolist() == [2e-6, 1e-6]

    def test_a_corrected_rate_replaces_the_former(self, market, swap):
        self.refresh(market)
        newest = market.funding_reports[0]
        market.funding_reports[0] = replace(newest, rate=Decimal("0.25"))

        self.refresh(market, at=NOW + HOUR)

        assert FundingRate.objects.get(funded_at=newest.funded_at).rate == Decimal("0.25")

    def test_a_failure_is_remembered_and_forgotten(self, market, swap):
        self.refresh(market)
        market.failures = [VenueTimeoutError("No answer.")]
        assert self.refresh(market, at=NOW + HOUR) == 0
        assert FundingFeed.objects.get().last_error == "venue_timeout: No answer."

        self.refresh(market, at=NOW + 2 * HOUR)

        assert FundingFeed.objects.get().last_error == ""

    def test_spot_markets_have_none(self, market):
        hold(make_instrument())

        assert self.refresh(market) == 0
        assert market.closed == 0
