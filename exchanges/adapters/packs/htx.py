"""HTX spot. https://www.htx.com/en-us/opend/newApiPages/"""

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import SIMPLE_ORDERS, Call, Codes, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from exchanges.adapters.reading import UnreadableError

_FINE: Final = frozenset({"200"})
#: What a cancellation answers with "ok" although nothing was canceled: long closed, unknown, ended.
_NOT_CANCELED: Final = frozenset({"-1", "0", "5", "6", "7"})


class HtxDialect(Dialect):
    """An account has a number that orders must name; two generations of the interface say no in two ways."""

    def word_of(self, document: Document) -> Word | None:
        """Return the no of either generation, or the one that hides in a cancellation's answer."""
        if document.get("status") == "error":
            return word_in(document, code="err-code", message="err-msg")
        if str(document.get("data")) in _NOT_CANCELED:
            return Word(f"cancel {document['data']}", "The order is not open.")
        return word_in(document, code="code", message="message", fine=_FINE)

    async def get_ready(self, exchange: Any) -> None:
        """Learn the account's number."""
        await exchange.load_accounts()

    async def cancel(
        self, exchange: Any, symbol: str, *, client_id: str, venue_order_id: str
    ) -> Document:
        """Cancel by our id under the venue's own name for it."""
        by_id = {"client-order-id": client_id} if client_id else {}
        answer: Document = await exchange.cancel_order(venue_order_id, symbol, by_id)
        return answer

    async def find(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Ask by our id."""
        order = await super().find(exchange, symbol, client_id)
        return None if order is None else _with_quantity(order)

    async def open_orders(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return what still works."""
        return [_with_quantity(order) for order in await super().open_orders(exchange, symbol)]

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the description of the key that asks says."""
        uid = (await exchange.v2private_get_user_uid())["data"]
        keys = (await exchange.v2private_get_user_api_key({"uid": uid}))["data"]
        mine = [key for key in keys if key["accessKey"] == exchange.apiKey]
        if not mine:
            raise UnreadableError("the key is not among the account's keys")
        rights = mine[0]["permission"].split(",")
        return KeyPermissions(
            can_read="readOnly" in rights,
            can_trade="trade" in rights,
            can_withdraw="withdraw" in rights,
        )

    async def arm_dead_man(self, exchange: Any, *, timeout_s: int) -> None:
        """Arm the switch for five seconds and more; 0 disarms."""
        await exchange.v2private_post_algo_orders_cancel_all_after({"timeout": timeout_s})


def _with_quantity(order: Document) -> Document:
    """Return an order with its quantity, which the library leaves out of market orders to sell."""
    info = order["info"]
    if order["amount"] is not None or not str(info.get("type")).startswith("sell"):
        return order
    return {**order, "amount": str(info["amount"])}


HTX: Final = VenuePack(
    ccxt_id="htx",
    name="HTX",
    dialect=HtxDialect(),
    address="https://api.huobi.pro",
    paths=MappingProxyType({"spot": "", "v2Private": ""}),
    calls=(
        Call("GET", "/v1/common/timestamp"),
        Call("GET", "/v1/common/symbols"),
        Call("GET", "/market/detail/merged", envelope="tick"),
        Call("GET", "/market/tickers"),
        Call("GET", "/market/history/kline"),
        Call("GET", "/market/history/candles"),
        Call("GET", "/v1/account/accounts"),
        Call("GET", "/v1/account/accounts/{}/balance"),
        Call("GET", "/v2/user/uid"),
        Call("GET", "/v2/user/api-key"),
        Call("POST", "/v1/order/orders/place"),
        Call("POST", "/v1/order/orders/submitCancelClientOrder"),
        Call("POST", "/v1/order/orders/{}/submitcancel"),
        Call("GET", "/v1/order/orders/getClientOrder", 2),
        Call("GET", "/v1/order/openOrders", 2),
        Call("GET", "/v1/order/matchresults", 5),
        Call("POST", "/v2/algo-orders/cancel-all-after"),
    ),
    envelope="data",
    # A hundred orders in two seconds for a key, half as many questions.
    weight_per_minute=3_000,
    has_dead_man=True,
    order_id=re.compile(r"[0-9]{6,25}"),
    order_types=SIMPLE_ORDERS,
    options=MappingProxyType(
        {
            "defaultType": "spot",
            "fetchMarkets": {"types": {"spot": True, "linear": False, "inverse": False}},
            "adjustForTimeDifference": False,
        }
    ),
    echoes=frozenset(),
    cancel_reports=False,
    buys_by_cost=True,
    codes=Codes(
        refused=frozenset(
            {
                *(
                    "account-frozen-balance-insufficient-error",
                    "account-balance-insufficient-error",
                ),
                *(
                    "invalid-amount",
                    "invalid-parameter",
                    "invalid-symbol",
                    "api-not-support-temp-addr",
                ),
                *("order-limitorder-amount-min-error", "order-marketorder-amount-min-error"),
                *("order-limitorder-amount-max-error", "order-limitorder-price-min-error"),
                *("order-limitorder-price-max-error", "order-orderprice-precision-error"),
                *(
                    "order-orderamount-precision-error",
                    "order-value-min-error",
                    "symbol-not-support",
                ),
                *("order-holding-limit-failed", "order-disabled", "base-symbol-trade-disabled"),
                *("base-operation-forbidden", "operation-forbidden-for-fl-account-state"),
                *("api-request-too-many", "too-many-request", "require-symbol", "login-required"),
            }
        ),
        unknown=frozenset({"gateway-internal-error", "base-system-error", "system-maintenance"}),
        absent=frozenset({"base-record-invalid", "base-not-found"}),
        closed=frozenset(
            {
                *("base-record-invalid", "base-not-found", "order-orderstate-error"),
                *(f"cancel {code}" for code in _NOT_CANCELED),
            }
        ),
        key=frozenset(
            {"api-signature-not-valid", "api-signature-check-failed", "invalid-signature", "1003"}
        ),
        clock=frozenset({"invalid-timestamp"}),
        overload=frozenset({"api-request-too-many", "too-many-request"}),
        duplicate=frozenset({"invalid-client-order-id", "client-order-id-duplicate"}),
        names=MappingProxyType(
            {
                "account-frozen-balance-insufficient-error": "insufficient_balance",
                "account-balance-insufficient-error": "insufficient_balance",
                "order-limitorder-amount-min-error": "order_too_small",
                "order-value-min-error": "order_too_small",
                "order-orderprice-precision-error": "off_tick",
                "order-orderamount-precision-error": "off_lot_step",
                "invalid-symbol": "unknown_symbol",
                "order-holding-limit-failed": "too_many_orders",
            }
        ),
    ),
    # The venue searches two days at most.
    trade_window_ms=2 * 86_400_000 - 1_000,
    trade_page=500,
)
