"""Where exact decimals meet whole lots and ticks, and where decimals meet floats.

Rows, pages and venues speak ``Decimal``; the simulation kernel speaks whole lots and ticks (int64)
and float64 cash. Both are converted here and nowhere else.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

#: Decimal places of every stored quantity, price and amount.
MONEY_PLACES: Final = 18

#: The smallest amount that a row can hold.
MONEY_QUANTUM: Final = Decimal(1).scaleb(-MONEY_PLACES)

#: Wide enough that products and quotients of 38-digit amounts lose nothing that a row could hold.
WIDE: Final = Context(prec=80)


def quantize_money(amount: Decimal) -> Decimal:
    """Return *amount* rounded to what a row can hold, half to even."""
    return amount.quantize(MONEY_QUANTUM, rounding=ROUND_HALF_EVEN, context=WIDE)


def quantize_quantity(quantity: Decimal, *, step: Decimal) -> Decimal:
    """Round *quantity* toward zero to a whole number of lots (never trade more than asked)."""
    return _round_to(quantity, _positive(step, "step"), ROUND_DOWN)


def quantize_price(price: Decimal, *, tick: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Round *price* to a whole number of ticks, to the nearest unless *rounding* says otherwise."""
    return _round_to(price, _positive(tick, "tick"), rounding)


def to_lots(quantity: Decimal, *, step: Decimal) -> int:
    """Return how many whole lots *quantity* holds, rounded toward zero."""
    return _count(quantity, _positive(step, "step"), ROUND_DOWN)


def from_lots(lots: int, *, step: Decimal) -> Decimal:
    """Return the quantity of *lots*, exactly."""
    return WIDE.multiply(Decimal(lots), _positive(step, "step"))


def to_ticks(price: Decimal, *, tick: Decimal) -> int:
    """Return the number of ticks nearest to *price*, half to even."""
    return _count(price, _positive(tick, "tick"), ROUND_HALF_EVEN)


def from_ticks(ticks: int, *, tick: Decimal) -> Decimal:
    """Return the price of *ticks*, exactly."""
    return WIDE.multiply(Decimal(ticks), _positive(tick, "tick"))


def decimal_of(value: float) -> Decimal:
    """Return the shortest decimal that reads back as *value*; raise ValueError unless finite.

    ``0.1`` becomes ``Decimal("0.1")`` and not the 55 digits of its binary expansion.
    """
    decimal = Decimal(repr(float(value)))
    if not decimal.is_finite():
        raise ValueError(f"{value} is not an amount.")
    return decimal


def float_of(value: Decimal) -> float:
    """Return the float64 nearest to *value*; raise ValueError unless finite."""
    if not value.is_finite():
        raise ValueError(f"{value} is not an amount.")
    return float(value)


def _positive(increment: Decimal, name: str) -> Decimal:
    if not increment.is_finite() or increment <= 0:
        raise ValueError(f"The {name} must be a positive number, not {increment}.")
    return increment


def _count(value: Decimal, increment: Decimal, rounding: str) -> int:
    return int(WIDE.divide(value, increment).to_integral_value(rounding=rounding))


def _round_to(value: Decimal, increment: Decimal, rounding: str) -> Decimal:
    return WIDE.multiply(Decimal(_count(value, increment, rounding)), increment)
