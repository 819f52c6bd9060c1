"""Bybit spot, unified trading accounts. https://bybit-exchange.github.io/docs/v5/intro

A stop ("TP/SL order") keeps the id that it was sent with once it was touched, holds what it sells until then, and is
listed among the orders. Which way it waits, the last price decides.

The switch for dead men ("disconnect cancel all") needs a connection of the private stream that is kept open, and works
for derivatives and spot orders of that kind of connection alone; the platform asks by HTTP, so it counts as none.
"""

import re
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import Call, Codes, Sandbox, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document, says_absent
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from market.timeframes import DAY_MS

_FINE: Final = frozenset({"0"})
_OUR_ID: Final = "orderLinkId"
_STOPS: Final = "tpslOrder"


class BybitDialect(Dialect):
    """Orders are found in two lists; the library's single question reaches only some of them."""

    def word_of(self, document: Document) -> Word | None:
        """Return the no in ``retCode``; it comes with a status of 200."""
        return word_in(document, code="retCode", message="retMsg", fine=_FINE)

    async def cancel(
        self, exchange: Any, symbol: str, *, client_id: str, venue_order_id: str
    ) -> Document:
        """Cancel by our id under the venue's own name for it; of which kind the order is has to be said."""
        by_id = {_OUR_ID: client_id} if client_id else {}
        own = None if client_id else venue_order_id
        try:
            answer: Document = await exchange.cancel_order(own, symbol, by_id)
        except Exception as error:
            if not says_absent(error):
                raise
            answer = await exchange.cancel_order(own, symbol, {**by_id, "orderFilter": _STOPS})
        return answer

    async def find(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Look among the open and the latest orders, then in the history."""
        by_id = {_OUR_ID: client_id}
        found = await exchange.fetch_open_orders(symbol, None, None, by_id)
        if not found:
            found = await exchange.fetch_canceled_and_closed_orders(symbol, None, None, by_id)
        return found[0] if found else None

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the key's own description says."""
        key = (await exchange.private_get_v5_user_query_api())["result"]
        rights = key["permissions"]
        return KeyPermissions(
            can_read=True,
            can_trade=int(key["readOnly"]) == 0 and "SpotTrade" in rights["Spot"],
            can_withdraw="Withdraw" in rights["Wallet"],
        )


BYBIT: Final = VenuePack(
    ccxt_id="bybit",
    finds_by_client_id=False,
    open_orders_page=20,
    name="Bybit",
    dialect=BybitDialect(),
    address="https://api.bybit.com",
    paths=MappingProxyType({"public": "", "private": ""}),
    calls=(
        Call("GET", "/v5/market/time"),
        Call("GET", "/v5/market/instruments-info"),
        Call("GET", "/v5/market/tickers"),
        Call("GET", "/v5/market/kline"),
        Call("GET", "/v5/account/wallet-balance"),
        Call("GET", "/v5/user/query-api"),
        Call("POST", "/v5/order/create"),
        Call("POST", "/v5/order/cancel"),
        Call("GET", "/v5/order/realtime"),
        Call("GET", "/v5/order/history"),
        Call("GET", "/v5/execution/list"),
    ),
    envelope="result",
    # 600 requests in five seconds for an address.
    weight_per_minute=7_200,
    sandbox=Sandbox("https://api-testnet.bybit.com"),
    order_id=re.compile(r"[0-9]{10,25}|[0-9a-f-]{36}"),
    stops_by_last_price=True,
    options=MappingProxyType(
        {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            # Otherwise the library asks for the kind of account before the first order.
            "enableUnifiedMargin": False,
            "enableUnifiedAccount": True,
            "unifiedMarginStatus": 6,
            "recvWindow": 5_000,
            "adjustForTimeDifference": False,
        }
    ),
    echoes=frozenset({"client_order_id"}),
    cancel_reports=False,
    codes=Codes(  # https://bybit-exchange.github.io/docs/v5/error
        refused=frozenset(
            {
                *("10001", "10005", "10006", "10008", "10009", "10018", "10024", "10027"),
                *("10028", "10029"),
                *("170005", "170115", "170116", "170117", "170121", "170124", "170131"),
                *("170132", "170133", "170134", "170135", "170136", "170137", "170140"),
                *("170193", "170194", "170203", "170204", "170206", "170210", "170213"),
                "170218",
            }
        ),
        unknown=frozenset({"10000", "10016", "170001", "170007", "170032", "170146", "170147"}),
        absent=frozenset({"170213", "110001"}),
        closed=frozenset({"170139", "170142", "170143", "170213", "110001"}),
        key=frozenset({"10003", "10004", "10007", "10010", "33004"}),
        clock=frozenset({"10002"}),
        overload=frozenset({"10006", "10009", "10018", "170005"}),
        duplicate=frozenset({"170141", "110072"}),
        names=MappingProxyType(
            {
                "170131": "insufficient_balance",
                "170121": "unknown_symbol",
                "170136": "order_too_small",
                "170140": "order_too_small",
                "170134": "off_tick",
                "170137": "off_lot_step",
                "170218": "post_only_would_cross",
                "10005": "permission_denied",
            }
        ),
    ),
    trade_window_ms=7 * DAY_MS,
    trade_page=100,
)
