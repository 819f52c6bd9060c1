"""Binance USD-M perpetual swaps, one-way mode. https://developers.binance.com/docs/derivatives/usds-margined-futures

Stops are orders of another kind there ("algo orders").
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters import reading
from exchanges.adapters.packs.base import Call, Sandbox, Shape, VenuePack
from exchanges.adapters.packs.binance import (
    BINANCE_CODES,
    BINANCE_OPTIONS,
    BinanceDialect,
)
from exchanges.adapters.packs.dialect import Dialect, Document, Sending
from exchanges.adapters.packs.stops import StopDialect
from exchanges.adapters.protocol import PositionReport
from exchanges.adapters.reading import UnreadableError
from exchanges.adapters.trade_pages import read_windows
from market.enums import InstrumentKind, MarginMode
from market.timeframes import DAY_MS, from_milliseconds

#: Rows of a page of incomes.
_INCOMES: Final = 1_000

_TRIGGER: Final[Mapping[str, Any]] = MappingProxyType({"trigger": True})


class UsdmDialect(StopDialect, BinanceDialect):
    """Stops and plain orders behind one door; positions with leverage and margin."""

    trade_permission = "enableFutures"

    async def create_stop(self, exchange: Any, order: Sending) -> Document:
        """Send a stop with one request."""
        return await Dialect.create(self, exchange, order)

    async def cancel_stop(
        self, exchange: Any, symbol: str, *, client_id: str, stop_id: str
    ) -> Document:
        """Cancel a stop, by our id if there is one."""
        by_id = {"clientOrderId": client_id} if client_id else {}
        answer: Document = await exchange.cancel_order(stop_id, symbol, {**by_id, **_TRIGGER})
        return answer

    async def find_stop(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Ask by our id."""
        by_id = {"clientOrderId": client_id}
        stop: Document = await exchange.fetch_order("", symbol, {**by_id, **_TRIGGER})
        return stop

    async def open_stops(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return the stops that still wait."""
        stops: Sequence[Document] = await exchange.fetch_open_orders(
            symbol, None, None, dict(_TRIGGER)
        )
        return stops

    async def sent_by(self, exchange: Any, stop: Document) -> str:
        """Return the id of the order that a stop has sent."""
        return str(stop["info"].get("actualOrderId") or "")

    async def sent_lately(self, exchange: Any, symbol: str, *, since_ms: int) -> Mapping[str, str]:
        """Return what the stops of the last week have sent."""
        stops = await exchange.fapiprivate_get_allalgoorders({"symbol": exchange.market_id(symbol)})
        return {str(stop.get("actualOrderId") or ""): str(stop["algoId"]) for stop in stops}

    async def plain_trades(
        self, exchange: Any, pack: VenuePack, symbol: str, *, since_ms: int
    ) -> Sequence[Document]:
        """Return every execution; a search spans a week."""
        return await read_windows(exchange, pack, symbol, since_ms=since_ms)

    async def positions(self, exchange: Any) -> Sequence[PositionReport]:
        """Return the swaps that are held; this version of the answer is the one that tells the leverage."""
        rows = await exchange.fapiprivatev2_get_positionrisk()
        known = exchange.markets_by_id
        return [
            _read_position(row, known[row["symbol"]][0]["symbol"])
            for row in rows
            if row["symbol"] in known and Decimal(row["positionAmt"])
        ]

    async def funding_payments(self, exchange: Any, *, since_ms: int) -> Sequence[Document]:
        """Return every payment; a search begins at an instant, and its pages at the last one seen."""
        found: dict[str, Document] = {}
        while True:
            page = await exchange.fetch_funding_history(None, since_ms, _INCOMES)
            found |= {str(row["id"]): row for row in page}
            if len(page) < _INCOMES:
                return list(found.values())
            if page[-1]["timestamp"] == since_ms:
                raise UnreadableError("more payments of one instant than fit a page")
            since_ms = page[-1]["timestamp"]

    async def arm_dead_man(self, exchange: Any, *, timeout_s: int) -> None:
        """Arm the switch of every market with an open order; the venue has one for each.

        It is disarmed where a position is open as well: its entry has filled, and its stop is to stay.
        """
        rows = await exchange.fapiprivate_get_openorders()
        if not timeout_s:
            held = await exchange.fapiprivatev2_get_positionrisk()
            rows = [*rows, *(row for row in held if Decimal(row["positionAmt"]))]
        for market in sorted({row["symbol"] for row in rows}):
            await exchange.fapiprivate_post_countdowncancelall(
                {"symbol": market, "countdownTime": timeout_s * 1_000}
            )


def _read_position(row: Mapping[str, Any], symbol: str) -> PositionReport:
    liquidation = reading.amount_of(row["liquidationPrice"])
    is_isolated = row["marginType"] == "isolated"
    return PositionReport(
        symbol=symbol,
        quantity=reading.amount_of(row["positionAmt"]),
        average_price=reading.amount_of(row["entryPrice"]),
        mark_price=reading.amount_of(row["markPrice"]),
        unrealized_pnl=reading.amount_of(row["unRealizedProfit"]),
        leverage=reading.amount_of(row["leverage"]),
        liquidation_price=liquidation or None,
        margin_mode=MarginMode.ISOLATED if is_isolated else MarginMode.CROSS,
        venue_at=from_milliseconds(int(row["updateTime"])),
    )


BINANCE_USDM: Final = VenuePack(
    ccxt_id="binanceusdm",
    name="Binance USD-M",
    kind=InstrumentKind.LINEAR_SWAP,
    dialect=UsdmDialect(),
    address="https://fapi.binance.com",
    paths=MappingProxyType(
        {
            "fapiPublic": "/fapi/v1",
            "fapiPublicV2": "/fapi/v2",
            "fapiPrivate": "/fapi/v1",
            "fapiPrivateV2": "/fapi/v2",
            "fapiPrivateV3": "/fapi/v3",
            # What a key may do is known at the spot market's address.
            "sapi": "https://api.binance.com/sapi/v1",
        }
    ),
    calls=(
        Call("GET", "/fapi/v1/time"),
        Call("GET", "/fapi/v1/exchangeInfo"),
        Call("GET", "/fapi/v1/klines", 5, Shape.LIST),
        Call("GET", "/fapi/v1/ticker/24hr", 1, Shape.EITHER),
        Call("GET", "/fapi/v1/premiumIndex", 1, Shape.EITHER),
        Call("GET", "/fapi/v1/fundingRate", 1, Shape.LIST),
        Call("GET", "/fapi/v3/account", 5),
        Call("GET", "/fapi/v2/positionRisk", 5, Shape.LIST),
        Call("GET", "/fapi/v1/income", 30, Shape.LIST),
        Call("POST", "/fapi/v1/leverage"),
        Call("POST", "/fapi/v1/marginType"),
        Call("GET", "/fapi/v1/order"),
        Call("POST", "/fapi/v1/order"),
        Call("DELETE", "/fapi/v1/order"),
        Call("GET", "/fapi/v1/openOrders", 1, Shape.LIST),
        Call("GET", "/fapi/v1/algoOrder"),
        Call("POST", "/fapi/v1/algoOrder"),
        Call("DELETE", "/fapi/v1/algoOrder"),
        Call("GET", "/fapi/v1/openAlgoOrders", 1, Shape.LIST),
        Call("GET", "/fapi/v1/allAlgoOrders", 5, Shape.LIST),
        Call("GET", "/fapi/v1/userTrades", 5, Shape.LIST),
        Call("POST", "/fapi/v1/countdownCancelAll", 10),
        Call("GET", "/sapi/v1/account/apiRestrictions"),
    ),
    weight_per_minute=2_400,
    sandbox=Sandbox("https://testnet.binancefuture.com"),
    order_id=re.compile(r"(stop-)?[0-9]{1,20}"),
    options=MappingProxyType({**BINANCE_OPTIONS, "fetchMarkets": {"types": ["linear"]}}),
    cancel_reports=False,
    has_dead_man=True,
    # https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code
    codes=replace(
        BINANCE_CODES,
        refused=BINANCE_CODES.refused
        | {*("-2018", "-2019", "-2021", "-2022", "-2023", "-2024", "-2025", "-2026", "-2027")}
        | {*(str(code) for code in range(-4099, -3999))}
        | {*("-2028", "-4108", "-4131", "-4164", "-4183", "-4184", "-5021", "-5022", "-5028")},
        clock=frozenset({"-1021", "-5028"}),
        settled=frozenset({"-4046"}),
        duplicate=frozenset({"-4116"}),
        duplicate_text="ClientOrderId is duplicated.",
        names=MappingProxyType(
            {
                "-2018": "insufficient_balance",
                "-2019": "insufficient_balance",
                "-2021": "would_trigger_at_once",
                "-2022": "reduce_only_refused",
                "-2025": "too_many_orders",
                "-4014": "off_tick",
                "-4023": "off_lot_step",
                "-4061": "hedge_mode",
                "-4108": "market_closed",
                "-4131": "price_out_of_range",
                "-4164": "order_too_small",
                "-5022": "post_only_would_cross",
                **BINANCE_CODES.names,
            }
        ),
    ),
    trade_window_ms=7 * DAY_MS - 1,
    trade_page=1_000,
)
