"""From what ccxt returns (numbers as text) to the reports of the protocol; anything odd raises UnreadableError."""

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from exchanges.adapters.protocol import (
    BalanceReport,
    FillReport,
    FundingPaymentReport,
    FundingReport,
    InstrumentReport,
    MarkReport,
    OrderReport,
    OrderRequest,
    Outcome,
    OutcomeKind,
    TickerReport,
)
from market.candles import CandleRow
from market.enums import InstrumentKind, Liquidity, OrderStatus, Side
from market.money import float_of
from market.timeframes import from_milliseconds

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)

#: How venues name the market in an answer about an order.
_MARKET_FIELDS: Final = ("symbol", "instId", "pair", "currency_pair", "contract")

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


def read_order(order: Mapping[str, Any], *, size: Decimal = _ONE) -> OrderReport:
    """Return what a venue says of an order; *size* is how many base units its contracts are.

    The client id of a cancellation's answer is the one of the order, not the one that venues give the cancellation.
    """
    info = order["info"]
    original = info.get("origClientOrderId") if isinstance(info, Mapping) else None
    quantity = amount_of(order["amount"]) * size
    filled = amount_of(order["filled"] or "0") * size
    average = order["average"]
    return OrderReport(
        client_order_id=str(original or order["clientOrderId"] or ""),
        venue_order_id=str(order["id"] or ""),
        symbol=str(order["symbol"]),
        side=Side(str(order["side"]).upper()),
        status=_status_of(str(order["status"]), filled=filled, quantity=quantity),
        quantity=quantity,
        filled_quantity=filled,
        average_price=amount_of(average) if average and filled else None,
        venue_at=from_milliseconds(_instant_of(order["lastUpdateTimestamp"], order["timestamp"])),
    )


def contradicts(
    order: Mapping[str, Any], *, market: Mapping[str, Any], side: Side | None = None
) -> bool:
    """Tell whether the venue's own words about an order name another market, or the other side.

    ccxt takes an id that it does not know for the market that was asked about, and the side for the one that was sent.
    """
    info = order["info"] or {}
    markets = {info[name] for name in _MARKET_FIELDS if info.get(name)}
    sides = {str(info.get("side", "")).upper()} & set(Side)
    return bool(markets - {market["id"]}) or bool(side and sides - {side})


def read_fill(trade: Mapping[str, Any], *, size: Decimal = _ONE) -> FillReport:
    """Return what a venue says of an execution of the account's trade list."""
    fee = trade["fee"] or {"cost": "0", "currency": ""}
    return FillReport(
        venue_trade_id=_text_of(trade["id"]),
        venue_order_id=_text_of(trade["order"]),
        symbol=str(trade["symbol"]),
        side=Side(str(trade["side"]).upper()),
        quantity=amount_of(trade["amount"]) * size,
        price=amount_of(trade["price"]),
        fee=amount_of(fee["cost"]),
        fee_currency=str(fee["currency"] or ""),
        liquidity=Liquidity.MAKER if trade["takerOrMaker"] == "maker" else Liquidity.TAKER,
        venue_at=from_milliseconds(_instant_of(trade["timestamp"])),
    )


def done(report: OrderReport, fills: tuple[FillReport, ...] = ()) -> Outcome:
    """Return that a call did what it was to do, as the venue's *report* of the order shows."""
    evidence = {"venue_order_id": report.venue_order_id, "status": report.status.value}
    return Outcome(OutcomeKind.DONE, report, fills, evidence=evidence)


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


def read_acknowledgement(
    order: Mapping[str, Any], request: OrderRequest, *, echoes: frozenset[str], size: Decimal
) -> OrderReport:
    """Return what the answer to a new order says; raise UnreadableError if it is about another order.

    Many venues answer with ids alone: what is not among *echoes* need not be there, but what is there has to agree.
    """
    venue_order_id = _text_of(order["id"])
    quantity = None if order["amount"] is None else amount_of(order["amount"]) * size
    said = {
        "client_order_id": order["clientOrderId"],
        "side": None if order["side"] is None else str(order["side"]).upper(),
        "quantity": quantity,
    }
    for name, value in said.items():
        is_missing = value is None and name in echoes
        if is_missing or (value is not None and value != getattr(request, name)):
            raise UnreadableError("the answer is about another order")
    if order["symbol"] not in (None, request.symbol):
        raise UnreadableError("the answer is about another order")
    if order["status"] is not None and quantity is not None:
        return read_order(order, size=size)
    now_ms = time.time_ns() // 1_000_000
    return OrderReport(
        client_order_id=request.client_order_id,
        venue_order_id=venue_order_id,
        symbol=request.symbol,
        side=request.side,
        status=OrderStatus.ACCEPTED,
        quantity=request.quantity,
        filled_quantity=_ZERO,
        average_price=None,
        venue_at=from_milliseconds(
            _instant_of(order["lastUpdateTimestamp"], order["timestamp"], now_ms)
        ),
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


def read_instruments(
    markets: Iterable[Mapping[str, Any]], kind: InstrumentKind
) -> list[InstrumentReport]:
    """Return the rules of all markets of a kind; dated contracts are of none."""
    return [read_instrument(market) for market in markets if _kind_of(market) is kind]


def read_instrument(market: Mapping[str, Any]) -> InstrumentReport:
    """Return the trading rules of a market; what a swap counts in contracts becomes base units."""
    limits = market["limits"]
    size = contract_size_of(market)
    return InstrumentReport(
        symbol=str(market["symbol"]),
        base=str(market["base"]),
        quote=str(market["quote"]),
        tick_size=amount_of(market["precision"]["price"]),
        lot_step=amount_of(market["precision"]["amount"]) * size,
        minimum_quantity=amount_of(limits["amount"]["min"] or "0") * size,
        minimum_notional=amount_of(limits["cost"]["min"] or "0"),
        is_active=market["active"] is not False,
        kind=_kind_of(market) or InstrumentKind.SPOT,
        settle=str(market["settle"] or market["quote"]),
        contract_size=size,
        listed_at=_optional_instant(market["created"]),
    )


def contract_size_of(market: Mapping[str, Any]) -> Decimal:
    """Return how many base units a contract is; 1 for the thing itself."""
    return amount_of(market["contractSize"] or "1") if market["contract"] else Decimal(1)


def _kind_of(market: Mapping[str, Any]) -> InstrumentKind | None:
    if market["spot"]:
        return InstrumentKind.SPOT
    if not market["swap"]:
        return None
    return InstrumentKind.LINEAR_SWAP if market["linear"] else InstrumentKind.INVERSE_SWAP


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


def read_funding_payment(row: Mapping[str, Any]) -> FundingPaymentReport:
    """Return what one funding took or brought."""
    return FundingPaymentReport(
        venue_payment_id=_text_of(row["id"]),
        symbol=str(row["symbol"]),
        amount=amount_of(row["amount"]),
        currency=str(row["code"]),
        paid_at=from_milliseconds(_instant_of(row["timestamp"])),
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
