"""OKX spot. https://www.okx.com/docs-v5/en/"""

import re
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import SIMPLE_ORDERS, Call, Codes, Sandbox, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from market.timeframes import DAY_MS

_FINE: Final = frozenset({"0"})


class OkxDialect(Dialect):
    """Answers hold a list; what went wrong with an order is said of its entry there."""

    client_id = re.compile(r"[0-9a-zA-Z]{1,32}")

    def word_of(self, document: Document) -> Word | None:
        """Return the no of the order if there is one, else the one of the request."""
        entries = document.get("data")
        if isinstance(entries, list) and entries and isinstance(entries[0], dict):
            word = word_in(entries[0], code="sCode", message="sMsg", fine=_FINE)
            if word is not None:
                return word
        return word_in(document, code="code", message="msg", fine=_FINE)

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the account's configuration says of the key that asks."""
        [account] = (await exchange.private_get_account_config())["data"]
        rights = account["perm"].split(",")
        return KeyPermissions(
            can_read="read_only" in rights,
            can_trade="trade" in rights,
            can_withdraw="withdraw" in rights,
        )

    async def arm_dead_man(self, exchange: Any, *, timeout_s: int) -> None:
        """Arm the switch for 10 to 120 seconds; 0 disarms."""
        await exchange.private_post_trade_cancel_all_after({"timeOut": str(timeout_s)})


OKX: Final = VenuePack(
    ccxt_id="okx",
    name="OKX",
    dialect=OkxDialect(),
    address="https://www.okx.com",
    paths=MappingProxyType({"rest": ""}),
    calls=(
        Call("GET", "/api/v5/public/time"),
        Call("GET", "/api/v5/public/instruments"),
        Call("GET", "/api/v5/market/ticker"),
        Call("GET", "/api/v5/market/tickers"),
        Call("GET", "/api/v5/market/candles"),
        Call("GET", "/api/v5/market/history-candles"),
        Call("GET", "/api/v5/account/balance", 2),
        Call("GET", "/api/v5/account/config", 4),
        Call("POST", "/api/v5/trade/order"),
        Call("POST", "/api/v5/trade/cancel-order"),
        Call("GET", "/api/v5/trade/order"),
        Call("GET", "/api/v5/trade/orders-pending"),
        Call("GET", "/api/v5/trade/fills-history", 2),
        Call("POST", "/api/v5/trade/cancel-all-after", 10),
    ),
    envelope="data",
    # Twenty requests in two seconds, for each kind of most requests.
    weight_per_minute=600,
    sandbox=Sandbox("https://www.okx.com", MappingProxyType({"x-simulated-trading": "1"})),
    needs_passphrase=True,
    has_dead_man=True,
    order_id=re.compile(r"[0-9]{6,25}"),
    order_types=SIMPLE_ORDERS,
    options=MappingProxyType(
        {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "createOrder": "privatePostTradeOrder",
            "tgtCcy": "base_ccy",
            "adjustForTimeDifference": False,
        }
    ),
    echoes=frozenset({"client_order_id"}),
    cancel_reports=False,
    codes=Codes(  # https://www.okx.com/docs-v5/en/#error-code
        refused=frozenset(str(code) for code in range(51000, 51180))
        | {*("50011", "50014", "50015", "50024", "50061", "50120")},
        unknown=frozenset({"50001", "50004", "50013", "50026", "51054", "51149"}),
        absent=frozenset({"51603"}),
        closed=frozenset({"51400", "51401", "51402", "51405", "51410", "51603"}),
        key=frozenset({"50105", "50110", "50111", "50113", "50114", "50119"}),
        clock=frozenset({"50102", "50112"}),
        overload=frozenset({"50011", "50061"}),
        duplicate=frozenset({"51016"}),
        names=MappingProxyType(
            {
                "51008": "insufficient_balance",
                "51001": "unknown_symbol",
                "51020": "order_too_small",
                "51120": "order_too_small",
                "51121": "off_lot_step",
                "51137": "price_out_of_range",
                "51138": "price_out_of_range",
                "50120": "permission_denied",
            }
        ),
    ),
    trade_window_ms=30 * DAY_MS,
    trade_page=100,
)
