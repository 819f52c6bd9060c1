"""From what ccxt returns (numbers as text) to the reports of the protocol; anything odd raises UnreadableError."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from exchanges.adapters.protocol import (
    BalanceReport,
    FillReport,
    FundingReport,
    InstrumentReport,
    KeyPermissions,
    MarkReport,
    OrderReport,
    OrderRequest,
    TickerReport,
)
from market.candles import CandleRow
from market.enums import Liquidity, OrderStatus, Side
from market.money import float_of
from market.timeframes import from_milliseconds

_ZERO: Final = Decimal(0)

_FINAL_STATUSES: Final[Mapping[str, OrderStatus]] = {
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}


class UnreadableError(ValueError):
    """An answer that does not say what it must."""


def amount_of(value: Any) -> Decimal:
    """Return a finite number given as text; raise UnreadableError for anything else."""
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise UnreadableError("not a number") from None
    if not number.is_finite():
        raise UnreadableError("not a finite number")
    return number


def read_order(order: Mapping[str, Any]) -> OrderReport:
    """Return what a venue says of an order.

    The client id of a cancellation's answer is the one of the order, not the one that venues give the cancellation.
    """
    info = order["info"]
    quantity = amount_of(order["amount"])
    filled = amount_of(order["filled"] or "0")
    average = order["average"]
    return OrderReport(
        client_order_id=str(info.get("origClientOrderId") or order["clientOrderId"] or ""),
        venue_order_id=str(order["id"] or ""),
        symbol=str(order["symbol"]),
        side=Side(str(order["side"]).upper()),
        status=_status_of(str(order["status"]), filled=filled, quantity=quantity),
        quantity=quantity,
        filled_quantity=filled,
        average_price=amount_of(average) if average and filled else None,
        venue_at=from_milliseconds(_instant_of(order["lastUpdateTimestamp"], order["timestamp"])),
    )


def read_fill(trade: Mapping[str, Any]) -> FillReport:
    """Return what a venue says of an execution of the account's trade list."""
    fee = trade["fee"] or {"cost": "0", "currency": ""}
    return FillReport(
        venue_trade_id=_text_of(trade["id"]),
        venue_order_id=_text_of(trade["order"]),
        symbol=str(trade["symbol"]),
        side=Side(str(trade["side"]).upper()),
        quantity=amount_of(trade["amount"]),
        price=amount_of(trade["price"]),
        fee=amount_of(fee["cost"]),
        fee_currency=str(fee["currency"] or ""),
        liquidity=Liquidity.MAKER if trade["takerOrMaker"] == "maker" else Liquidity.TAKER,
        venue_at=from_milliseconds(_instant_of(trade["timestamp"])),
    )


def read_immediate_fills(order: Mapping[str, Any]) -> tuple[FillReport, ...]:
    """Return the executions that the answer to a new order names: all of them took liquidity, just now."""
    at_ms = _instant_of(order["lastUpdateTimestamp"], order["timestamp"])
    return tuple(
        read_fill(
            {
                **trade,
                "order": order["id"],
                "symbol": order["symbol"],
                "side": order["side"],
                "takerOrMaker": "taker",
                "timestamp": at_ms,
            }
        )
        for trade in order["trades"] or ()
    )


def is_answer_to(report: OrderReport, request: OrderRequest) -> bool:
    """Tell whether a report is about the order that was sent."""
    return (
        report.client_order_id == request.client_order_id
        and report.symbol == request.symbol
        and report.side == request.side
        and report.quantity == request.quantity
    )


def read_balances(balance: Mapping[str, Any]) -> Iterator[BalanceReport]:
    """Yield what the account holds, leaving out currencies of which it holds nothing."""
    for currency, free in balance["free"].items():
        report = BalanceReport(
            str(currency), amount_of(free or "0"), amount_of(balance["used"].get(currency) or "0")
        )
        if report.free or report.used:
            yield report


def read_instrument(market: Mapping[str, Any]) -> InstrumentReport:
    """Return the trading rules of a market."""
    limits = market["limits"]
    return InstrumentReport(
        symbol=str(market["symbol"]),
        base=str(market["base"]),
        quote=str(market["quote"]),
        tick_size=amount_of(market["precision"]["price"]),
        lot_step=amount_of(market["precision"]["amount"]),
        minimum_quantity=amount_of(limits["amount"]["min"] or "0"),
        minimum_notional=amount_of(limits["cost"]["min"] or "0"),
        is_active=bool(market["active"]),
    )


def read_tickers(tickers: Mapping[str, Any]) -> list[TickerReport]:
    """Return the prices of every market that has any; what never traded has none."""
    now_ms = time.time_ns() // 1_000_000
    return [
        TickerReport(
            symbol=str(ticker["symbol"]),
            last=amount_of(ticker["last"]),
            bid=_optional(ticker["bid"]),
            ask=_optional(ticker["ask"]),
            quote_volume=_optional(ticker["quoteVolume"]),
            venue_at=from_milliseconds(_instant_of(ticker["timestamp"], now_ms)),
        )
        for ticker in tickers.values()
        if ticker["last"] is not None
    ]


def read_marks(rates: Mapping[str, Any]) -> list[MarkReport]:
    """Return the mark price and the next funding of every swap."""
    now_ms = time.time_ns() // 1_000_000
    return [
        MarkReport(
            symbol=str(rate["symbol"]),
            mark_price=amount_of(rate["markPrice"]),
            index_price=_optional(rate["indexPrice"]),
            funding_rate=_optional(rate["fundingRate"]),
            next_funding_at=_optional_instant(rate["fundingTimestamp"]),
            venue_at=from_milliseconds(_instant_of(rate["timestamp"], now_ms)),
        )
        for rate in rates.values()
    ]


def read_funding(row: Mapping[str, Any]) -> FundingReport:
    """Return one settled funding."""
    return FundingReport(
        symbol=str(row["symbol"]),
        rate=amount_of(row["fundingRate"]),
        funded_at=from_milliseconds(_instant_of(row["timestamp"])),
    )


def read_permissions(answer: Mapping[str, Any]) -> KeyPermissions:
    """Return what an API key may do, from the answer to the account's restrictions."""
    ways_out = [answer.get("enableWithdrawals"), answer.get("enableInternalTransfer")]
    return KeyPermissions(
        can_read=answer["enableReading"] is True,
        can_trade=answer["enableSpotAndMarginTrading"] is True,
        can_withdraw=None if ways_out[0] is None else True in ways_out,
    )


def read_candle(row: Any) -> CandleRow:
    """Return one bar."""
    open_ms, *values = row
    opened, high, low, close, volume = (float_of(amount_of(value)) for value in values)
    return (int(open_ms), opened, high, low, close, volume)


def _status_of(status: str, *, filled: Decimal, quantity: Decimal) -> OrderStatus:
    if status in _FINAL_STATUSES:
        return _FINAL_STATUSES[status]
    if status == "closed":
        return OrderStatus.FILLED if filled >= quantity else OrderStatus.CANCELED
    if status == "canceling":
        return OrderStatus.PENDING_CANCEL
    if status == "open":
        return OrderStatus.PARTIALLY_FILLED if filled > _ZERO else OrderStatus.ACCEPTED
    raise UnreadableError("unknown order status")


def _instant_of(*candidates: Any) -> int:
    for candidate in candidates:
        if isinstance(candidate, int):
            return candidate
    raise UnreadableError("no instant")


def _optional(value: Any) -> Decimal | None:
    return None if value is None else amount_of(value)


def _optional_instant(value: Any) -> datetime | None:
    return from_milliseconds(value) if isinstance(value, int) else None


def _text_of(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UnreadableError("no id")
    return value
