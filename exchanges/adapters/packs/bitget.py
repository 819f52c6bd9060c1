"""Bitget spot, classic accounts. https://www.bitget.com/api-doc/spot/intro"""

import re
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import SIMPLE_ORDERS, Call, Codes, Sandbox, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from market.timeframes import DAY_MS

_FINE: Final = frozenset({"00000"})
#: Rights that end in "w" may change something: "stow" is to trade on the spot market.
_TRADE: Final = frozenset({"stow", "trade"})
_READ: Final = frozenset({"stor", "readonly", *_TRADE})
#: Every right of which it is known that it lets nothing out of the account.
_HARMLESS: Final = frozenset(
    {
        *_READ,
        *("coor", "coow", "cpor", "cpow", "smor", "smow", "mar", "taxr", "p2pr", "ctor", "ctow"),
        *("wwor", "wtor", "ttor", "ttow", "rmor", "sor", "chor", "cor", "copr", "copw"),
    }
)


class BitgetDialect(Dialect):
    """A key's rights are told as short codes; what an unknown one allows is not guessed."""

    def word_of(self, document: Document) -> Word | None:
        """Return the no in ``code``."""
        return word_in(document, code="code", message="msg", fine=_FINE)

    async def find(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Ask by our id; the answer about an order that is not there is an empty list."""
        answer = await exchange.private_spot_get_v2_spot_trade_orderinfo({"clientOid": client_id})
        found = answer["data"]
        return exchange.parse_order(found[0], exchange.market(symbol)) if found else None

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


BITGET: Final = VenuePack(
    ccxt_id="bitget",
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
    ),
    envelope="data",
    # Twenty questions a second, ten orders.
    weight_per_minute=1_200,
    sandbox=Sandbox("https://api.bitget.com", MappingProxyType({"paptrading": "1"})),
    needs_passphrase=True,
    order_id=re.compile(r"[0-9]{10,25}"),
    order_types=SIMPLE_ORDERS,
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
                *("429", "30007", "40010", "40014", "40017", "40019", "40020", "40034", "40035"),
                *("40762", "40808", "40912", "43005", "43006", "43007", "43008", "43009", "43010"),
                *("43011", "43012", "43117", "45110", "45111", "45112", "45113", "45115", "47001"),
            }
        ),
        unknown=frozenset({"40015", "40725", "45001", "50001", "00001"}),
        absent=frozenset({"43001", "40109"}),
        closed=frozenset({"43001", "43002", "40109", "25204", "25207"}),
        key=frozenset({"40002", "40003", "40006", "40009", "40011", "40012", "40018", "40037"}),
        clock=frozenset({"40004", "40005", "40008"}),
        overload=frozenset({"429", "30007", "40010"}),
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
