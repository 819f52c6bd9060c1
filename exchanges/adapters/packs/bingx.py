"""BingX spot. https://bingx-api.github.io/docs/

A stop is an order like any other and keeps its id; which way it waits, the last price decides.
"""

import re
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import Call, Codes, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document, Sending
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from market.timeframes import DAY_MS

_FINE: Final = frozenset({"0"})
_SPOT, _READ, _WITHDRAW = 1, 2, 5


class BingxDialect(Dialect):
    """Our id is an order's under the venue's own spelling of the parameter."""

    client_id_field = "clientOrderID"

    def word_of(self, document: Document) -> Word | None:
        """Return the no in ``code``; it comes with a status of 200."""
        return word_in(document, code="code", message="msg", fine=_FINE)

    def set_up(self, exchange: Any) -> None:
        """Read the spot markets alone; the library would read the swaps as well."""

        async def fetch_markets(params: Document | None = None) -> Any:
            return await exchange.fetch_spot_markets(params or {})

        exchange.fetch_markets = fetch_markets

    async def create(self, exchange: Any, order: Sending) -> Document:
        """Send an order with its amounts as text; the library would make floats of them."""
        asked = {
            "symbol": exchange.market_id(order.symbol),
            "side": order.side.upper(),
            "type": order.type.upper(),
            "quantity": order.quantity,
            "newClientOrderId": order.client_id,
        }
        if order.trigger_price is not None:
            asked |= {"type": f"TAKE_STOP_{asked['type']}", "stopPrice": order.trigger_price}
        if order.price is not None:
            asked["price"] = order.price
        if order.parameters.get("postOnly"):
            asked["timeInForce"] = "PostOnly"
        answer = await exchange.spot_v1_private_post_trade_order(asked)
        sent: Document = exchange.parse_order(answer["data"], exchange.market(order.symbol))
        return sent

    async def find(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Ask by our id alone; an empty id of the venue's would be sent along."""
        asked = {"symbol": exchange.market_id(symbol), self.client_id_field: client_id}
        answer = await exchange.spot_v1_private_get_trade_query(asked)
        order: Document = exchange.parse_order(answer["data"], exchange.market(symbol))
        return order

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the key's own description says: numbers of rights."""
        answer = await exchange.account_v1_private_get_account_apipermissions()
        rights = {int(right) for right in answer["data"]["permissions"]}
        return KeyPermissions(
            can_read=_READ in rights, can_trade=_SPOT in rights, can_withdraw=_WITHDRAW in rights
        )

    async def arm_dead_man(self, exchange: Any, *, timeout_s: int) -> None:
        """Arm the switch for 10 to 120 seconds."""
        kind = "ACTIVATE" if timeout_s else "CLOSE"
        await exchange.spot_v1_private_post_trade_cancelallafter(
            {"type": kind, "timeOut": timeout_s or 10}
        )


BINGX: Final = VenuePack(
    ccxt_id="bingx",
    name="BingX",
    dialect=BingxDialect(),
    address="https://open-api.bingx.com",
    paths=MappingProxyType({"spot": "/openApi", "swap": "/openApi", "account": "/openApi"}),
    calls=(
        Call("GET", "/openApi/swap/v2/server/time"),
        Call("GET", "/openApi/spot/v1/common/symbols"),
        Call("GET", "/openApi/spot/v1/ticker/24hr"),
        Call("GET", "/openApi/spot/v1/market/kline"),
        Call("GET", "/openApi/spot/v2/market/kline"),
        Call("GET", "/openApi/spot/v1/account/balance", 2),
        Call("GET", "/openApi/v1/account/apiPermissions", 5),
        Call("POST", "/openApi/spot/v1/trade/order"),
        Call("POST", "/openApi/spot/v1/trade/cancel"),
        Call("GET", "/openApi/spot/v1/trade/query"),
        Call("GET", "/openApi/spot/v1/trade/openOrders"),
        Call("GET", "/openApi/spot/v1/trade/myTrades"),
        Call("POST", "/openApi/spot/v1/trade/cancelAllAfter", 5),
    ),
    envelope="data",
    # Public questions 500 in ten seconds; an account may send ten orders a second.
    weight_per_minute=3_000,
    key_weight_per_minute=600,
    has_dead_man=True,
    order_id=re.compile(r"[0-9]{10,25}"),
    stops_by_last_price=True,
    options=MappingProxyType({"defaultType": "spot", "adjustForTimeDifference": False}),
    cancel_reports=False,
    codes=Codes(
        refused=frozenset(
            {
                *("100202", "100204", "100400", "100403", "100004", "100414", "100419", "100437"),
                *("100490", "101204", "101253", "101400", "101402", "100436", "100429"),
            }
        ),
        # Busy is busy, before or after an order was taken.
        unknown=frozenset({"100410", "100500", "100503", "80012"}),
        absent=frozenset({"100404", "80016"}),
        closed=frozenset({"100404", "80016", "80018", "101221"}),
        key=frozenset({"100001", "100412", "100413", "100441"}),
        clock=frozenset({"100421"}),
        overload=frozenset({"100410", "100429"}),
        duplicate=frozenset({"101481", "100444"}),
        names=MappingProxyType(
            {
                "100202": "insufficient_balance",
                "101204": "insufficient_balance",
                "Insufficient": "insufficient_balance",
                "less than": "order_too_small",
                "minimum": "order_too_small",
                "100490": "market_closed",
                "100419": "permission_denied",
                "precision": "off_step",
            }
        ),
    ),
    trade_window_ms=7 * DAY_MS,
    trade_page=500,
)
