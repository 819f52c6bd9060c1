"""Holding feeds and claiming the ones that are due."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from exchanges.models import CandleFeed, FeedHold
from exchanges.services import feeds
from exchanges.services.feeds import VenueOfflineError
from market.timeframes import Timeframe
from tests.factories.exchanges import make_instrument, make_venue

pytestmark = pytest.mark.django_db

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
H1 = Timeframe.H1


def hold(instrument, holder: str = "group:1", since: datetime = JANUARY, timeframe=H1) -> None:
    with transaction.atomic():
        feeds.hold(
            instrument_id=instrument.pk,
            timeframe=timeframe,
            holder=holder,
            backfill_from_at=since,
        )


def release(instrument, holder: str = "group:1") -> None:
    with transaction.atomic():
        feeds.release(instrument_id=instrument.pk, timeframe=H1, holder=holder)


def sent(callbacks) -> list[dict[str, object]]:
    return [callback.args[1] for callback in callbacks]


class TestHold:
    def test_the_first_hold_creates_a_feed_that_is_due(self):
        hold(make_instrument())

        assert CandleFeed.objects.get().backfill_from_at == JANUARY
        assert feeds.claim_due_feeds() == 1

    def test_holding_twice_is_holding_once(self):
        instrument = make_instrument()
        hold(instrument)
        hold(instrument)

        assert (CandleFeed.objects.count(), FeedHold.objects.count()) == (1, 1)

    def test_a_holder_who_needs_more_history_makes_the_feed_due_again(self):
        instrument = make_instrument()
        hold(instrument)
        later = timezone.now() + timedelta(hours=1)
        CandleFeed.objects.update(next_due_at=later)

        hold(instrument, "group:2", since=JANUARY - timedelta(days=30))

        feed = CandleFeed.objects.get()
        assert feed.backfill_from_at == JANUARY - timedelta(days=30)
        assert feed.next_due_at < later
        assert FeedHold.objects.count() == 2

    def test_a_holder_who_needs_less_history_takes_none_away(self):
        instrument = make_instrument()
        hold(instrument)
        hold(instrument, "group:2", since=JANUARY + timedelta(days=30))

        assert CandleFeed.objects.get().backfill_from_at == JANUARY

    def test_a_feed_rests_when_the_last_holder_lets_go(self):
        instrument = make_instrument()
        hold(instrument, "group:1")
        hold(instrument, "group:2")
        release(instrument, "group:1")
        assert feeds.claim_due_feeds() == 1
        CandleFeed.objects.update(lease_until=None)

        release(instrument, "group:2")

        assert feeds.claim_due_feeds() == 0
        assert CandleFeed.objects.count() == 1

    def test_an_offline_venue_cannot_be_held(self):
        instrument = make_instrument(venue=make_venue("bittrex", ccxt_id=""))

        with pytest.raises(VenueOfflineError):
            hold(instrument)

        assert CandleFeed.objects.count() == 0

    def test_holding_needs_a_transaction(self):
        with pytest.raises(RuntimeError, match="transaction"):
            feeds.hold(instrument_id=1, timeframe=H1, holder="x", backfill_from_at=JANUARY)


class TestClaim:
    def test_one_task_is_sent_per_venue_and_timeframe(self, django_capture_on_commit_callbacks):
        binance, other = make_venue("binance"), make_venue("other")
        bitcoin = make_instrument(venue=binance)
        ether = make_instrument("ETH/USDT", venue=binance)
        elsewhere = make_instrument(venue=other)
        for instrument in (bitcoin, ether, elsewhere):
            hold(instrument)
        hold(bitcoin, timeframe=Timeframe.M1)

        with django_capture_on_commit_callbacks() as callbacks:
            assert feeds.claim_due_feeds() == 4

        assert sent(callbacks) == [
            {"venue_id": binance.pk, "timeframe": "1h"},
            {"venue_id": binance.pk, "timeframe": "1m"},
            {"venue_id": other.pk, "timeframe": "1h"},
        ]

    def test_a_claimed_feed_is_not_claimed_again_until_its_lease_ends(self):
        hold(make_instrument())

        assert feeds.claim_due_feeds() == 1
        assert feeds.claim_due_feeds() == 0

        CandleFeed.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert feeds.claim_due_feeds() == 1
        assert CandleFeed.objects.get().epoch == 2

    def test_what_becomes_due_before_the_next_tick_is_claimed_already(self):
        hold(make_instrument())
        CandleFeed.objects.update(next_due_at=timezone.now() + timedelta(seconds=0.8))
        assert feeds.claim_due_feeds() == 1

    def test_what_is_due_later_waits(self):
        hold(make_instrument())
        CandleFeed.objects.update(next_due_at=timezone.now() + timedelta(seconds=5))
        assert feeds.claim_due_feeds() == 0

    @pytest.mark.parametrize("what", ["venue", "instrument"])
    def test_what_is_out_of_use_is_left_alone(self, what):
        instrument = make_instrument()
        hold(instrument)
        row = instrument.venue if what == "venue" else instrument
        type(row).objects.filter(pk=row.pk).update(is_active=False)

        assert feeds.claim_due_feeds() == 0

    def test_a_tick_is_two_statements_however_many_feeds_there_are(
        self, django_assert_max_num_queries
    ):
        venue = make_venue()
        for number in range(30):
            hold(make_instrument(f"C{number}/USDT", venue=venue))

        with django_assert_max_num_queries(3):
            assert feeds.claim_due_feeds() == 30
