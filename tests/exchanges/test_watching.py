"""Feeds that fall behind are told of, holes are asked for again, and both end by themselves."""

from datetime import timedelta

import pytest
from django.db import transaction

from exchanges.domain import feeding
from exchanges.events import FEED_BEHIND, FEED_CAUGHT_UP
from exchanges.models import CandleFeed, CandleGap
from exchanges.selectors import figures
from exchanges.services import feeds, repair, watching
from foundation.models import OutboxEvent
from market.errors import VenueTimeoutError
from market.timeframes import HOUR_MS, MINUTE_MS, Timeframe
from tests.exchanges.test_ingest import H1, Desk
from tests.factories.exchanges import NEW_YEAR_MS

MINUTE = timedelta(minutes=1)


class TestIsBehind:
    def behind(self, *, last: int, now: int, answered: bool) -> bool:
        return feeding.is_behind(
            H1, last_open_ms=last, now_ms=now, patience_ms=MINUTE_MS, is_answered=answered
        )

    def test_a_bar_is_missed_only_when_the_patience_is_over(self):
        close = NEW_YEAR_MS + HOUR_MS

        assert not self.behind(
            last=NEW_YEAR_MS - HOUR_MS, now=close + MINUTE_MS - 1, answered=False
        )
        assert self.behind(last=NEW_YEAR_MS - HOUR_MS, now=close + MINUTE_MS, answered=False)
        assert not self.behind(last=NEW_YEAR_MS, now=close + MINUTE_MS, answered=False)

    def test_a_market_without_trades_may_miss_three_bars_while_the_venue_answers(self):
        third_close = NEW_YEAR_MS + 3 * HOUR_MS
        last = NEW_YEAR_MS - HOUR_MS

        assert not self.behind(last=last, now=third_close + MINUTE_MS - 1, answered=True)
        assert self.behind(last=last, now=third_close + MINUTE_MS, answered=True)


@pytest.mark.django_db
class TestWatching:
    def told(self) -> list[str]:
        names = [FEED_BEHIND, FEED_CAUGHT_UP]
        rows = OutboxEvent.objects.filter(name__in=names).order_by("pk")
        return [row.name.rpartition("-")[2] for row in rows]

    def late_desk(self) -> Desk:
        """A feed whose venue stopped answering after five bars."""
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.run()
        desk.at_bar(6)
        desk.market.failures = [VenueTimeoutError("No answer.")]
        desk.run()
        return desk

    def test_a_feed_on_time_says_nothing(self):
        desk = Desk()
        desk.hold()
        desk.at_bar(5)
        desk.run()

        assert watching.watch_feeds(now=desk.market.now) == 0
        assert self.told() == []

    def test_a_feed_that_stays_behind_is_told_of_once_an_hour_with_the_reason(self):
        desk = self.late_desk()

        late = desk.open_at(6) + timedelta(seconds=66)
        assert watching.watch_feeds(now=late - timedelta(seconds=2)) == 0
        assert watching.watch_feeds(now=late) == 1
        assert watching.watch_feeds(now=late + MINUTE) == 1
        assert self.told() == ["behind"]
        watching.watch_feeds(now=late + timedelta(minutes=61))

        assert self.told() == ["behind", "behind"]
        payload = OutboxEvent.objects.filter(name=FEED_BEHIND).earliest("pk").payload
        assert payload["reason"] == "venue_timeout: No answer."
        assert desk.feed().behind_since_at == late
        assert figures.feeds_behind() == {H1: 1}

    def test_the_alarm_ends_by_itself_when_the_bar_comes(self):
        desk = self.late_desk()
        late = desk.open_at(6) + timedelta(seconds=70)
        watching.watch_feeds(now=late)

        desk.run()
        desk.market.now = late + MINUTE
        assert watching.watch_feeds(now=desk.market.now) == 0

        assert self.told() == ["behind", "up"]
        assert desk.feed().behind_since_at is None
        assert figures.feeds_behind() == {}

    def test_nobody_is_told_of_a_feed_that_nobody_needs(self):
        desk = self.late_desk()
        watching.watch_feeds(now=desk.open_at(6) + timedelta(seconds=70))
        with transaction.atomic():
            feeds.release(instrument_id=desk.instrument.pk, timeframe=H1, holder="test:0")

        assert watching.watch_feeds(now=desk.open_at(7)) == 0
        assert self.told() == ["behind", "up"]

    def test_a_feed_that_never_brought_anything_is_behind_too(self):
        desk = Desk()
        desk.hold()
        created = desk.feed().created_at

        assert watching.watch_feeds(now=created + timedelta(minutes=1)) == 0
        assert watching.watch_feeds(now=created + timedelta(hours=2)) == 1

    def test_the_patience_is_as_long_as_a_bar_may_be_entered_on_after_its_grace(self):
        assert watching.patience(Timeframe.S1) == timedelta(seconds=17)
        assert watching.patience(Timeframe.M1) == timedelta(seconds=62)
        assert watching.patience(Timeframe.D1) == timedelta(seconds=65)


@pytest.mark.django_db
class TestRepair:
    def desk_with_a_hole(self) -> Desk:
        desk = Desk()
        desk.market.hidden = {NEW_YEAR_MS + bar * HOUR_MS for bar in (3, 4)}
        desk.hold()
        desk.at_bar(20)
        desk.run()
        assert CandleGap.objects.get().missing == 2
        return desk

    def repair(self, desk: Desk) -> repair.Repaired:
        return repair.repair_gaps(clock=desk.market.clock, market_of=lambda _: desk.market)

    def test_bars_that_come_late_fill_the_hole(self):
        desk = self.desk_with_a_hole()
        desk.market.hidden = set()

        assert self.repair(desk) == repair.Repaired(bars=2)
        assert CandleGap.objects.count() == 0
        assert desk.stored().rows() == desk.candles.slice(0, 20).rows()

    def test_a_hole_that_is_denied_twice_is_confirmed_and_asked_for_no_more(self):
        desk = self.desk_with_a_hole()

        assert self.repair(desk) == repair.Repaired()
        assert self.repair(desk) == repair.Repaired()
        assert CandleGap.objects.get().denials == 1
        desk.market.now += 2 * MINUTE
        assert self.repair(desk) == repair.Repaired(confirmed=1)
        asked = len(desk.market.questions)
        desk.market.now += timedelta(hours=1)
        self.repair(desk)

        gap = CandleGap.objects.get()
        assert (gap.from_at, gap.to_at) == (desk.open_at(3), desk.open_at(5))
        assert gap.confirmed_at == desk.market.now - timedelta(hours=1)
        assert len(desk.market.questions) == asked
        assert figures.unconfirmed_gaps() == 0

    def test_an_empty_answer_and_no_answer_prove_nothing(self):
        desk = self.desk_with_a_hole()
        every = {NEW_YEAR_MS + bar * HOUR_MS for bar in range(30)}
        desk.market.hidden, hidden = every, desk.market.hidden
        self.repair(desk)
        desk.market.hidden = hidden
        desk.market.now += 2 * MINUTE
        desk.market.failures = [VenueTimeoutError("No answer.")]

        assert self.repair(desk) == repair.Repaired(failed=1)
        assert CandleGap.objects.get().denials == 0

    def test_a_part_that_comes_leaves_a_smaller_hole(self):
        desk = self.desk_with_a_hole()
        desk.market.hidden = {NEW_YEAR_MS + 3 * HOUR_MS}

        assert self.repair(desk) == repair.Repaired(bars=1)
        gap = CandleGap.objects.get()
        assert (gap.from_at, gap.missing, gap.denials) == (desk.open_at(3), 1, 0)

    def test_holes_that_nobody_needs_filled_are_left_alone(self):
        desk = self.desk_with_a_hole()
        CandleFeed.objects.get().holds.all().delete()
        asked = len(desk.market.questions)

        self.repair(desk)

        assert len(desk.market.questions) == asked
