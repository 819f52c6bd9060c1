"""What packs say of ids, weights and trades, without a venue."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.adapters.packs import offered_packs, pack_of, takes_orders
from exchanges.adapters.packs.base import Call
from exchanges.adapters.reading import UnreadableError
from exchanges.adapters.trade_pages import read_windows
from market.timeframes import DAY_MS

PACKS = offered_packs()
OURS = st.integers(min_value=0, max_value=16**32 - 1).map(lambda number: f"{number:032x}")
NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.ccxt_id)
@given(first=OURS, second=OURS)
def test_our_ids_fit_the_venue_and_come_back_as_they_were(pack, first, second):
    told = pack.dialect.id_to_venue(first)

    assert pack.dialect.client_id.fullmatch(told)
    assert len(told) <= (28 if pack.ccxt_id == "gate" else 32)
    assert pack.dialect.id_from_venue(told) == first
    assert (pack.dialect.id_to_venue(second) == told) == (first == second)


@pytest.mark.parametrize("stranger", ["t-web", "apiv4", "t-zzzzzzzzzzzzzzzzzzzzzzzzz", ""])
def test_an_id_that_is_not_ours_stays_what_it_is(stranger):
    assert pack_of("gate").dialect.id_from_venue(stranger) == stranger


def test_weights_are_those_of_the_call_that_fits():
    gate, binance = pack_of("gate"), pack_of("binance")

    assert binance.weight_of("GET", "/api/v3/myTrades") == 20
    assert Call("GET", "/api/v4/spot/orders/{}") == gate.call_of("GET", "/api/v4/spot/orders/t-1")
    assert gate.call_of("GET", "/api/v4/spot/orders/1/2") is None
    assert gate.call_of("GET", "/api/v4/spot/orders/") is None
    assert gate.call_of("PUT", "/api/v4/spot/orders/1") is None
    assert all(call.weight >= 1 for pack in PACKS for call in pack.calls)


def test_a_venue_without_a_pack_takes_no_orders():
    pack = pack_of("coinbase")

    assert (pack.takes_orders, pack.order_types, pack.protects_positions) == (
        False,
        frozenset(),
        False,
    )
    assert not takes_orders("coinbase")
    assert takes_orders("kraken")


class Windows:
    """Answers a search between two instants, newest first and at most a page, as many venues do."""

    def __init__(self, hours_ago, page):
        self.trades = [
            {"id": f"{number:04d}", "timestamp": NOW_MS - hours * 3_600_000}
            for number, hours in enumerate(sorted(hours_ago, reverse=True))
        ]
        self.page = page
        self.longest_ms = 0

    async def fetch_my_trades(self, symbol, since, limit, params):
        self.longest_ms = max(self.longest_ms, params["until"] - since)
        inside = [t for t in self.trades if since <= t["timestamp"] <= params["until"]]
        return inside[::-1][:limit]


def read(monkeypatch, answers, *, days):
    monkeypatch.setattr("exchanges.adapters.trade_pages.time.time_ns", lambda: NOW_MS * 1_000_000)
    pack = replace(pack_of("okx"), trade_page=3, trade_window_ms=2 * DAY_MS)
    since_ms = NOW_MS - days * DAY_MS
    return asyncio.run(read_windows(answers, pack, "BTC/USDT", since_ms=since_ms))


@pytest.mark.parametrize("hours_ago", [[], [1], [100, 99, 98, 97, 1, 0.5], [30] * 2 + [31, 32, 33]])
def test_windows_are_halved_until_nothing_is_cut_off(monkeypatch, hours_ago):
    answers = Windows(hours_ago, page=3)

    found = read(monkeypatch, answers, days=5)

    assert [trade["id"] for trade in found] == [trade["id"] for trade in answers.trades]
    assert answers.longest_ms < 2 * DAY_MS


def test_more_trades_at_one_instant_than_a_page_holds_are_not_passed_over(monkeypatch):
    with pytest.raises(UnreadableError):
        read(monkeypatch, Windows([30] * 4, page=3), days=5)


@pytest.mark.parametrize(
    ("name", "method", "ending", "weight"),
    [
        ("okx", "GET", "account/config", 4),
        ("kraken", "POST", "TradesHistory", 2),
        ("kucoin", "GET", "user/api-key", 20),
        ("kucoin", "GET", "hf/orders/client-order/{clientOid}", 2),
        ("gate", "POST", "spot/orders", 1),
        ("mexc", "GET", "account", 10),
        ("bingx", "POST", "trade/cancelAllAfter", 5),
    ],
)
def test_a_request_is_weighed_by_the_end_of_its_path_before_it_is_signed(
    name, method, ending, weight
):
    assert pack_of(name).weight_of(method, ending) == weight
