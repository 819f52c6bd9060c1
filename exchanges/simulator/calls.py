"""Which requests a rule can speak of by one word, whichever protocol they belong to."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from exchanges.simulator.fault_kinds import FaultKind


class Call(StrEnum):
    """What a client asks for; ANY is every request but those of the administrator."""

    ANY = "ANY"
    CREATE = "CREATE"
    CANCEL = "CANCEL"
    FIND = "FIND"
    OPEN_ORDERS = "OPEN_ORDERS"
    ALL_ORDERS = "ALL_ORDERS"
    TRADES = "TRADES"
    LISTS = "LISTS"
    BALANCES = "BALANCES"
    POSITIONS = "POSITIONS"
    CANDLES = "CANDLES"
    MARKETS = "MARKETS"
    CLOCK = "CLOCK"


_ORDER_PATHS: Final = ("/api/v3/order", "/fapi/v1/order", "/fapi/v1/algoOrder")
_PATHS: Final[Mapping[Call, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {
        Call.CREATE: ("POST", _ORDER_PATHS),
        Call.CANCEL: ("DELETE", _ORDER_PATHS),
        Call.FIND: ("GET", _ORDER_PATHS),
        Call.OPEN_ORDERS: (
            "GET",
            ("/api/v3/openOrders", "/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders"),
        ),
        Call.ALL_ORDERS: (
            "GET",
            ("/api/v3/allOrders", "/fapi/v1/allOrders", "/fapi/v1/allAlgoOrders"),
        ),
        Call.TRADES: ("GET", ("/api/v3/myTrades", "/fapi/v1/userTrades")),
        Call.BALANCES: (
            "GET",
            (
                "/api/v3/account",
                "/fapi/v2/account",
                "/fapi/v3/account",
                "/fapi/v2/balance",
                "/fapi/v3/balance",
            ),
        ),
        Call.POSITIONS: ("GET", ("/fapi/v2/positionRisk", "/fapi/v3/positionRisk")),
        Call.CANDLES: ("GET", ("/api/v3/klines", "/fapi/v1/klines")),
        Call.MARKETS: ("GET", ("/api/v3/exchangeInfo", "/fapi/v1/exchangeInfo")),
        Call.CLOCK: ("GET", ("/api/v3/time", "/fapi/v1/time")),
    }
)
_LISTS: Final = (Call.OPEN_ORDERS, Call.ALL_ORDERS, Call.TRADES)

#: Which requests a fault of state or feed is about, unless its rule says otherwise.
_USUAL: Final[Mapping[FaultKind, Call]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                FaultKind.PARTIAL_FILL,
                FaultKind.LATE_FILL,
                FaultKind.DUST,
                FaultKind.HIDDEN_ORDER,
                FaultKind.FUNDS_GONE,
                FaultKind.FEE_IN_THIRD_CURRENCY,
            ),
            Call.CREATE,
        ),
        FaultKind.LATE_FILL_AFTER_CANCEL: Call.CANCEL,
        FaultKind.TRADES_OUT_OF_ORDER: Call.TRADES,
        FaultKind.TRADES_DUPLICATED: Call.TRADES,
        FaultKind.LIST_TRUNCATED: Call.LISTS,
        **{kind: Call.CANDLES for kind in FaultKind if kind.value.startswith("CANDLE_")},
    }
)


def usual_call(kind: FaultKind) -> Call:
    """Return which requests *kind* is about if nothing else is said."""
    return _USUAL.get(kind, Call.ANY)


def is_call(call: Call, method: str, path: str) -> bool:
    """Tell whether a request is one of *call*."""
    if call is Call.ANY:
        return not path.startswith("/simulator/")
    if call is Call.LISTS:
        return any(is_call(part, method, path) for part in _LISTS)
    wanted, paths = _PATHS[call]
    return method == wanted and path in paths
