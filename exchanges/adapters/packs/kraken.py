"""Kraken spot. https://docs.kraken.com/api-reference/

Our id is found in the lists of open and closed orders; the single question takes only the venue's own.
"""

import re
import time
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import Call, Codes, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document
from exchanges.adapters.packs.words import Word
from exchanges.adapters.protocol import KeyPermissions
from exchanges.adapters.reading import UnreadableError

_OUR_ID: Final = "cl_ord_id"
_ALIASES: Final = "marketsByAltname"
_PAGE: Final = 50
#: https://docs.kraken.com/api/docs/rest-api/get-api-key-info names the permissions. Orders are found in both lists, and
#: to cancel is a permission of its own; staging an address to withdraw to counts as withdrawing.
_READ: Final = frozenset({"query-funds", "query-open-trades", "query-closed-trades"})
_TRADE: Final = frozenset({"modify-trades", "close-trades"})


class KrakenDialect(Dialect):
    """Errors are texts of two words; reading is done by POST; trades are those of all markets together."""

    client_id = re.compile(r"[0-9a-f]{32}")
    client_id_field = _OUR_ID

    def word_of(self, document: Document) -> Word | None:
        """Return the first error; its code is the text up to the second colon."""
        errors = document.get("error")
        if not isinstance(errors, list):
            return None
        told = [text for text in errors if isinstance(text, str) and text.startswith("E")]
        return Word(":".join(told[0].split(":")[:2]), told[0]) if told else None

    def id_from_venue(self, text: str) -> str:
        """Return our id, which may come back with the hyphens of a UUID."""
        return text.replace("-", "")

    def set_up(self, exchange: Any) -> None:
        """Count requests in microseconds: many may be sent in a millisecond, and each number must be larger."""
        exchange.incrementing_nonce = lambda: time.time_ns() // 1_000

    def inherit(self, exchange: Any, keeper: Any) -> None:
        """Take over the other names of the markets, which answers about orders use."""
        exchange.options[_ALIASES] = keeper.options[_ALIASES]

    async def find(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Look among the open orders, then among the closed ones."""
        by_id = {_OUR_ID: client_id}
        found = await exchange.fetch_open_orders(symbol, None, None, by_id)
        if not found:
            found = await exchange.fetch_closed_orders(symbol, None, None, by_id)
        return found[0] if found else None

    async def trades(
        self, exchange: Any, pack: VenuePack, symbol: str, *, since_ms: int
    ) -> Sequence[Document]:
        """Return every execution since an instant; pages are counted over all markets."""
        found: dict[str, Any] = {}
        while True:
            asked = {"start": since_ms // 1_000 - 1, "ofs": len(found)}
            result = (await exchange.private_post_tradeshistory(asked))["result"]
            page = result["trades"]
            if not page and len(found) < int(result["count"]):
                raise UnreadableError("a page of trades is missing")
            found |= {id_: {**trade, "id": id_} for id_, trade in page.items()}
            if len(found) >= int(result["count"]) or len(page) < _PAGE:
                break
        trades = exchange.parse_trades(list(found.values()))
        mine = [t for t in trades if t["symbol"] == symbol and t["timestamp"] >= since_ms]
        return sorted(mine, key=lambda trade: (trade["timestamp"], trade["id"]))

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the key's own description says."""
        rights = frozenset((await exchange.private_post_getapikeyinfo())["result"]["permissions"])
        return KeyPermissions(
            can_read=rights >= _READ,
            can_trade=rights >= _TRADE,
            can_withdraw=any("withdraw" in right for right in rights),
        )

    async def arm_dead_man(self, exchange: Any, *, timeout_s: int) -> None:
        """Arm the switch; 0 disarms."""
        await exchange.private_post_cancelallordersafter({"timeout": timeout_s})


KRAKEN: Final = VenuePack(
    ccxt_id="kraken",
    finds_by_client_id=False,
    name="Kraken",
    dialect=KrakenDialect(),
    address="https://api.kraken.com",
    paths=MappingProxyType({"public": "", "private": ""}),
    calls=(
        Call("GET", "/0/public/Time", 10),
        Call("GET", "/0/public/AssetPairs", 10),
        Call("GET", "/0/public/Ticker", 10),
        Call("GET", "/0/public/OHLC", 10),
        Call("POST", "/0/private/BalanceEx"),
        Call("POST", "/0/private/GetApiKeyInfo"),
        Call("POST", "/0/private/AddOrder"),
        Call("POST", "/0/private/CancelOrder"),
        Call("POST", "/0/private/OpenOrders"),
        Call("POST", "/0/private/ClosedOrders", 2),
        Call("POST", "/0/private/TradesHistory", 2),
        Call("POST", "/0/private/CancelAllOrdersAfter"),
    ),
    envelope="result",
    # An address may ask one public question a second; what a key may do recovers by 20 a minute at the least.
    weight_per_minute=600,
    key_weight_per_minute=20,
    has_dead_man=True,
    order_id=re.compile(r"[A-Z0-9]{6}-[A-Z0-9]{5}-[A-Z0-9]{6}"),
    options=MappingProxyType({"adjustForTimeDifference": False}),
    echoes=frozenset({"side", "quantity"}),
    cancel_reports=False,
    codes=Codes(  # https://docs.kraken.com/exchange/guides/general/errors
        refused=frozenset(
            {
                *("EOrder:Insufficient funds", "EOrder:Order minimum not met"),
                *("EOrder:Cost minimum not met", "EOrder:Tick size check failed"),
                *("EOrder:Invalid price", "EOrder:Rate limit exceeded"),
                *("EOrder:Orders limit exceeded", "EOrder:Domain rate limit exceeded"),
                *("EOrder:Trading agreement required", "EOrder:Invalid order"),
                "EOrder:Post only order",
                *("EGeneral:Permission denied", "EGeneral:Invalid arguments"),
                *("EGeneral:Temporary lockout", "EAPI:Rate limit exceeded"),
                *("EQuery:Unknown asset pair", "EService:Market in cancel_only mode"),
                *("EService:Market in post_only mode", "EAPI:Feature disabled"),
                # Numbers of requests that overtook one another; nothing was done.
                "EAPI:Invalid nonce",
            }
        ),
        unknown=frozenset(
            {"EService:Unavailable", "EService:Busy", "EService:Timeout", "EGeneral:Internal error"}
        ),
        absent=frozenset({"EOrder:Unknown order"}),
        closed=frozenset({"EOrder:Unknown order"}),
        key=frozenset({"EAPI:Invalid key", "EAPI:Invalid signature"}),
        overload=frozenset(
            {
                *("EAPI:Rate limit exceeded", "EOrder:Rate limit exceeded"),
                *("EOrder:Domain rate limit exceeded", "EGeneral:Temporary lockout"),
            }
        ),
        names=MappingProxyType(
            {
                "EOrder:Insufficient funds": "insufficient_balance",
                "EOrder:Order minimum not met": "order_too_small",
                "EOrder:Cost minimum not met": "order_too_small",
                "EOrder:Tick size check failed": "off_tick",
                "EOrder:Orders limit exceeded": "too_many_orders",
                "EOrder:Post only order": "post_only_would_cross",
                "volume minimum": "order_too_small",
                "Invalid arguments:volume": "off_lot_step",
                "EAPI:Invalid nonce": "request_out_of_order",
                "EGeneral:Permission denied": "permission_denied",
                "EQuery:Unknown asset pair": "unknown_symbol",
            }
        ),
    ),
    trade_page=_PAGE,
)
