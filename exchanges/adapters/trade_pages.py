"""Reading an account's executions completely, page by page."""

import time
from typing import TYPE_CHECKING, Any, Final

from exchanges.adapters.reading import UnreadableError

if TYPE_CHECKING:
    from exchanges.adapters.packs.base import VenuePack

#: A window that is full is halved; below this there is nothing to halve.
_SHORTEST_WINDOW_MS: Final = 2

#: Clocks differ: what a venue stamped a little later than now is searched for too.
_AHEAD_MS: Final = 10_000

Trade = dict[str, Any]


async def read_by_id(
    exchange: Any, pack: "VenuePack", symbol: str, *, since_ms: int
) -> list[Trade]:
    """Return every execution from *since_ms* on, oldest first, each once; *exchange* is an instance of ccxt.

    For venues that number the trades of a market. Without a start they answer the newest page, which is nearly always
    all that is asked for. Only if that page is full and still too young is the history walked: window by window up to
    the first execution, then by its id.
    """
    newest = await exchange.fetch_my_trades(symbol, None, pack.trade_page)
    if len(newest) < pack.trade_page or newest[0]["timestamp"] < since_ms:
        return _in_order(newest, since_ms)
    found = await _first_window(exchange, pack, symbol, since_ms)
    page = found
    while len(page) == pack.trade_page or page is found:
        after = {"fromId": str(int(found[-1]["id"]) + 1)} if found else {}
        page = await exchange.fetch_my_trades(symbol, None, pack.trade_page, after)
        found = [*found, *page]
    return _in_order(found, since_ms)


async def read_windows(
    exchange: Any, pack: "VenuePack", symbol: str, *, since_ms: int
) -> list[Trade]:
    """Return every execution from *since_ms* on, oldest first, each once, for venues that search between two instants.

    A page that is full may not be all, whichever end the venue begins with: then both halves of its window are read.
    Raises UnreadableError if a single instant fills a page.
    """
    now_ms = time.time_ns() // 1_000_000 + _AHEAD_MS
    windows = [
        (start, min(start + pack.trade_window_ms, now_ms))
        for start in range(since_ms, now_ms, pack.trade_window_ms)
    ]
    found: list[Trade] = []
    while windows:
        start_ms, end_ms = windows.pop()
        page = await exchange.fetch_my_trades(
            symbol, start_ms, pack.trade_page, {"until": end_ms - 1}
        )
        if len(page) < pack.trade_page:
            found += page
            continue
        if end_ms - start_ms < _SHORTEST_WINDOW_MS:
            raise UnreadableError("more executions at one instant than fit a page")
        middle_ms = (start_ms + end_ms) // 2
        windows += [(start_ms, middle_ms), (middle_ms, end_ms)]
    return _in_order(found, since_ms)


async def _first_window(
    exchange: Any, pack: "VenuePack", symbol: str, since_ms: int
) -> list[Trade]:
    """Return the oldest page since *since_ms* that holds anything."""
    now_ms = time.time_ns() // 1_000_000
    start_ms = since_ms
    while start_ms <= now_ms:
        until = {"until": start_ms + pack.trade_window_ms - 1}
        page: list[Trade] = await exchange.fetch_my_trades(symbol, start_ms, pack.trade_page, until)
        if page:
            return page
        start_ms += pack.trade_window_ms
    return []


def _in_order(trades: list[Trade], since_ms: int) -> list[Trade]:
    by_id = {trade["id"]: trade for trade in trades if trade["timestamp"] >= since_ms}
    return sorted(by_id.values(), key=_instant_and_number)


def _instant_and_number(trade: Trade) -> tuple[int, int, str]:
    """Order by time, then by number; ids that are no numbers as text."""
    text = str(trade["id"])
    return trade["timestamp"], int(text) if text.isdecimal() else 0, text
