"""HTX spot. https://www.htx.com/en-us/opend/newApiPages/

Stops are "conditional orders" there, which have no id but ours; once touched, one is the order that it sent. Which way
one waits, the last price decides.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import MARKET_STOPS, Call, Codes, VenuePack
from exchanges.adapters.packs.dialect import Document, Sending
from exchanges.adapters.packs.stops import StopDialect
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from exchanges.adapters.reading import UnreadableError

_FINE: Final = frozenset({"200"})
#: What a cancellation answers with "ok" although nothing was canceled: long closed, unknown, ended.
_NOT_CANCELED: Final = frozenset({"-1", "0", "5", "6", "7"})


#: What the cancellation of a stop answers in the same way.
_REJECTED: Final = "cancel rejected"
_ENDED: Final = "triggered,canceled,rejected"
_STOP_STATUSES: Final = {
    "created": "open",
    "triggered": "closed",
    "canceled": "canceled",
    "rejected": "rejected",
}
_STOP_PAGE: Final = 500
_MOST_PAGES: Final = 10


class HtxDialect(StopDialect):
    """An account has a number that orders must name; two generations of the interface say no in two ways."""

    def word_of(self, document: Document) -> Word | None:
        """Return the no of either generation, or the one that hides in a cancellation's answer."""
        if document.get("status") == "error":
            return word_in(document, code="err-code", message="err-msg")
        if str(document.get("data")) in _NOT_CANCELED:
            return Word(f"cancel {document['data']}", "The order is not open.")
        data = document.get("data")
        if isinstance(data, dict) and data.get("rejected") and not data.get("accepted"):
            return Word(_REJECTED, "The stop is not open.")
        return word_in(document, code="code", message="message", fine=_FINE)

    async def get_ready(self, exchange: Any) -> None:
        """Learn the account's number."""
        await exchange.load_accounts()

    async def cancel_plain(
        self, exchange: Any, symbol: str, *, client_id: str, venue_order_id: str
    ) -> Document | None:
        """Cancel by our id under the venue's own name for it; the library would drop what the venue says."""
        if not client_id:
            answer: Document = await exchange.cancel_order(venue_order_id, symbol)
            return answer
        answer = await exchange.spot_private_post_v1_order_orders_submitcancelclientorder(
            {"client-order-id": client_id}
        )
        return None if str(answer.get("data")) in _NOT_CANCELED else answer

    async def cancel_stop(
        self, exchange: Any, symbol: str, *, client_id: str, stop_id: str
    ) -> Document:
        """Cancel a stop by our id, which is its only one."""
        asked = {"clientOrderIds": [client_id or stop_id]}
        answer = await exchange.v2private_post_algo_orders_cancellation(asked)
        return {"id": client_id or stop_id, "info": answer["data"]}

    async def find_plain(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Ask by our id; what a stop has sent may have the stop's, and then counts as the stop."""
        order = await super().find_plain(exchange, symbol, client_id)
        if order is None:
            return None
        if str(order["info"].get("type")) == "sell-market":
            sent = await self.sent_lately(exchange, symbol, since_ms=0)
            if sent.get(str(order["id"])) == client_id:
                return None
        return _with_quantity(order)

    async def open_plain(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return the orders that still work and are no stops."""
        return [_with_quantity(order) for order in await super().open_plain(exchange, symbol)]

    async def create_stop(self, exchange: Any, order: Sending) -> Document:
        """Send a stop, in the account that orders name as well."""
        account_id = await exchange.fetch_account_id_by_type("spot", None, order.symbol)
        asked = {
            "accountId": account_id,
            "symbol": exchange.market_id(order.symbol),
            "orderSide": order.side,
            "orderType": order.type,
            "orderSize": order.quantity,
            "stopPrice": order.trigger_price,
            "timeInForce": "ioc",
            "clientOrderId": order.client_id,
        }
        answer = await exchange.v2private_post_algo_orders(asked)
        named: Document = exchange.safe_order({"info": answer["data"]})
        return {**named, **_names(answer["data"])}

    async def find_stop(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Ask by our id; a venue that does not know it says so in no certain way, so then the lists are read."""
        answer = await exchange.v2private_get_algo_orders_specific({"clientOrderId": client_id})
        if answer.get("data"):
            return _read_stop(exchange, answer["data"], symbol)
        asked = {"symbol": exchange.market_id(symbol)}
        waiting = await _pages(exchange.v2private_get_algo_orders_opening, asked)
        over = await _pages(
            exchange.v2private_get_algo_orders_history, {**asked, "orderStatus": _ENDED}
        )
        found = [row for row in (*waiting, *over) if row["clientOrderId"] == client_id]
        return _read_stop(exchange, found[0], symbol) if found else None

    async def open_stops(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return the stops that still wait."""
        asked = {"symbol": exchange.market_id(symbol)}
        rows = await _pages(exchange.v2private_get_algo_orders_opening, asked)
        return [_read_stop(exchange, row, symbol) for row in rows]

    async def sent_by(self, exchange: Any, stop: Document) -> str:
        """Return the id of the order that a stop has sent."""
        return str(stop["info"].get("orderId") or "")

    async def fetch_sent(self, exchange: Any, symbol: str, order_id: str) -> Document | None:
        """Return the order that a stop has sent."""
        order = await super().fetch_sent(exchange, symbol, order_id)
        return None if order is None else _with_quantity(order)

    async def sent_lately(self, exchange: Any, symbol: str, *, since_ms: int) -> Mapping[str, str]:
        """Return what the stops of a market have sent."""
        asked = {"symbol": exchange.market_id(symbol), "orderStatus": "triggered"}
        rows = await _pages(exchange.v2private_get_algo_orders_history, asked)
        return {str(row.get("orderId") or ""): row["clientOrderId"] for row in rows}

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


async def _pages(ask: Any, asked: Mapping[str, Any]) -> Sequence[Document]:
    """Return a list of stops to its end."""
    rows: list[Document] = []
    after: Mapping[str, Any] = {}
    for _ in range(_MOST_PAGES):
        answer = await ask({**asked, "limit": _STOP_PAGE, **after})
        rows += answer["data"]
        if not answer.get("nextId"):
            return rows
        after = {"fromId": answer["nextId"]}
    raise UnreadableError("more stops than can be searched through")


def _names(row: Mapping[str, Any]) -> Document:
    return {"id": row.get("clientOrderId"), "clientOrderId": row.get("clientOrderId")}


def _read_stop(exchange: Any, row: Mapping[str, Any], symbol: str) -> Document:
    """Return a stop, which the library cannot parse."""
    stop: Document = exchange.safe_order(
        {
            "info": row,
            "symbol": exchange.safe_symbol(row["symbol"], exchange.market(symbol)),
            "type": row["orderType"],
            "side": row["orderSide"],
            "amount": row["orderSize"],
            "status": _STOP_STATUSES.get(row["orderStatus"], row["orderStatus"]),
            "timestamp": int(row["orderOrigTime"]),
            "lastUpdateTimestamp": int(row["lastActTime"]),
            **_names(row),
        }
    )
    return stop


HTX: Final = VenuePack(
    ccxt_id="htx",
    open_orders_page=100,
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
        Call("GET", "/v1/order/orders/{}", 2),
        Call("GET", "/v1/order/openOrders", 2),
        Call("POST", "/v2/algo-orders"),
        Call("POST", "/v2/algo-orders/cancellation"),
        # An answer about no order may have nothing in it.
        Call("GET", "/v2/algo-orders/specific", envelope="code"),
        Call("GET", "/v2/algo-orders/opening"),
        Call("GET", "/v2/algo-orders/history"),
        Call("GET", "/v1/order/matchresults", 5),
        Call("POST", "/v2/algo-orders/cancel-all-after"),
    ),
    envelope="data",
    # A hundred orders in two seconds for a key, half as many questions.
    weight_per_minute=3_000,
    has_dead_man=True,
    order_id=re.compile(r"[0-9]{6,25}|stop-[0-9a-zA-Z_-]{1,32}"),
    order_types=MARKET_STOPS,
    stops_by_last_price=True,
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
                _REJECTED,
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
                "base-symbol-trade-disabled": "market_closed",
                "order-holding-limit-failed": "too_many_orders",
            }
        ),
    ),
    # The venue searches two days at most.
    trade_window_ms=2 * 86_400_000 - 1_000,
    trade_page=500,
)
