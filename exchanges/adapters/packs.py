"""What has to be known of a venue beyond what ccxt knows: one pack for each that is offered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from market.enums import InstrumentKind
from market.errors import VenueUnavailableError
from market.timeframes import DAY_MS


@dataclass(frozen=True, slots=True)
class VenuePack:
    """The facts about one venue that order safety rests on; codes are the venue's own, as text."""

    ccxt_id: str
    #: Path of each group of endpoints below the venue's address; groups that are not named cannot be reached.
    paths: Mapping[str, str]
    #: The address if the venue's row names none.
    address: str
    #: Method and path of every request that may leave the process; nothing here can move money away.
    calls: frozenset[tuple[str, str]]
    order_id: re.Pattern[str]
    options: Mapping[str, Any]
    submit_parameters: Mapping[str, str]
    #: Codes that prove that an order was refused before it could meet the market.
    refused_codes: frozenset[str]
    #: Codes by which the venue itself says that it does not know what became of the request.
    unknown_codes: frozenset[str]
    absent_codes: frozenset[str]
    key_codes: frozenset[str]
    clock_codes: frozenset[str]
    overload_codes: frozenset[str]
    duplicate_text: str
    #: Our codes for refusals, by a part of the venue's message; the first that fits counts.
    message_codes: Mapping[str, str]
    #: The implicit method of ccxt that tells what an API key may do.
    permissions_call: str
    #: A search for trades may span at most this long, and a page holds at most so many.
    trade_window_ms: int
    trade_page: int
    kind: InstrumentKind = InstrumentKind.SPOT

    @property
    def has_swaps(self) -> bool:
        """Whether contracts trade there and not the things themselves."""
        return self.kind is not InstrumentKind.SPOT


_BINANCE: Final = VenuePack(
    ccxt_id="binance",
    paths=MappingProxyType(
        {"public": "/api/v3", "private": "/api/v3", "v1": "/api/v1", "sapi": "/sapi/v1"}
    ),
    address="https://api.binance.com",
    calls=frozenset(
        {
            ("GET", "/api/v3/time"),
            ("GET", "/api/v3/exchangeInfo"),
            ("GET", "/api/v3/klines"),
            ("GET", "/api/v3/ticker/24hr"),
            ("GET", "/api/v3/account"),
            ("GET", "/api/v3/order"),
            ("POST", "/api/v3/order"),
            ("DELETE", "/api/v3/order"),
            ("GET", "/api/v3/openOrders"),
            ("GET", "/api/v3/myTrades"),
            ("GET", "/sapi/v1/account/apiRestrictions"),
        }
    ),
    order_id=re.compile(r"[0-9]{1,20}"),
    options=MappingProxyType(
        {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchMargins": False,
            "recvWindow": 5_000,
            # The clock is measured when the markets are read, see the client.
            "adjustForTimeDifference": False,
            "warnOnFetchOpenOrdersWithoutSymbol": False,
            "maxRetriesOnFailure": 0,
        }
    ),
    # Stops are acknowledged with ids alone unless the full answer is asked for.
    submit_parameters=MappingProxyType({"newOrderRespType": "FULL"}),
    # https://developers.binance.com/docs/binance-spot-api-docs/errors
    refused_codes=frozenset(
        {
            *(str(code) for code in range(-1199, -1099)),
            *("-1002", "-1003", "-1008", "-1013", "-1014", "-1015", "-1016", "-1020", "-1021"),
            *("-1022", "-2010", "-2014", "-2015"),
        }
    ),
    unknown_codes=frozenset({"-1000", "-1001", "-1006", "-1007"}),
    absent_codes=frozenset({"-2013"}),
    key_codes=frozenset({"-1002", "-1022", "-2014", "-2015"}),
    clock_codes=frozenset({"-1021"}),
    overload_codes=frozenset({"-1003", "-1008", "-1015"}),
    duplicate_text="Duplicate order sent.",
    message_codes=MappingProxyType(
        {
            "NOTIONAL": "order_too_small",
            "LOT_SIZE": "off_lot_step",
            "PRICE_FILTER": "off_tick",
            "PERCENT_PRICE": "price_out_of_range",
            "MAX_NUM": "too_many_orders",
            "insufficient balance": "insufficient_balance",
            "trigger immediately": "would_trigger_at_once",
        }
    ),
    permissions_call="sapi_get_account_apirestrictions",
    trade_window_ms=DAY_MS,
    trade_page=1_000,
)

_PACKS: Final[Mapping[str, VenuePack]] = MappingProxyType({_BINANCE.ccxt_id: _BINANCE})


def pack_of(ccxt_id: str) -> VenuePack:
    """Return the pack of a venue; raise VenueUnavailableError for one that is not offered."""
    pack = _PACKS.get(ccxt_id)
    if pack is None:
        raise VenueUnavailableError(f"The platform does not speak to '{ccxt_id}' yet.")
    return pack
