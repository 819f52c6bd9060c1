"""What a feed asks for next, and when."""

from exchanges.domain import feeding
from exchanges.domain.feeding import FeedState
from market.timeframes import DAY_MS, HOUR_MS, Timeframe
from tests.factories.exchanges import NEW_YEAR_MS as NOW

H1 = Timeframe.H1


def state(*, last: int | None, wanted: int, asked: int | None) -> FeedState:
    return FeedState(H1, last, wanted, asked)


def test_a_bar_is_final_only_after_its_close_and_the_grace():
    assert feeding.newest_closed(H1, NOW, finality_ms=200) == NOW - 2 * HOUR_MS
    assert feeding.newest_closed(H1, NOW + 199, finality_ms=200) == NOW - 2 * HOUR_MS
    assert feeding.newest_closed(H1, NOW + 200, finality_ms=200) == NOW - HOUR_MS


def test_a_new_feed_begins_with_the_newest_page():
    newest = NOW - HOUR_MS

    plan = feeding.plan_forward(state(last=None, wanted=0, asked=None), newest)

    assert plan.since_ms == plan.asked_from_ms == newest - 999 * HOUR_MS


def test_a_new_feed_that_needs_little_asks_for_little():
    wanted = NOW - 5 * HOUR_MS

    plan = feeding.plan_forward(state(last=None, wanted=wanted, asked=None), NOW - HOUR_MS)

    assert plan.since_ms == plan.asked_from_ms == wanted
    assert feeding.plan_backward(state(last=None, wanted=wanted, asked=None), wanted) is None


def test_a_running_feed_reads_the_last_bars_again():
    last = NOW - 2 * HOUR_MS

    plan = feeding.plan_forward(state(last=last, wanted=0, asked=DAY_MS), NOW - HOUR_MS)

    assert plan.since_ms == last - 2 * HOUR_MS
    assert plan.asked_from_ms == DAY_MS


def test_a_feed_that_is_far_behind_begins_anew_and_fills_up_backward():
    last, newest = NOW - 6_000 * HOUR_MS, NOW - HOUR_MS

    plan = feeding.plan_forward(state(last=last, wanted=0, asked=0), newest)

    assert plan.since_ms == plan.asked_from_ms == newest - 999 * HOUR_MS


def test_history_is_asked_for_page_by_page_down_to_where_it_is_wanted():
    wanted = NOW - 1_500 * HOUR_MS
    feed = state(last=NOW, wanted=wanted, asked=NOW)

    first = feeding.plan_backward(feed, NOW)
    second = feeding.plan_backward(feed, NOW - 1_000 * HOUR_MS)

    assert first == (NOW - 1_000 * HOUR_MS, NOW)
    assert second == (wanted, NOW - 1_000 * HOUR_MS)
    assert feeding.plan_backward(feed, wanted) is None


def test_seconds_are_never_wanted_for_longer_than_they_are_kept():
    assert feeding.wanted_from(Timeframe.S1, 0, now_ms=NOW) == NOW - 7 * DAY_MS
    assert feeding.wanted_from(H1, 0, now_ms=NOW) == 0


class TestNextDue:
    def due(self, feed: FeedState, *, complete: bool = True) -> int:
        return feeding.next_due(
            feed,
            newest_ms=NOW - HOUR_MS,
            now_ms=NOW + 300,
            venue_offset_ms=50,
            finality_ms=200,
            is_complete=complete,
        )

    def test_the_next_bar_is_asked_for_as_it_becomes_final_by_the_venues_clock(self):
        assert self.due(state(last=NOW - HOUR_MS, wanted=0, asked=0)) == NOW + HOUR_MS + 150

    def test_a_bar_that_is_late_is_asked_for_again_soon(self):
        assert self.due(state(last=NOW - 2 * HOUR_MS, wanted=0, asked=0)) == NOW + 5_300

    def test_missing_history_is_asked_for_at_once(self):
        feed = state(last=NOW - HOUR_MS, wanted=0, asked=DAY_MS)

        assert self.due(feed, complete=False) == NOW + 300


def test_pauses_grow_and_have_an_end():
    pauses = [feeding.retry_delay_s(failures, jitter=0.999) for failures in range(1, 12)]

    assert pauses == sorted(pauses)
    assert 0.5 < pauses[0] <= 1.0
    assert pauses[-1] <= 60.0
