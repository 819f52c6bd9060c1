"""Reading an account's executions completely, page by page."""

import time
from typing import Any

from exchanges.adapters.packs import VenuePack

Trade = dict[str, Any]


async def read_all_trades(
    exchange: Any, pack: VenuePack, symbol: str, *, since_ms: int
) -> list[Trade]:
    """Return every execution from *since_ms* on, oldest first, each once; *exchange* is an instance of ccxt.

    Without a start the venue answers the newest page, which is nearly always all that is asked for. Only if that page
    is full and still too young is the history walked: window by window up to the first execution, then by its id.
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


async def _first_window(exchange: Any, pack: VenuePack, symbol: str, since_ms: int) -> list[Trade]:
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
    return sorted(by_id.values(), key=lambda trade: (trade["timestamp"], int(trade["id"])))
