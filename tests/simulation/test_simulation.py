"""The share of the simulation that every run of the suite plays; `make sim` plays far more of it."""

from collections.abc import Iterator

import pytest

from tests.simulation import canaries, play
from tests.simulation.play import House

#: Days that were wrong once.
_ONCE_WRONG: tuple[int, ...] = ()
#: A short day.
_HAPPENINGS = 24


@pytest.fixture(scope="module")
def house(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[House]:
    """A furnished database of its own, in which each day leaves nothing behind."""
    del django_db_setup
    with django_db_blocker.unblock(), play.opened() as opened:  # type: ignore[attr-defined]
        yield opened


@pytest.mark.flow
@pytest.mark.enable_socket
@pytest.mark.timeout(300)
def test_nothing_is_wrong_at_the_end_of_a_day_and_the_same_seed_is_the_same_day(house):
    first = [house.play(seed, happenings=_HAPPENINGS) for seed in (0, 1, *_ONCE_WRONG)]
    again = house.play(0, happenings=_HAPPENINGS)

    assert {day.seed: day.findings for day in first if day.findings} == {}
    assert again.lines == first[0].lines
    assert again.digest == first[0].digest != first[1].digest
    assert sum(day.orders for day in first) > 0


@pytest.mark.flow
@pytest.mark.enable_socket
@pytest.mark.timeout(300)
def test_the_simulation_notices_that_an_order_is_sent_blindly_again(house):
    noticed = canaries.first_noticed(house, "blind-resend", seeds=range(4, 5))

    assert noticed is not None
    assert "was sent 2 times" in "\n".join(noticed.findings)
