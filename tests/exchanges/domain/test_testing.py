"""The turns of the daily test are spread over the day, and each comes once a day."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from exchanges.domain.testing import next_daily_test

INSTANTS = st.integers(min_value=1_704_067_200, max_value=1_893_456_000).map(
    lambda second: datetime.fromtimestamp(second, UTC)
)


@given(now=INSTANTS, key=st.text(max_size=40))
def test_a_turn_is_12_to_36_hours_away_and_the_next_a_day_later(now, key):
    turn = next_daily_test(now=now, key=key)

    assert timedelta(hours=12) <= turn - now < timedelta(hours=36)
    assert next_daily_test(now=turn, key=key) == turn + timedelta(days=1)


def test_a_thousand_accounts_that_are_connected_at_once_are_tested_all_over_the_day():
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    hours = [next_daily_test(now=now, key=f"account {number}").hour for number in range(1_000)]

    assert all(20 < hours.count(hour) < 70 for hour in range(24))
