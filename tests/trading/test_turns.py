"""Who goes first at a bar: drawn, moved on from bar to bar, and even in the long run."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trading.domain.turns import turn_of

DAY = datetime(2026, 3, 1, tzinfo=UTC)
PEOPLE = [f"account-{number}" for number in range(50)]


def place(account: str, *, bar: int, salt: str = "salt", day: datetime = DAY) -> float:
    at = day + timedelta(minutes=bar)
    return turn_of(account=account, bar_close_at=at, timeframe_s=60, salt=salt)


def queue(bar: int, *, day: datetime = DAY) -> list[str]:
    return sorted(PEOPLE, key=lambda account: place(account, bar=bar, day=day))


@given(account=st.text(max_size=40), bar=st.integers(0, 1_439))
def test_the_place_follows_from_account_and_bar_and_lies_between_0_and_1(account, bar):
    assert place(account, bar=bar) == place(account, bar=bar)
    assert 0 <= place(account, bar=bar) < 1


def test_nobody_is_always_among_the_first():
    bars = 100
    first_tenth = Counter(account for bar in range(bars) for account in queue(bar)[:5])

    # A tenth of the bars would be even; who has many neighbors that day has fewer turns.
    assert set(first_tenth) == set(PEOPLE)
    assert max(first_tenth.values()) <= 25


def test_an_accounts_places_are_even_over_a_few_bars():
    for account in PEOPLE:
        places = [place(account, bar=bar) for bar in range(20)]
        assert 8 <= sum(each < 0.5 for each in places) <= 12


def test_others_go_first_on_the_next_bar():
    assert queue(0)[:10] != queue(1)[:10]


def test_neighbors_of_one_day_are_not_those_of_the_next():
    def after(account: str, line: list[str]) -> str:
        return line[(line.index(account) + 1) % len(line)]

    today, tomorrow = queue(0), queue(0, day=DAY + timedelta(days=1))

    assert sum(after(each, today) == after(each, tomorrow) for each in PEOPLE) < 10


def test_nobody_else_can_know_the_order():
    assert place("account-1", bar=0) != place("account-1", bar=0, salt="another")
