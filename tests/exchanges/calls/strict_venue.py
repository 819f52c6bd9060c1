"""An exchange that does nothing but count: it refuses what goes beyond its limit in any span, however that begins.

Run as ``python -m tests.exchanges.calls.strict_venue LIMIT SPAN_S``; prints the port. It speaks as much of the Binance
protocol as sending orders takes, weighs calls as Binance does, and tells at ``/stats`` what it has seen.
"""

import asyncio
import json
import sys
import time
from collections import deque
from itertools import count
from urllib.parse import parse_qsl, urlsplit

WEIGHTS = {"/api/v3/exchangeInfo": 20, "/api/v3/account": 20}
_SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quotePrecision": 8,
    "isSpotTradingAllowed": True,
    "permissions": ["SPOT"],
    "orderTypes": ["LIMIT", "MARKET"],
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01",
            "maxPrice": "1000000",
            "tickSize": "0.01",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True},
    ],
}


class Counter:
    """What was spent, to the millisecond."""

    def __init__(self, limit: int, span_s: int) -> None:
        self.limit, self.span_s = limit, span_s
        self._spent: deque[tuple[float, int]] = deque()
        self.used = self.most = self.refused = self.orders = 0
        self._ids = count(1)

    def spend(self, weight: int) -> bool:
        now_s = time.monotonic()
        while self._spent and self._spent[0][0] <= now_s - self.span_s:
            self.used -= self._spent.popleft()[1]
        self._spent.append((now_s, weight))
        self.used += weight
        self.most = max(self.most, self.used)
        self.refused += self.used > self.limit
        return self.used <= self.limit

    def answer(self, method: str, path: str, fields: dict[str, str]) -> tuple[int, object]:
        if path == "/stats":
            return 200, {"most": self.most, "refused": self.refused, "orders": self.orders}
        if not self.spend(WEIGHTS.get(path, 1)):
            return 429, {"code": -1003, "msg": "Too much request weight used."}
        if path == "/api/v3/time":
            return 200, {"serverTime": time.time_ns() // 1_000_000}
        if path == "/api/v3/exchangeInfo":
            limit = {"interval": "SECOND", "intervalNum": self.span_s, "limit": self.limit}
            limits = [{"rateLimitType": "REQUEST_WEIGHT", **limit}]
            return 200, {"timezone": "UTC", "rateLimits": limits, "symbols": [_SYMBOL]}
        self.orders += method == "POST"
        return 200, {
            "symbol": fields["symbol"],
            "orderId": next(self._ids),
            "clientOrderId": fields.get("newClientOrderId", ""),
            "transactTime": time.time_ns() // 1_000_000,
            "price": fields.get("price", "0"),
            "origQty": fields["quantity"],
            "executedQty": "0",
            "cummulativeQuoteQty": "0",
            "status": "NEW",
            "timeInForce": "GTC",
            "type": fields["type"],
            "side": fields["side"],
            "fills": [],
        }


class Conversation(asyncio.Protocol):
    """Answers requests one after another, with as little work as possible."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, _, rest = self._unread.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            size = next(
                (int(x.partition(":")[2]) for x in lines if x.lower().startswith("content-length")),
                0,
            )
            if len(rest) < size:
                return
            self._unread = rest[size:]
            method, target, _ = lines[0].split(" ")
            url = urlsplit(target)
            fields = dict(parse_qsl(url.query) + parse_qsl(rest[:size].decode()))
            self._reply(*self._counter.answer(method, url.path, fields))

    def _reply(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\n"
            f"Retry-After: {self._counter.span_s}\r\n"
            f"X-MBX-USED-WEIGHT-1M: {self._counter.used}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


async def serve(limit: int, span_s: int) -> None:
    """Answer until the process is ended."""
    counter = Counter(limit, span_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(counter), "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
