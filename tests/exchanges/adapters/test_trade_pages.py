"""All executions are read, however many pages and days they are spread over."""

import asyncio
from dataclasses import replace

import pytest

from exchanges.adapters.packs import pack_of
from exchanges.adapters.trade_pages import read_by_id
from market.timeframes import DAY_MS

NOW_MS = 1_800_000_000_000


class Answers:
    """Answers as the venue documents: the newest page, a window of at most a day, or a page from an id on."""

    def __init__(self, trades, page):
        self._trades = trades
        self._page = page
        self.calls = 0

    async def fetch_my_trades(self, symbol, since, limit, params=None):
        assert limit == self._page
        self.calls += 1
        params = params or {}
        if "fromId" in params:
            later = [t for t in self._trades if int(t["id"]) >= int(params["fromId"])]
            return later[:limit]
        if since is None:
            return self._trades[-limit:]
        assert params["until"] - since < DAY_MS
        inside = [t for t in self._trades if since <= t["timestamp"] <= params["until"]]
        return inside[:limit]


def make_trades(*hours_ago):
    return [
        {"id": str(10 * number + 7), "timestamp": NOW_MS - hours * 3_600_000}
        for number, hours in enumerate(sorted(hours_ago, reverse=True))
    ]


@pytest.mark.parametrize(
    ("hours_ago", "since_hours", "expected", "calls"),
    [
        ([], 240, 0, 1),
        ([5, 4], 240, 2, 1),
        ([100, 50, 5, 4], 10, 2, 1),
        ([100, 99, 98, 50, 49, 5, 4, 3, 2], 240, 9, None),
        ([100, 99, 98, 97, 96, 95, 94], 240, 7, None),
        ([9, 8, 7, 6, 5, 4, 3], 7, 5, None),
    ],
)
def test_every_execution_since_an_instant_is_returned_once(
    monkeypatch, hours_ago, since_hours, expected, calls
):
    monkeypatch.setattr("exchanges.adapters.trade_pages.time.time_ns", lambda: NOW_MS * 1_000_000)
    pack = replace(pack_of("binance"), trade_page=3)
    answers = Answers(make_trades(*hours_ago), pack.trade_page)

    found = asyncio.run(
        read_by_id(answers, pack, "BTC/USDT", since_ms=NOW_MS - since_hours * 3_600_000)
    )

    assert len(found) == expected
    assert len({trade["id"] for trade in found}) == expected
    assert found == sorted(found, key=lambda trade: trade["timestamp"])
    assert calls in {None, answers.calls}
