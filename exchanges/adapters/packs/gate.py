"""Gate spot. https://www.gate.com/docs/developers/apiv4/

Ids of ours hold too few characters for 32 digits of base 16, so they are written in base 36.
"""

import re
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import SIMPLE_ORDERS, Call, Codes, Sandbox, Shape, VenuePack
from exchanges.adapters.packs.dialect import OURS, Dialect, Document, UnusableIdError, says_absent
from exchanges.adapters.packs.words import Word, word_in
from market.timeframes import DAY_MS

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LENGTH: Final = 25
_PREFIX: Final = "t-"
_SEARCHED: Final = 100


class GateDialect(Dialect):
    """Our id stands where the venue's own does; an order that ended an hour ago is found in the list alone."""

    client_id = re.compile(r"t-[0-9a-z]{25}")
    client_id_field = "text"

    def id_to_venue(self, client_order_id: str) -> str:
        """Return our 32 digits as 25 in base 36; the way back loses nothing."""
        if not OURS.fullmatch(client_order_id):
            raise UnusableIdError(client_order_id)
        number, written = int(client_order_id, 16), ""
        for _ in range(_LENGTH):
            number, digit = divmod(number, 36)
            written = _DIGITS[digit] + written
        return f"{_PREFIX}{written}"

    def id_from_venue(self, text: str) -> str:
        """Return our id; a stranger's stays what it is."""
        if not self.client_id.fullmatch(text):
            return text
        ours = f"{int(text.removeprefix(_PREFIX), 36):032x}"
        return ours if OURS.fullmatch(ours) else text

    def word_of(self, document: Document) -> Word | None:
        """Return the no in ``label``."""
        return word_in(document, code="label", message="message")

    async def cancel(
        self, exchange: Any, symbol: str, *, client_id: str, venue_order_id: str
    ) -> Document:
        """Cancel by our id in the place of the venue's."""
        answer: Document = await exchange.cancel_order(client_id or venue_order_id, symbol)
        return answer

    async def find(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Ask by our id, then look among the latest orders that ended."""
        try:
            order: Document = await exchange.fetch_order(client_id, symbol)
        except Exception as error:
            if not says_absent(error):
                raise
        else:
            return order
        ended = await exchange.fetch_closed_orders(symbol, None, _SEARCHED)
        return next((each for each in ended if each["clientOrderId"] == client_id), None)

    async def arm_dead_man(self, exchange: Any, *, timeout_s: int) -> None:
        """Arm the switch for five seconds and more; 0 disarms."""
        await exchange.private_spot_post_countdown_cancel_all({"timeout": timeout_s})


GATE: Final = VenuePack(
    ccxt_id="gate",
    open_orders_page=100,
    name="Gate",
    dialect=GateDialect(),
    address="https://api.gateio.ws",
    paths=MappingProxyType(
        {
            "public": {"spot": "/api/v4", "margin": "/api/v4"},
            "private": {"spot": "/api/v4"},
        }
    ),
    calls=(
        Call("GET", "/api/v4/spot/time"),
        Call("GET", "/api/v4/spot/currency_pairs", 1, Shape.LIST),
        Call("GET", "/api/v4/margin/currency_pairs", 1, Shape.LIST),
        Call("GET", "/api/v4/spot/tickers", 1, Shape.LIST),
        Call("GET", "/api/v4/spot/candlesticks", 1, Shape.LIST),
        Call("GET", "/api/v4/spot/accounts", 1, Shape.LIST),
        Call("POST", "/api/v4/spot/orders"),
        Call("GET", "/api/v4/spot/orders", 1, Shape.LIST),
        Call("GET", "/api/v4/spot/open_orders", 1, Shape.LIST),
        Call("GET", "/api/v4/spot/orders/{}"),
        Call("DELETE", "/api/v4/spot/orders/{}"),
        Call("GET", "/api/v4/spot/my_trades", 1, Shape.LIST),
        Call("POST", "/api/v4/spot/countdown_cancel_all"),
    ),
    # 200 requests in ten seconds for an address; ten orders a second for an account.
    weight_per_minute=1_200,
    key_weight_per_minute=600,
    sandbox=Sandbox("https://api-testnet.gateapi.io"),
    has_dead_man=True,
    order_id=re.compile(r"[0-9]{6,20}"),
    order_types=SIMPLE_ORDERS,
    # https://www.gate.com/docs/developers/apiv4/#create-a-price-triggered-order names no text of ours.
    no_stops_because="its stops carry no id of ours, so that one whose answer was lost could not be found again",
    options=MappingProxyType(
        {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "unifiedAccount": False,
            "adjustForTimeDifference": False,
        }
    ),
    buys_by_cost=True,
    codes=Codes(  # https://www.gate.com/docs/developers/apiv4/#label-list
        refused=frozenset(
            {
                *("BALANCE_NOT_ENOUGH", "INVALID_PARAM_VALUE", "INVALID_ARGUMENT"),
                *("INVALID_REQUEST_BODY", "MISSING_REQUIRED_PARAM", "INVALID_CURRENCY"),
                *("INVALID_CURRENCY_PAIR", "INVALID_PRECISION", "AMOUNT_TOO_LITTLE"),
                *(
                    "AMOUNT_TOO_MUCH",
                    "TOO_MANY_ORDERS",
                    "QUANTITY_NOT_ENOUGH",
                    "POC_FILL_IMMEDIATELY",
                ),
                *("FORBIDDEN", "READ_ONLY", "ACCOUNT_LOCKED", "TRADE_RESTRICTED", "IP_FORBIDDEN"),
                *("TOO_MANY_REQUESTS", "TOO_FAST", "ORDER_NOT_FOUND"),
            }
        ),
        unknown=frozenset({"INTERNAL", "SERVER_ERROR", "TOO_BUSY"}),
        absent=frozenset({"ORDER_NOT_FOUND"}),
        closed=frozenset({"ORDER_NOT_FOUND", "ORDER_CLOSED", "ORDER_CANCELLED"}),
        key=frozenset({"INVALID_KEY", "INVALID_SIGNATURE", "INVALID_CREDENTIALS"}),
        clock=frozenset({"REQUEST_EXPIRED"}),
        duplicate=frozenset({"REPEATED_CREATION"}),
        overload=frozenset({"TOO_MANY_REQUESTS", "TOO_FAST"}),
        names=MappingProxyType(
            {
                "BALANCE_NOT_ENOUGH": "insufficient_balance",
                "too small": "order_too_small",
                "AMOUNT_TOO_LITTLE": "order_too_small",
                "INVALID_CURRENCY_PAIR": "unknown_symbol",
                "INVALID_PRECISION": "off_step",
                "POC_FILL_IMMEDIATELY": "post_only_would_cross",
                "TOO_MANY_ORDERS": "too_many_orders",
                "FORBIDDEN": "permission_denied",
                "READ_ONLY": "permission_denied",
            }
        ),
    ),
    trade_window_ms=29 * DAY_MS,
    trade_page=1_000,
)
