"""Months as people count them."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.domain.periods import add_months, extended

#: The library wants its bounds without a zone.
_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1990, 2200))
INSTANTS = st.datetimes(min_value=_FIRST, max_value=_LAST, timezones=st.just(UTC))
MONTHS = st.integers(1, 240)


def half_past_two(day: tuple[int, int, int]) -> datetime:
    """Return an instant of a day, given as year, month and day."""
    return datetime.combine(date(*day), time(14, 30), UTC)


class TestAddMonths:
    @pytest.mark.parametrize(
        ("start", "months", "end"),
        [
            ((2026, 1, 31), 1, (2026, 2, 28)),
            ((2028, 1, 31), 1, (2028, 2, 29)),
            ((2028, 2, 29), 12, (2029, 2, 28)),
            ((2026, 12, 31), 2, (2027, 2, 28)),
            ((2026, 11, 22), 1, (2026, 12, 22)),
            ((2026, 12, 1), 1, (2027, 1, 1)),
            ((2026, 3, 31), 13, (2027, 4, 30)),
        ],
    )
    def test_a_month_is_the_same_day_or_the_last_one(self, start, months, end):
        assert add_months(half_past_two(start), months) == half_past_two(end)

    @given(instant=INSTANTS, months=MONTHS)
    @example(instant=datetime(2028, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), months=12)
    def test_the_day_is_kept_or_cut_to_the_month_and_the_time_is_kept(self, instant, months):
        end = add_months(instant, months)

        assert (end.year - instant.year) * 12 + end.month - instant.month == months
        assert end.day == min(instant.day, monthrange(end.year, end.month)[1])
        assert end.timetz() == instant.timetz()

    @given(instant=INSTANTS, months=MONTHS)
    def test_a_month_is_28_to_31_days(self, instant, months):
        length = add_months(instant, months) - instant

        assert timedelta(days=28 * months) <= length <= timedelta(days=31 * months)

    @given(instant=INSTANTS, months=MONTHS, more=MONTHS)
    def test_more_months_end_later(self, instant, months, more):
        assert add_months(instant, months) < add_months(instant, months + more)

    @given(earlier=INSTANTS, later=INSTANTS, months=MONTHS)
    def test_who_starts_later_never_ends_earlier_by_a_day(self, earlier, later, months):
        earlier, later = sorted([earlier, later])

        assert add_months(earlier, months) <= add_months(later, months) + timedelta(days=1)

    @pytest.mark.parametrize("months", [0, -1])
    def test_there_is_no_period_without_a_month(self, months):
        with pytest.raises(ValueError, match="at least one month"):
            add_months(datetime(2026, 1, 1, tzinfo=UTC), months)


class TestExtended:
    @given(now=INSTANTS, end=st.none() | INSTANTS, months=MONTHS)
    def test_time_is_added_to_the_later_of_now_and_the_end(self, now, end, months):
        from_at, to_at = extended(ends_at=end, now=now, months=months)

        assert from_at == (now if end is None else max(now, end))
        assert to_at == add_months(from_at, months)
