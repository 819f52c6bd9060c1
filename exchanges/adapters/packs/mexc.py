"""MEXC spot. https://www.mexc.com/api-docs/spot-v3/introduction

What a key may do cannot be asked: the flags of the account are not those of the key.
"""

import re
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import SIMPLE_ORDERS, Call, Codes, Shape, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document, Sending
from exchanges.adapters.packs.words import Word, word_in
from market.timeframes import DAY_MS

_FINE: Final = frozenset({"0", "200"})


class MexcDialect(Dialect):
    """Close to Binance in form, with codes of its own."""

    def word_of(self, document: Document) -> Word | None:
        """Return the no in ``code``."""
        return word_in(document, code="code", message="msg", fine=_FINE)

    def set_up(self, exchange: Any) -> None:
        """Read the spot markets alone; the library would read the swaps as well."""
        exchange.fetch_markets = exchange.fetch_spot_markets

    async def create(self, exchange: Any, order: Sending) -> Document:
        """Send an order; what is returned is what the venue said, where the library would add what was asked."""
        answer = await super().create(exchange, order)
        said: Document = exchange.parse_order(answer["info"], exchange.market(order.symbol))
        return said


MEXC: Final = VenuePack(
    ccxt_id="mexc",
    name="MEXC",
    dialect=MexcDialect(),
    address="https://api.mexc.com",
    paths=MappingProxyType({"spot": {"public": "", "private": ""}}),
    calls=(
        Call("GET", "/api/v3/time"),
        Call("GET", "/api/v3/exchangeInfo", 10),
        Call("GET", "/api/v3/ticker/24hr", 1, Shape.EITHER),
        Call("GET", "/api/v3/klines", 1, Shape.LIST),
        Call("GET", "/api/v3/account", 10),
        Call("GET", "/api/v3/order", 2),
        Call("POST", "/api/v3/order"),
        Call("DELETE", "/api/v3/order"),
        Call("GET", "/api/v3/openOrders", 3, Shape.LIST),
        Call("GET", "/api/v3/myTrades", 10, Shape.LIST),
    ),
    # 500 in ten seconds for an endpoint.
    weight_per_minute=3_000,
    order_id=re.compile(r"C[0-9]{2}__[0-9A-Za-z]{10,40}|[0-9a-f]{20,40}|[0-9]{10,25}"),
    order_types=SIMPLE_ORDERS,
    # https://www.mexc.com/api-docs/spot-v3/public-definitions names the types of orders.
    no_stops_because="its interface for the spot market has no stops",
    options=MappingProxyType({"defaultType": "spot", "adjustForTimeDifference": False}),
    echoes=frozenset({"side", "quantity"}),
    cancel_reports=False,
    codes=Codes(  # https://www.mexc.com/api-docs/spot-v3/general-info
        refused=frozenset(
            {
                *(
                    "429",
                    "510",
                    "400",
                    "10007",
                    "10101",
                    "30000",
                    "30001",
                    "30002",
                    "30003",
                    "30004",
                ),
                *("30005", "30010", "30014", "30016", "30018", "30019", "30020", "30021", "30025"),
                *("30026", "30027", "30028", "30029", "30032", "30041", "60005", "700004"),
                *("700005", "700007", "700008", "88013", "10096", "-1121", "-1128"),
            }
        ),
        unknown=frozenset({"500", "503", "504", "22222", "730000"}),
        absent=frozenset({"-2013"}),
        closed=frozenset({"-2011", "-2013"}),
        key=frozenset({"10072", "700001", "700002", "700006", "10071", "730705"}),
        clock=frozenset({"700003", "10073"}),
        overload=frozenset({"429", "510"}),
        names=MappingProxyType(
            {
                "30004": "insufficient_balance",
                "30005": "insufficient_balance",
                "10101": "insufficient_balance",
                "30002": "order_too_small",
                "88013": "order_too_small",
                "10096": "off_step",
                "30014": "unknown_symbol",
                "10007": "unknown_symbol",
                "-1121": "unknown_symbol",
                "30016": "market_closed",
                "700007": "permission_denied",
            }
        ),
    ),
    trade_window_ms=7 * DAY_MS,
    trade_page=100,
)
