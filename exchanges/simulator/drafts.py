"""What a new spot order would become, and what it would hold back."""

from decimal import Decimal
from typing import Final

from exchanges.simulator import errors
from exchanges.simulator.instruments import Instrument
from exchanges.simulator.orders import Account, NewOrder, Order, Status
from market.enums import Side

_ZERO: Final = Decimal(0)


def draft_order(
    account: Account, new: NewOrder, instrument: Instrument, *, market_ticks: int, now_ms: int
) -> Order:
    """Check *new* against the filters of its market and return the order that it would become."""
    if not instrument.is_listed:
        raise errors.market_closed()
    market_price = instrument.price_of(market_ticks)
    quantity = new.quantity
    if quantity is None:
        budget = new.quote_quantity or _ZERO
        quantity = budget / market_price // instrument.quantity_step * instrument.quantity_step
    instrument.lots_of(quantity)
    for price in (new.price, new.stop_price):
        if price is not None:
            instrument.ticks_of(price)
    if new.price is not None:
        instrument.check_price_band(price=new.price, market_price=market_price)
    worth_at = new.price or new.stop_price or market_price
    instrument.check_notional(price=worth_at, quantity=quantity)
    return Order(
        id=0,
        account_id=account.id,
        symbol=new.symbol,
        client_order_id=new.client_order_id,
        side=new.side,
        kind=new.kind,
        time_in_force=new.time_in_force,
        quantity=quantity,
        quote_quantity=new.quote_quantity or _ZERO,
        price=new.price or _ZERO,
        stop_price=new.stop_price or _ZERO,
        status=Status.NEW,
        is_working=not new.kind.is_stop,
        locked=_ZERO,
        executed=_ZERO,
        quote_executed=_ZERO,
        created_ms=now_ms,
        updated_ms=now_ms,
        working_ms=-1 if new.kind.is_stop else now_ms,
    )


def locked_asset(order: Order, instrument: Instrument) -> str:
    """Return which asset an order holds back."""
    return instrument.quote if order.side is Side.BUY else instrument.base
