"""Reading the parameters of the futures' own requests, refusing what Binance refuses."""

import secrets
from decimal import Decimal
from typing import Final

from exchanges.simulator import errors as plain_errors
from exchanges.simulator.futures import errors
from exchanges.simulator.futures.records import (
    FuturesKind,
    FuturesTimeInForce,
    NewFuturesOrder,
    WorkingType,
)
from exchanges.simulator.parameters import Parameters
from market.enums import Side

_ZERO: Final = Decimal(0)
_BOOLEAN: Final = "^true|false$"


def read_order(parameters: Parameters) -> NewFuturesOrder:
    """Read a plain order; refuse conditional ones, which have an address of their own."""
    kind = _read_kind(parameters)
    if kind.waits:
        raise errors.conditional_elsewhere()
    return _read(parameters, kind, id_name="newClientOrderId", trigger=_ZERO)


def read_stop(parameters: Parameters) -> NewFuturesOrder:
    """Read a conditional order."""
    if parameters.get("algoType") != "CONDITIONAL":
        raise plain_errors.invalid_order_type()
    kind = _read_kind(parameters)
    if not kind.waits:
        raise plain_errors.invalid_order_type()
    trigger = parameters.get_decimal("triggerPrice")
    return _read(parameters, kind, id_name="clientAlgoId", trigger=trigger)


def read_boolean(parameters: Parameters, name: str) -> bool:
    """Return a switch that is off unless it was sent."""
    value = (parameters.find(name) or "false").lower()
    if value not in {"true", "false"}:
        raise plain_errors.illegal_characters(name, _BOOLEAN)
    return value == "true"


def _read_kind(parameters: Parameters) -> FuturesKind:
    try:
        return FuturesKind(parameters.get("type"))
    except ValueError:
        raise plain_errors.invalid_order_type() from None


def _read(
    parameters: Parameters, kind: FuturesKind, *, id_name: str, trigger: Decimal
) -> NewFuturesOrder:
    if (parameters.find("positionSide") or "BOTH") != "BOTH":
        raise errors.wrong_side_mode()
    try:
        side = Side(parameters.get("side"))
    except ValueError:
        raise plain_errors.invalid_side() from None
    closes = read_boolean(parameters, "closePosition")
    reduces = read_boolean(parameters, "reduceOnly")
    is_market_stop = kind.waits and not kind.has_limit
    if closes and not is_market_stop:
        raise plain_errors.not_required("closePosition")
    for name in ("quantity", "reduceOnly"):
        if closes and name in parameters:
            raise plain_errors.not_required(name)
    if not kind.has_limit and "price" in parameters:
        raise plain_errors.not_required("price")
    return NewFuturesOrder(
        symbol=parameters.get_symbol(),
        side=side,
        kind=kind,
        time_in_force=_read_time_in_force(parameters, kind),
        client_order_id=parameters.find_client_order_id(id_name) or secrets.token_hex(11),
        quantity=None if closes else parameters.get_decimal("quantity"),
        price=parameters.get_decimal("price") if kind.has_limit else _ZERO,
        trigger_price=trigger,
        working_type=_read_working_type(parameters),
        reduce_only=reduces,
        close_position=closes,
    )


def _read_time_in_force(parameters: Parameters, kind: FuturesKind) -> FuturesTimeInForce:
    # Conditional orders may leave it out, and market orders have none of their own.
    given = parameters.find("timeInForce")
    if kind is FuturesKind.LIMIT:
        given = parameters.get("timeInForce")
    try:
        return FuturesTimeInForce(given or "GTC")
    except ValueError:
        raise plain_errors.invalid_time_in_force() from None


def _read_working_type(parameters: Parameters) -> WorkingType:
    try:
        return WorkingType(parameters.find("workingType") or "CONTRACT_PRICE")
    except ValueError:
        raise plain_errors.illegal_characters(
            "workingType", "^CONTRACT_PRICE|MARK_PRICE$"
        ) from None
