"""Bitget spot, classic accounts. https://www.bitget.com/api-doc/spot/intro

Stops are "trigger orders" (plans) there, found by our id in lists alone. Which way one waits, the last price decides.
"""

import re
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import MARKET_STOPS, Call, Codes, Sandbox, VenuePack
from exchanges.adapters.packs.dialect import Document, Sending
from exchanges.adapters.packs.stops import StopDialect
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from exchanges.adapters.reading import UnreadableError
from market.timeframes import DAY_MS

_FINE: Final = frozenset({"00000"})
#: https://www.bitget.com/api-doc/spot/account/Get-Account-Info tells rights as codes without a list of their meanings
#: that could be confirmed elsewhere. Those that end in "w" may change something: "stow" is to trade on the spot market.
_TRADE: Final = frozenset({"stow", "trade"})
_READ: Final = frozenset({"stor", "readonly", *_TRADE})
#: Rights that let nothing out of the account: to read, and to trade. With any other the person has to declare it.
_HARMLESS: Final = frozenset(
    {
        *_READ,
        *("coor", "coow", "cpor", "cpow", "smor", "smow", "taxr", "p2pr", "ctor"),
        *("wwor", "wtor", "ttor", "rmor", "sor", "chor", "cor", "copr"),
    }
)


_STOP_PAGE: Final = 100
#: More stops than this in a list are not searched through.
_MOST_PAGES: Final = 50
#: How far back the venue tells of stops that ended.
_HISTORY_MS: Final = 90 * DAY_MS - 60_000
_TOUCHED: Final = "executed"


class BitgetDialect(StopDialect):
    """A key's rights are told as short codes; what an unknown one allows is not guessed."""

    def word_of(self, document: Document) -> Word | None:
        """Return the no in ``code``."""
        return word_in(document, code="code", message="msg", fine=_FINE)

    async def find_plain(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Ask by our id."""
        return await _find(exchange, symbol, {"clientOid": client_id})

    async def fetch_sent(self, exchange: Any, symbol: str, order_id: str) -> Document | None:
        """Return the order that a stop has sent."""
        return await _find(exchange, symbol, {"orderId": order_id})

    async def create_stop(self, exchange: Any, order: Sending) -> Document:
        """Send a stop that the last price touches."""
        parameters = {
            "clientOrderId": order.client_id,
            "triggerPrice": order.trigger_price,
            "triggerPriceType": "fill_price",
        }
        answer: Document = await exchange.create_order(
            order.symbol, order.type, order.side, order.quantity, order.price, parameters
        )
        return answer

    async def cancel_stop(
        self, exchange: Any, symbol: str, *, client_id: str, stop_id: str
    ) -> Document:
        """Cancel a stop, by our id if there is one."""
        by_id = {"clientOid": client_id} if client_id else {}
        answer: Document = await exchange.cancel_order(stop_id, symbol, {**by_id, "trigger": True})
        return answer

    async def find_stop(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Look among the stops that wait, then among those that have ended."""
        for rows in (await _waiting(exchange, symbol), await _ended(exchange, symbol)):
            found = [row for row in rows if row["clientOid"] == client_id]
            if found:
                stop: Document = exchange.parse_order(found[0], exchange.market(symbol))
                return stop
        return None

    async def open_stops(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return the stops that still wait."""
        market = exchange.market(symbol)
        return [exchange.parse_order(row, market) for row in await _waiting(exchange, symbol)]

    async def sent_by(self, exchange: Any, stop: Document) -> str:
        """Return the id of the order that a stop has sent."""
        return await _sent_by(exchange, stop["info"])

    async def sent_lately(self, exchange: Any, symbol: str, *, since_ms: int) -> Mapping[str, str]:
        """Return what the stops have sent that were touched since an instant."""
        rows = await _ended(exchange, symbol)
        touched = [row for row in rows if int(row["uTime"]) >= since_ms]
        return {await _sent_by(exchange, row): str(row["orderId"]) for row in touched}

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the account's description says of the key that asks."""
        account = (await exchange.private_spot_get_v2_spot_account_info())["data"]
        rights = frozenset(str(right).lower() for right in account["authorities"])
        lets_out = any("withdraw" in right or right == "wwow" for right in rights)
        return KeyPermissions(
            can_read=bool(rights & _READ),
            can_trade=bool(rights & _TRADE),
            can_withdraw=True if lets_out else (None if rights - _HARMLESS else False),
        )


async def _find(exchange: Any, symbol: str, by_id: Mapping[str, str]) -> Document | None:
    """Return an order; the answer about one that is not there is an empty list."""
    answer = await exchange.private_spot_get_v2_spot_trade_orderinfo(by_id)
    found = answer["data"]
    return exchange.parse_order(found[0], exchange.market(symbol)) if found else None


async def _waiting(exchange: Any, symbol: str) -> Sequence[Document]:
    ask = exchange.private_spot_get_v2_spot_trade_current_plan_order
    return await _pages(ask, {"symbol": exchange.market_id(symbol)})


async def _ended(exchange: Any, symbol: str) -> Sequence[Document]:
    now_ms = time.time_ns() // 1_000_000
    ask = exchange.private_spot_get_v2_spot_trade_history_plan_order
    span = {"startTime": now_ms - _HISTORY_MS, "endTime": now_ms}
    return await _pages(ask, {"symbol": exchange.market_id(symbol), **span})


async def _pages(ask: Any, asked: Mapping[str, Any]) -> Sequence[Document]:
    """Return a list of stops to its end."""
    rows: list[Document] = []
    before: Mapping[str, str] = {}
    for _ in range(_MOST_PAGES):
        page = (await ask({**asked, "limit": _STOP_PAGE, **before}))["data"]
        rows += page["orderList"]
        if str(page["nextFlag"]).lower() != "true":
            return rows
        before = {"idLessThan": str(page["idLessThan"])}
    raise UnreadableError("more stops than can be searched through")


async def _sent_by(exchange: Any, stop: Mapping[str, Any]) -> str:
    """Return the id of the order that a stop has sent; a call that the library has no name for."""
    if stop["status"] != _TOUCHED:
        return ""
    asked = {"planOrderId": stop["orderId"]}
    answer = await exchange.request(
        "v2/spot/trade/plan-sub-order", ["private", "spot"], "GET", asked
    )
    sent = [str(row["orderId"]) for row in answer["data"]]
    if len(sent) > 1:
        raise UnreadableError("a stop has sent several orders")
    return sent[0] if sent else ""


BITGET: Final = VenuePack(
    ccxt_id="bitget",
    open_orders_page=100,
    name="Bitget",
    dialect=BitgetDialect(),
    address="https://api.bitget.com",
    paths=MappingProxyType({"spot": "", "common": "", "margin": ""}),
    calls=(
        Call("GET", "/api/v2/public/time"),
        Call("GET", "/api/v2/spot/public/symbols"),
        Call("GET", "/api/v2/margin/currencies"),
        Call("GET", "/api/v2/spot/market/tickers"),
        Call("GET", "/api/v2/spot/market/candles"),
        Call("GET", "/api/v2/spot/market/history-candles"),
        Call("GET", "/api/v2/spot/account/assets", 2),
        Call("GET", "/api/v2/spot/account/info", 20),
        Call("POST", "/api/v2/spot/trade/place-order", 2),
        Call("POST", "/api/v2/spot/trade/cancel-order", 2),
        Call("GET", "/api/v2/spot/trade/orderInfo"),
        Call("GET", "/api/v2/spot/trade/unfilled-orders"),
        Call("GET", "/api/v2/spot/trade/fills", 2),
        Call("POST", "/api/v2/spot/trade/place-plan-order"),
        Call("POST", "/api/v2/spot/trade/cancel-plan-order"),
        Call("GET", "/api/v2/spot/trade/current-plan-order"),
        Call("GET", "/api/v2/spot/trade/history-plan-order"),
        Call("GET", "/api/v2/spot/trade/plan-sub-order"),
    ),
    envelope="data",
    # Twenty questions a second, ten orders.
    weight_per_minute=1_200,
    sandbox=Sandbox("https://api.bitget.com", MappingProxyType({"paptrading": "1"})),
    needs_passphrase=True,
    order_id=re.compile(r"(stop-)?[0-9]{10,25}"),
    order_types=MARKET_STOPS,
    stops_by_last_price=True,
    options=MappingProxyType(
        {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "uta": False,
            "adjustForTimeDifference": False,
        }
    ),
    echoes=frozenset({"client_order_id"}),
    cancel_reports=False,
    buys_by_cost=True,
    codes=Codes(  # https://www.bitget.com/api-doc/common/error-code/restapi
        refused=frozenset(
            {
                *("429", "30007", "40014", "40017", "40019", "40020", "40034", "40035"),
                *("40762", "40808", "40912", "43005", "43006", "43007", "43008", "43009", "43010"),
                *("43011", "43012", "43117", "45110", "45111", "45112", "45113", "45115", "47001"),
            }
        ),
        unknown=frozenset({"40010", "40015", "40725", "45001", "50001", "00001"}),
        absent=frozenset({"43001", "40109"}),
        closed=frozenset({"43001", "43002", "43025", "40109", "25204", "25207"}),
        key=frozenset({"40002", "40003", "40006", "40009", "40011", "40012", "40018", "40037"}),
        clock=frozenset({"40004", "40005", "40008"}),
        overload=frozenset({"429", "30007"}),
        duplicate=frozenset({"43118", "40786", "40757"}),
        names=MappingProxyType(
            {
                "43012": "insufficient_balance",
                "40762": "insufficient_balance",
                "40034": "unknown_symbol",
                "45110": "order_too_small",
                "45111": "order_too_small",
                "43006": "order_too_small",
                "40808": "off_step",
                "40014": "permission_denied",
            }
        ),
    ),
    trade_window_ms=89 * DAY_MS,
    trade_page=100,
)
