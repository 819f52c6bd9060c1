"""How much may be sold, what a buy sets aside, and what is too little to trade."""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal, localcontext

from market import money
from market.enums import Side


@dataclass(frozen=True, slots=True)
class TradingSteps:
    """The exact steps and minimums of an instrument; quantities in base, notional in quote.

    Of contracts any worth may be closed (``closes_any_worth``): the least notional is asked of
    orders that may open, never of those that only reduce.
    """

    tick_size: Decimal
    lot_step: Decimal
    minimum_quantity: Decimal
    minimum_notional: Decimal
    closes_any_worth: bool = False


def sellable(*, own: Decimal, free: Decimal | None, steps: TradingSteps) -> Decimal:
    """Return how much of *own* can be sold: never more than is *free*, in whole lots.

    *free* is what the venue says; None if it could not be asked, then our own books decide and the
    venue has the last word.
    """
    quantity = own if free is None else min(own, free)
    if quantity <= 0:
        return Decimal(0)
    return money.quantize_quantity(quantity, step=steps.lot_step)


def is_tradable(quantity: Decimal, *, price: Decimal, steps: TradingSteps) -> bool:
    """Tell whether *quantity* can be ordered at *price*."""
    whole = _whole_lots(quantity, steps)
    return _is_enough(whole, steps) and whole * price >= steps.minimum_notional


def is_closable(quantity: Decimal, *, price: Decimal, steps: TradingSteps) -> bool:
    """Tell whether a position of *quantity* can be closed at *price*; what cannot be is dust."""
    if steps.closes_any_worth:
        return _is_enough(_whole_lots(quantity, steps), steps)
    return is_tradable(quantity, price=price, steps=steps)


def _whole_lots(quantity: Decimal, steps: TradingSteps) -> Decimal:
    return money.from_lots(money.to_lots(abs(quantity), step=steps.lot_step), step=steps.lot_step)


def _is_enough(whole: Decimal, steps: TradingSteps) -> bool:
    return whole > 0 and whole >= steps.minimum_quantity


def reservation(
    quantity: Decimal,
    *,
    price: Decimal,
    fee_bps: Decimal,
    margin_bps: Decimal,
    leverage: Decimal = Decimal(1),
) -> Decimal:
    """Return the quote currency to set aside for a market order decided at *price*.

    *margin_bps* allows for the price moving before the order arrives. With *leverage* only that
    part of the worth is set aside, and the fee on all of it.
    """
    with localcontext(money.WIDE):
        worth = quantity * price
        needed = worth / leverage + worth * (fee_bps + margin_bps) / 10_000
        return needed.quantize(money.MONEY_QUANTUM, rounding=ROUND_UP)


def closing_side(quantity: Decimal) -> Side:
    """Return the side that closes a position of signed *quantity*."""
    return Side.SELL if quantity > 0 else Side.BUY
