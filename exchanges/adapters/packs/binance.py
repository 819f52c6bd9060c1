"""Binance spot. https://developers.binance.com/docs/binance-spot-api-docs/rest-api"""

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from exchanges.adapters.packs.base import Call, Codes, Sandbox, Shape, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from exchanges.adapters.trade_pages import read_by_id
from market.timeframes import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Numbers below -1099 to -1199 are wrong requests, which never meet the market.
_WRONG_REQUESTS: Final = frozenset(str(code) for code in range(-1199, -1099))
_FINE: Final = frozenset({"0", "200"})


class BinanceDialect(Dialect):
    """Binance's own words, and its trades, which are paged by their ids."""

    def word_of(self, document: Document) -> Word | None:
        """Return the no in ``code``; changes of settings answer with a code of 200."""
        return word_in(document, code="code", message="msg", fine=_FINE)

    async def trades(
        self, exchange: Any, pack: VenuePack, symbol: str, *, since_ms: int
    ) -> Sequence[Document]:
        """Return every execution since an instant, oldest first."""
        return await read_by_id(exchange, pack, symbol, since_ms=since_ms)

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the key's restrictions say."""
        answer: Mapping[str, Any] = await exchange.sapi_get_account_apirestrictions()
        # https://developers.binance.com/docs/wallet/account/api-key-permission
        ways_out = [
            answer.get(name)
            for name in (
                "enableWithdrawals",
                "enableInternalTransfer",
                "permitsUniversalTransfer",
            )
        ]
        return KeyPermissions(
            can_read=answer["enableReading"] is True,
            can_trade=answer[self.trade_permission] is True,
            can_withdraw=None if ways_out[0] is None else True in ways_out,
        )

    trade_permission = "enableSpotAndMarginTrading"


BINANCE_CODES: Final = Codes(  # https://developers.binance.com/docs/binance-spot-api-docs/errors
    refused=_WRONG_REQUESTS
    | {*("-1003", "-1008", "-1013", "-1014", "-1015", "-1016", "-1020", "-2010")},
    unknown=frozenset({"-1000", "-1001", "-1006", "-1007"}),
    absent=frozenset({"-2013"}),
    closed=frozenset({"-2011"}),
    key=frozenset({"-1002", "-1022", "-2014", "-2015"}),
    clock=frozenset({"-1021"}),
    overload=frozenset({"-1003", "-1008", "-1015"}),
    duplicate_text="Duplicate order sent.",
    names=MappingProxyType(
        {
            "NOTIONAL": "order_too_small",
            "LOT_SIZE": "off_lot_step",
            "PRICE_FILTER": "off_tick",
            "PERCENT_PRICE": "price_out_of_range",
            "MAX_NUM": "too_many_orders",
            "insufficient balance": "insufficient_balance",
            "trigger immediately": "would_trigger_at_once",
            "immediately match": "post_only_would_cross",
        }
    ),
)
BINANCE_OPTIONS: Final = {
    "fetchMargins": False,
    "recvWindow": 5_000,
    # The clock is measured when the markets are read, see the client.
    "adjustForTimeDifference": False,
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}

BINANCE: Final = VenuePack(
    ccxt_id="binance",
    name="Binance",
    dialect=BinanceDialect(),
    address="https://api.binance.com",
    paths=MappingProxyType(
        {"public": "/api/v3", "private": "/api/v3", "v1": "/api/v1", "sapi": "/sapi/v1"}
    ),
    calls=(
        Call("GET", "/api/v3/time"),
        Call("GET", "/api/v3/exchangeInfo", 20),
        Call("GET", "/api/v3/klines", 2, Shape.LIST),
        Call("GET", "/api/v3/ticker/24hr", 2, Shape.EITHER),
        Call("GET", "/api/v3/account", 20),
        Call("GET", "/api/v3/order", 4),
        Call("POST", "/api/v3/order"),
        Call("DELETE", "/api/v3/order"),
        Call("GET", "/api/v3/openOrders", 6, Shape.LIST),
        Call("GET", "/api/v3/myTrades", 20, Shape.LIST),
        Call("GET", "/sapi/v1/account/apiRestrictions"),
    ),
    weight_per_minute=6_000,
    # The practice market knows no restrictions of keys: they stay unverified there.
    sandbox=Sandbox("https://testnet.binance.vision"),
    order_id=re.compile(r"[0-9]{1,20}"),
    options=MappingProxyType(
        {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, **BINANCE_OPTIONS}
    ),
    # Stops are acknowledged with ids alone unless the full answer is asked for.
    submit_parameters=MappingProxyType({"newOrderRespType": "FULL"}),
    codes=BINANCE_CODES,
    trade_window_ms=DAY_MS,
    trade_page=1_000,
)
