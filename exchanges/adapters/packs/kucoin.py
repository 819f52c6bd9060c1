"""KuCoin spot, the orders of every account ("high frequency"). https://www.kucoin.com/docs-new/introduction"""

import re
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import SIMPLE_ORDERS, Call, Codes, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from market.timeframes import DAY_MS

_FINE: Final = frozenset({"200000"})
_ABSENT: Final = "order_not_exist"


class KucoinDialect(Dialect):
    """An order that is not there is told in words, below a code that means many things."""

    def word_of(self, document: Document) -> Word | None:
        """Return the no in ``code``; of an unknown order, by its own name."""
        word = word_in(document, code="code", message="msg", fine=_FINE)
        if word is not None and word.message.replace(" ", "_").startswith(_ABSENT):
            return Word(_ABSENT, word.message)
        return word

    async def balances(self, exchange: Any) -> Document:
        """Return what the trading account holds."""
        balance: Document = await exchange.fetch_balance({"hf": False})
        return balance

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the key's own description says."""
        rights = (await exchange.private_get_user_api_key())["data"]["permission"].lower()
        return KeyPermissions(
            can_read="general" in rights,
            can_trade="spot" in rights,
            can_withdraw="withdraw" in rights,
        )

    async def arm_dead_man(self, exchange: Any, *, timeout_s: int) -> None:
        """Arm the switch for 5 seconds to a day; the venue's word for disarming is -1."""
        await exchange.private_post_hf_orders_dead_cancel_all({"timeout": timeout_s or -1})


KUCOIN: Final = VenuePack(
    ccxt_id="kucoin",
    open_orders_page=50,
    name="KuCoin",
    dialect=KucoinDialect(),
    address="https://api.kucoin.com",
    paths=MappingProxyType({"public": "", "private": ""}),
    calls=(
        Call("GET", "/api/v1/timestamp", 3),
        Call("GET", "/api/v2/symbols", 4),
        Call("GET", "/api/v1/market/stats", 15),
        Call("GET", "/api/v1/market/allTickers", 15),
        Call("GET", "/api/v1/market/candles", 3),
        Call("GET", "/api/v1/accounts", 5),
        Call("GET", "/api/v1/user/api-key", 20),
        Call("POST", "/api/v1/hf/orders"),
        Call("GET", "/api/v1/hf/orders/active", 2),
        Call("GET", "/api/v1/hf/orders/client-order/{}", 2),
        Call("DELETE", "/api/v1/hf/orders/client-order/{}"),
        Call("GET", "/api/v1/hf/fills", 2),
        Call("POST", "/api/v1/hf/orders/dead-cancel-all", 2),
    ),
    envelope="data",
    # 4000 in thirty seconds for the lowest tier's trading; an address has 2000 for public questions.
    weight_per_minute=4_000,
    key_weight_per_minute=8_000,
    needs_passphrase=True,
    has_dead_man=True,
    order_id=re.compile(r"[0-9a-f]{20,32}"),
    order_types=SIMPLE_ORDERS,
    # https://www.kucoin.com/docs-new/rest/spot-trading/orders/get-stop-order-by-clientoid
    no_stops_because="nothing that it documents ties a stop that was touched to the order that it has sent",
    options=MappingProxyType(
        {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"], "fetchTickersFees": False},
            "hf": True,
            "uta": False,
            "adjustForTimeDifference": False,
        }
    ),
    echoes=frozenset({"client_order_id"}),
    cancel_reports=False,
    codes=Codes(  # https://www.kucoin.com/docs-new/error-code
        refused=frozenset(
            {
                *("200004", "200001", "200002", "200003", "200005", "200006", "200007", "200008"),
                *("200009", "200011", "400100", "400200", "400303", "400350", "400370", "400400"),
                *("400500", "400600", "400700", "600100", "600101", "600203", "900001", "400007"),
                *("429000", "230003", "260100", "300000"),
            }
        ),
        unknown=frozenset({"500000"}),
        absent=frozenset({_ABSENT}),
        closed=frozenset({_ABSENT, "400100"}),
        key=frozenset({"400001", "400003", "400004", "400005", "400006"}),
        clock=frozenset({"400002"}),
        overload=frozenset({"429000", "200002"}),
        names=MappingProxyType(
            {
                "200004": "insufficient_balance",
                "Balance insufficient": "insufficient_balance",
                "900001": "unknown_symbol",
                "400600": "unknown_symbol",
                "600100": "order_too_small",
                "600101": "order_too_small",
                "increment invalid": "off_step",
                "minimum": "order_too_small",
                "400007": "permission_denied",
            }
        ),
    ),
    trade_window_ms=7 * DAY_MS,
    trade_page=100,
)
