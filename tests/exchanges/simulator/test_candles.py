"""Candles as they are served: windows, lengths that fit together, and the bar that still forms."""

from decimal import Decimal
from typing import Any

import pytest

from exchanges.simulator.candles import Window, candles, day_statistics
from exchanges.simulator.exchange import Market
from exchanges.simulator.recordings import SHIPPED, load_recordings
from exchanges.simulator.store import Store
from exchanges.simulator.world import Settings, World
from market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timeframe

ANCHOR_MS = 1_700_000_123_000
NOW_MS = ANCHOR_MS + 3 * HOUR_MS + 1_700


@pytest.fixture(scope="module")
def market() -> Market:
    sources = load_recordings(SHIPPED, timeframe=Timeframe.H4)
    world = World(Store(None), sources, Settings(4, 0.0), script=None, now_ms=ANCHOR_MS)
    return world.exchange.markets["BTCUSDT"]


def ask(market: Market, timeframe: Timeframe, from_ms=None, to_ms=None, limit=1_000, now=NOW_MS):
    return candles(market, timeframe, Window(from_ms, to_ms, limit), now_ms=now)


def merge(rows: list[Any]) -> list[Any]:
    def total(column: int) -> Decimal:
        return sum((Decimal(row[column]) for row in rows), Decimal(0))

    return [
        Decimal(rows[0][1]),
        max(Decimal(row[2]) for row in rows),
        min(Decimal(row[3]) for row in rows),
        Decimal(rows[-1][4]),
        total(5),
        total(7),
    ]


def numbers(row: list[Any]) -> list[Any]:
    return [Decimal(row[column]) for column in (1, 2, 3, 4, 5, 7)]


LADDER = [
    (Timeframe.S1, Timeframe.M1),
    (Timeframe.M1, Timeframe.M15),
    (Timeframe.M5, Timeframe.H1),
    (Timeframe.M15, Timeframe.H4),
    (Timeframe.H1, Timeframe.D1),
    (Timeframe.D1, Timeframe.W1),
    (Timeframe.D1, Timeframe.MO1),
]


@pytest.mark.parametrize(("short", "long"), LADDER)
@pytest.mark.parametrize("at_ms", [ANCHOR_MS, ANCHOR_MS - 400 * DAY_MS])
def test_a_long_bar_is_its_short_bars_put_together(market, short, long, at_ms):
    opened = long.open_of(at_ms)
    closed = long.close_of(opened)
    later = closed + DAY_MS

    parts = ask(market, short, opened, closed - 1, now=later)
    (whole,) = ask(market, long, opened, opened, now=later)

    assert len(parts) == (closed - opened) // short.milliseconds
    assert numbers(whole) == merge(parts)


def test_a_bar_once_closed_never_changes(market):
    closed = NOW_MS - NOW_MS % MINUTE_MS
    first = ask(market, Timeframe.M1, to_ms=closed - 1, limit=200)

    again = ask(market, Timeframe.M1, to_ms=closed - 1, limit=200, now=NOW_MS + 40 * DAY_MS)

    assert again == first


def test_the_last_bar_is_the_one_that_forms(market):
    rows = ask(market, Timeframe.M1, limit=2)

    assert rows[1][0] == Timeframe.M1.open_of(NOW_MS)
    seconds = ask(market, Timeframe.S1, rows[1][0], NOW_MS)
    assert numbers(rows[1]) == merge(seconds)


class TestWindows:
    def test_without_a_start_the_newest_bars_come(self, market):
        rows = ask(market, Timeframe.S1, limit=5)

        newest = NOW_MS - NOW_MS % SECOND_MS
        assert [row[0] for row in rows] == [newest - n * SECOND_MS for n in (4, 3, 2, 1, 0)]

    def test_a_start_between_two_bars_begins_with_the_next(self, market):
        rows = ask(market, Timeframe.M1, 60_001, limit=2)

        assert [row[0] for row in rows] == [120_000, 180_000]

    def test_a_start_in_the_future_finds_nothing(self, market):
        assert ask(market, Timeframe.M1, NOW_MS + MINUTE_MS) == []

    def test_history_reaches_back_to_1970_and_no_further(self, market):
        rows = ask(market, Timeframe.D1, to_ms=2 * DAY_MS, limit=10)

        assert [row[0] for row in rows] == [0, DAY_MS, 2 * DAY_MS]

    def test_months_follow_the_calendar(self, market):
        rows = ask(market, Timeframe.MO1, limit=3)

        assert [row[6] + 1 for row in rows[:2]] == [row[0] for row in rows[1:]]
        assert Timeframe.MO1.is_on_grid(rows[0][0])


def test_the_day_statistics_agree_with_the_candles(market):
    shown = day_statistics(market, now_ms=NOW_MS)

    start = int(str(shown["openTime"]))
    rows = ask(market, Timeframe.H1, start - start % HOUR_MS + HOUR_MS, NOW_MS)
    assert shown["lastPrice"] == rows[-1][4]
    assert Decimal(str(shown["volume"])) > sum(Decimal(row[5]) for row in rows)
    assert Decimal(str(shown["highPrice"])) >= max(Decimal(row[2]) for row in rows)
