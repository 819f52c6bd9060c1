"""From a venue's answers to stored bars and events."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import transaction

from exchanges.events import CANDLES_CLOSED
from exchanges.models import (
    CandleFeed,
    CandleGap,
    CandleRevision,
    CandleTail,
    FeedHold,
    QuarantinedBar,
    Venue,
)
from exchanges.selectors import candles as reads
from exchanges.services import clocks, feeds, ingest, quarantine
from exchanges.services.ingest import Ingested
from foundation.models import OutboxEvent
from market.candles import Candles
from market.errors import VenueTimeoutError
from market.timeframes import HOUR_MS, Timeframe, from_milliseconds
from tests.exchanges.scripted_market import ScriptedMarket
from tests.factories.exchanges import NEW_YEAR_MS, make_candles, make_instrument

pytestmark = pytest.mark.django_db

H1 = Timeframe.H1
FAR = NEW_YEAR_MS + 10**12
START = from_milliseconds(NEW_YEAR_MS)


@pytest.fixture(autouse=True)
def short_pauses(settings):
    settings.HORIZONS = replace(settings.HORIZONS, reread_s=0.01)


class Desk:
    """An instrument with a feed, its market and the way through claim and ingest."""

    def __init__(self, *, bars: int = 50, timeframe: Timeframe = H1) -> None:
        self.timeframe = timeframe
        self.instrument = make_instrument()
        self.candles = make_candles([100.0 + n for n in range(bars)], timeframe=timeframe)
        self.market = ScriptedMarket(now=START)
        self.market.give("BTC/USDT", timeframe, self.candles)

    def hold(self, *, since_bar: int = 0) -> None:
        with transaction.atomic():
            feeds.hold(
                instrument_id=self.instrument.pk,
                timeframe=self.timeframe,
                holder=f"test:{since_bar}",
                backfill_from_at=self.open_at(since_bar),
            )

    def open_at(self, bar: int):
        return START + timedelta(milliseconds=bar * self.timeframe.milliseconds)

    def at_bar(self, bar: float) -> None:
        """Set the clock to a place within a bar, a bit after its open."""
        self.market.now = START + timedelta(
            milliseconds=int(bar * self.timeframe.milliseconds) + 5_400
        )

    def claim(self) -> None:
        CandleFeed.objects.update(next_due_at=START, lease_until=None)
        feeds.claim_due_feeds()

    def ingest(self) -> Ingested:
        return ingest.ingest_due(
            venue_id=self.instrument.venue_id,
            timeframe=self.timeframe,
            clock=self.market.clock,
            market_of=lambda _: self.market,
        )

    def run(self) -> Ingested:
        self.claim()
        return self.ingest()

    def stored(self) -> Candles:
        return reads.load_candles(
            instrument_id=self.instrument.pk, timeframe=self.timeframe, from_ms=0, to_ms=FAR
        )

    def feed(self) -> CandleFeed:
        return CandleFeed.objects.get()


def closed_events() -> list[int]:
    rows = OutboxEvent.objects.filter(name=CANDLES_CLOSED).order_by("pk")
    return [(row.payload["last_close_ms"] - NEW_YEAR_MS) // HOUR_MS for row in rows]


class TestNewBars:
    def test_closed_bars_are_stored_and_the_unfinished_one_is_not(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(10.5)

        outcome = desk.run()

        assert outcome == Ingested(feeds=1, bars=10, failed=0)
        assert desk.stored().rows() == desk.candles.slice(0, 10).rows()
        assert closed_events() == [10]

    def test_a_bar_is_taken_only_when_it_is_final(self):
        desk = Desk()
        desk.hold()
        desk.market.now = desk.open_at(10) + timedelta(milliseconds=4_999)

        desk.run()

        assert len(desk.stored()) == 9

    def test_the_event_says_which_series_and_where_it_ends(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(3)
        desk.run()

        assert OutboxEvent.objects.get().payload == {
            "instrument_ids": [desk.instrument.pk],
            "timeframe": "1h",
            "last_close_ms": NEW_YEAR_MS + 3 * HOUR_MS,
        }

    def test_each_bar_is_told_of_once(self):
        desk = Desk()
        desk.hold()
        for bar in (3, 4, 4.2, 6):
            desk.at_bar(bar)
            desk.run()

        assert closed_events() == [3, 4, 6]
        assert desk.stored().rows() == desk.candles.slice(0, 6).rows()
        assert set(CandleTail.objects.values_list("revision", flat=True)) == {0}

    def test_the_feed_is_due_again_when_the_next_bar_is_final(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(3)
        desk.run()

        feed = desk.feed()
        assert feed.next_due_at == desk.open_at(4) + timedelta(seconds=5)
        assert feed.last_open_at == desk.open_at(2)
        assert feed.lease_until is None

    def test_the_clock_of_the_venue_counts(self):
        desk = Desk()
        desk.hold()
        Venue.objects.update(clock_offset_ms=-1_000)
        desk.at_bar(3)

        desk.run()

        assert len(desk.stored()) == 2
        assert desk.feed().next_due_at == desk.open_at(3) + timedelta(seconds=6)

    def test_many_instruments_of_a_venue_are_one_task(self):
        desk = Desk()
        for number in range(12):
            other = make_instrument(f"C{number}/USDT", venue=desk.instrument.venue)
            desk.market.give(other.symbol, H1, desk.candles)
            with transaction.atomic():
                feeds.hold(instrument_id=other.pk, timeframe=H1, holder="t", backfill_from_at=START)
        desk.at_bar(5)

        outcome = desk.run()

        assert outcome == Ingested(feeds=12, bars=60, failed=0)
        assert len(set(closed_events())) == 1


class TestFinality:
    """A bar is final after a grace, and once a newer one follows or it stays the same for a moment."""

    @pytest.mark.parametrize(("timeframe", "grace_s"), [("1m", 2), ("5m", 2), ("15m", 5)])
    def test_the_grace_is_two_seconds_up_to_five_minutes_and_five_above(self, timeframe, grace_s):
        desk = Desk(timeframe=Timeframe(timeframe))
        desk.hold()
        desk.market.now = desk.open_at(10) + timedelta(seconds=grace_s, milliseconds=-1)
        desk.run()
        assert len(desk.stored()) == 9

        desk.market.now = desk.open_at(10) + timedelta(seconds=grace_s)
        desk.run()

        assert len(desk.stored()) == 10

    def test_a_newest_bar_that_stays_the_same_is_final_without_a_newer_one(self):
        desk = Desk()
        desk.market.shows_unfinished = False
        desk.hold()
        desk.at_bar(5)

        desk.run()

        assert desk.stored().rows() == desk.candles.slice(0, 5).rows()

    def test_a_newest_bar_that_still_moves_waits(self):
        desk = Desk()
        desk.market.shows_unfinished = False
        last = desk.candles.slice(4, 5)
        desk.market.after_question = lambda: desk.market.give(
            "BTC/USDT", H1, replace(last, volume=last.volume + len(desk.market.questions))
        )
        desk.hold()
        desk.at_bar(5)

        desk.run()

        assert len(desk.stored()) == 4
        assert desk.feed().next_due_at == desk.market.now + timedelta(seconds=5)
        desk.market.after_question = lambda: None
        desk.run()
        assert len(desk.stored()) == 5
        assert CandleRevision.objects.count() == 0

    def test_a_bar_that_moves_and_is_followed_by_another_is_taken_as_it_is_then(self):
        desk = Desk()
        desk.market.shows_unfinished = False
        last = desk.candles.slice(4, 5)

        def trade() -> None:
            desk.market.give("BTC/USDT", H1, replace(last, close=last.close + 0.25))
            desk.market.shows_unfinished = True

        desk.market.after_question = trade
        desk.hold()
        desk.at_bar(5)

        desk.run()

        assert desk.stored().close[-1] == last.close[0] + 0.25


class TestQuarantine:
    def test_a_bar_that_cannot_be_is_kept_apart_with_what_is_wrong(self):
        desk = Desk()
        at = NEW_YEAR_MS + 2 * HOUR_MS
        desk.market.give("BTC/USDT", H1, Candles.from_rows([(at, 100.0, 90.0, 110.0, 100.0, 1.0)]))
        desk.hold()
        desk.at_bar(5)

        desk.run()

        bar = QuarantinedBar.objects.get()
        assert (bar.open_ms, bar.code, bar.high, bar.low) == (at, "high_below_low", 90.0, 110.0)
        assert bar.settled_at is None

    def test_what_lies_in_the_future_or_is_no_number_is_kept_apart_too(self):
        desk = Desk()
        nan = float("nan")
        at = NEW_YEAR_MS + 3 * HOUR_MS
        desk.market.give("BTC/USDT", H1, Candles.from_rows([(at, 100.0, nan, 99.0, 100.0, 1.0)]))
        desk.market.impossible = [
            (NEW_YEAR_MS + 90 * HOUR_MS, 1.0, 1.0, 1.0, 1.0, 1.0),
            (10**30, 1.0, 1.0, 1.0, 1.0, 1.0),
        ]
        desk.hold()
        desk.at_bar(5)

        desk.run()

        codes = dict(QuarantinedBar.objects.values_list("open_ms", "code"))
        assert codes == {
            at: "not_a_finite_number",
            NEW_YEAR_MS + 90 * HOUR_MS: "in_future",
        }
        assert len(desk.stored()) == 4

    def test_seen_again_it_is_counted_and_a_possible_bar_settles_it(self):
        desk = Desk()
        good, at = desk.candles.slice(4, 5), NEW_YEAR_MS + 4 * HOUR_MS
        desk.market.give("BTC/USDT", H1, Candles.from_rows([(at, 100.0, 90.0, 110.0, 100.0, 1.0)]))
        desk.hold()
        desk.at_bar(5)
        desk.run()
        desk.run()
        assert QuarantinedBar.objects.get().times_seen == 2

        desk.market.give("BTC/USDT", H1, good)
        desk.run()

        assert QuarantinedBar.objects.get().settled_at == desk.market.now
        assert len(desk.stored()) == 5

    def test_it_is_forgotten_after_three_months(self):
        desk = Desk()
        desk.market.impossible = [(NEW_YEAR_MS + 90 * HOUR_MS, 1.0, 1.0, 1.0, 1.0, 1.0)]
        desk.hold()
        desk.at_bar(5)
        desk.run()

        assert quarantine.prune_quarantine(now=desk.market.now + timedelta(days=89)) == 0
        assert quarantine.prune_quarantine(now=desk.market.now + timedelta(days=91)) == 1


class TestHistory:
    def test_venues_that_answer_in_small_pages_are_asked_until_all_is_there(self):
        desk = Desk(bars=300)
        desk.market.page_limit = 50
        desk.hold()
        desk.at_bar(300)

        desk.run()

        assert desk.stored().rows() == desk.candles.rows()
        assert CandleGap.objects.count() == 0

    def test_long_history_comes_over_several_tasks_newest_first_and_is_told_of_when_complete(self):
        desk = Desk(bars=25_000, timeframe=Timeframe.M1)
        desk.hold()
        desk.at_bar(25_000)

        desk.run()
        first = desk.stored()
        assert first.rows() == desk.candles.slice(15_000, 25_000).rows()
        assert OutboxEvent.objects.count() == 0
        assert desk.feed().next_due_at <= desk.market.now
        desk.run()
        desk.run()

        assert len(desk.stored()) == 25_000
        assert OutboxEvent.objects.count() == 1
        assert CandleGap.objects.count() == 0
        assert desk.feed().backfilled_from_at == START

    def test_history_that_the_venue_does_not_have_ends_the_search(self):
        desk = Desk(bars=100)
        desk.hold(since_bar=-50_000)
        desk.at_bar(100)

        desk.run()

        assert len(desk.stored()) == 100
        assert len(desk.market.questions) <= 3
        assert desk.feed().backfilled_from_at == desk.open_at(-50_000)
        assert closed_events() == [100]

    def test_a_later_holder_gets_older_history_and_the_event_again(self):
        desk = Desk()
        desk.hold(since_bar=20)
        desk.at_bar(30)
        desk.run()
        assert len(desk.stored()) == 10

        desk.hold(since_bar=5)
        desk.run()

        assert desk.stored().rows() == desk.candles.slice(5, 30).rows()
        assert closed_events() == [30, 30]
        assert CandleGap.objects.count() == 0

    def test_after_a_pause_the_missed_bars_come_first(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.run()
        desk.at_bar(40)

        desk.run()

        assert desk.stored().rows() == desk.candles.slice(0, 40).rows()
        assert CandleGap.objects.count() == 0

    def test_after_a_very_long_pause_the_hole_is_filled_backward(self):
        desk = Desk(bars=9_000, timeframe=Timeframe.M1)
        desk.hold()
        desk.at_bar(50)
        desk.run()
        desk.at_bar(9_000)

        for _ in range(3):
            desk.run()

        assert len(desk.stored()) == 9_000
        assert CandleGap.objects.count() == 0


class TestWhatVenuesDo:
    def test_a_changed_bar_is_a_revision(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.run()
        bar = desk.candles.slice(4, 5)
        desk.market.give("BTC/USDT", H1, replace(bar, close=bar.close - 0.25))

        desk.at_bar(6)
        desk.run()

        assert CandleRevision.objects.get().close == 104.0
        assert desk.stored().close.tolist() == [100.0, 101.0, 102.0, 103.0, 103.75, 105.0]
        assert closed_events() == [5, 6]

    def test_a_hole_is_asked_for_again_and_then_recorded(self):
        desk = Desk()
        desk.market.hidden = {NEW_YEAR_MS + 3 * HOUR_MS}
        desk.hold()
        desk.at_bar(6)

        desk.run()

        asked = [since for _, since, _ in desk.market.questions]
        assert asked.count(NEW_YEAR_MS + 3 * HOUR_MS) == 1
        assert CandleGap.objects.get().from_at == desk.open_at(3)

    def test_a_bar_that_comes_late_closes_its_gap(self):
        desk = Desk()
        desk.market.hidden = {NEW_YEAR_MS + 5 * HOUR_MS}
        desk.hold()
        desk.at_bar(7)
        desk.run()
        assert CandleGap.objects.count() == 1

        desk.market.hidden = set()
        desk.at_bar(8)
        desk.run()

        assert CandleGap.objects.count() == 0
        assert desk.stored().rows() == desk.candles.slice(0, 8).rows()

    def test_a_bar_that_should_be_there_is_asked_for_again_soon(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.run()
        desk.market.hidden = {NEW_YEAR_MS + 5 * HOUR_MS}
        desk.at_bar(6)

        assert desk.run().feeds == 0

        assert desk.feed().next_due_at == desk.market.now + timedelta(seconds=5)
        desk.market.hidden = set()
        assert desk.run().feeds == 1

    def test_impossible_bars_are_left_out(self):
        desk = Desk()
        desk.market.give(
            "BTC/USDT",
            H1,
            Candles.from_rows([(NEW_YEAR_MS + 2 * HOUR_MS, 100.0, 90.0, 110.0, 100.0, 1.0)]),
        )
        desk.hold()
        desk.at_bar(5)

        desk.run()

        assert len(desk.stored()) == 4
        assert CandleGap.objects.get().missing == 1

    def test_a_venue_without_the_bar_yet_gives_nothing(self):
        desk = Desk(bars=1)
        desk.hold()
        desk.market.now = START + timedelta(seconds=6)

        assert desk.run() == Ingested()
        assert desk.feed().next_due_at == desk.open_at(1) + timedelta(seconds=5)


class TestFailures:
    def test_a_failure_is_remembered_and_tried_again_later(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.market.failures = [VenueTimeoutError("No answer.")]

        assert desk.run() == Ingested(failed=1)

        feed = desk.feed()
        assert (feed.failures, feed.last_error) == (1, "venue_timeout: No answer.")
        pause = feed.next_due_at - desk.market.now
        assert timedelta(seconds=0.5) <= pause <= timedelta(seconds=1)
        assert feed.lease_until is None

    def test_success_forgets_the_failures(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.market.failures = [VenueTimeoutError("No answer.")]
        desk.run()
        desk.run()

        assert (desk.feed().failures, desk.feed().last_error) == (0, "")

    def test_one_instrument_that_fails_does_not_keep_the_others(self):
        desk = Desk()
        gone = make_instrument("GONE/USDT", venue=desk.instrument.venue)
        desk.hold()
        with transaction.atomic():
            feeds.hold(instrument_id=gone.pk, timeframe=H1, holder="t", backfill_from_at=START)
        desk.at_bar(5)

        assert desk.run() == Ingested(feeds=1, bars=5, failed=1)

    def test_a_venue_that_never_answers_is_given_up(self, settings):
        settings.HORIZONS = settings.HORIZONS.scaled(0.01)
        desk = Desk()
        desk.market.delay_s = 5
        desk.hold()
        desk.at_bar(5)
        desk.claim()
        CandleFeed.objects.update(lease_until=desk.market.now + timedelta(days=36_500))

        assert desk.ingest() == Ingested(failed=1)
        assert desk.feed().last_error.startswith("venue_timeout")

    def test_the_client_is_closed_whatever_happens(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.market.failures = [VenueTimeoutError("No answer.")]
        desk.run()
        desk.run()

        assert desk.market.closed == 2


class TestClaimsAndLeases:
    def test_a_message_without_a_claim_does_nothing(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)

        assert desk.ingest() == Ingested()
        assert desk.market.questions == []

    def test_the_same_message_twice_does_nothing_the_second_time(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.claim()
        desk.ingest()
        asked = len(desk.market.questions)

        assert desk.ingest() == Ingested()
        assert len(desk.market.questions) == asked

    def test_a_task_that_was_overtaken_stores_nothing(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.claim()

        class Overtaken(ScriptedMarket):
            async def close(self) -> None:
                """End as the last thing before storing; by then somebody else has claimed the feed."""
                overtaken.append(True)

        overtaken: list[bool] = []
        market = Overtaken(now=desk.market.now)
        market.give("BTC/USDT", H1, desk.candles)

        def clock():
            if overtaken:
                CandleFeed.objects.update(epoch=99)
            return market.now

        outcome = ingest.ingest_due(
            venue_id=desk.instrument.venue_id,
            timeframe=H1,
            clock=clock,
            market_of=lambda _: market,
        )

        assert outcome == Ingested()
        assert len(desk.stored()) == 0
        assert OutboxEvent.objects.count() == 0

    def test_a_released_feed_that_was_claimed_is_finished_quietly(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.claim()
        FeedHold.objects.all().delete()

        assert desk.ingest().bars == 5


class TestClocks:
    def test_the_offset_is_measured_for_venues_that_are_needed(self):
        desk = Desk()
        desk.hold()
        desk.market.ahead = timedelta(milliseconds=730)

        measured = clocks.measure_clocks(clock=desk.market.clock, market_of=lambda _: desk.market)

        venue = Venue.objects.get()
        assert measured == 1
        assert (venue.clock_offset_ms, venue.clock_measured_at) == (730, START)

    def test_a_venue_that_does_not_answer_keeps_its_offset(self):
        desk = Desk()
        desk.hold()
        desk.market.failures = [VenueTimeoutError("No answer.")]

        assert clocks.measure_clocks(clock=desk.market.clock, market_of=lambda _: desk.market) == 0
        assert Venue.objects.get().clock_measured_at is None

    def test_venues_that_nobody_needs_are_not_asked(self):
        desk = Desk()

        assert clocks.measure_clocks(clock=desk.market.clock, market_of=lambda _: desk.market) == 0
        assert desk.market.closed == 0
