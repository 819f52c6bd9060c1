"""How much a payment earns, and what a refund leaves of it.

Amounts are decimals in the currency of the payment, rounded down to its smallest coin: the platform
never owes a fraction more than the rate says.
"""

from decimal import ROUND_DOWN, Decimal

from market.money import WIDE


def commission_on(net: Decimal, *, rate: Decimal, exponent: int) -> Decimal:
    """Return *rate* of what a payment brought after fees; 0 if it brought nothing.

    *exponent* is the number of decimals of the currency.
    """
    if net <= 0:
        return Decimal(0)
    quantum = Decimal(1).scaleb(-exponent)
    return WIDE.multiply(net, rate).quantize(quantum, rounding=ROUND_DOWN, context=WIDE)


def commission_left(
    net: Decimal, *, refunded: Decimal, amount: Decimal, rate: Decimal, exponent: int
) -> Decimal:
    """Return what stays of a commission of *amount* after *refunded* of the payment went back in all.

    The provider keeps its fee when money goes back, so what is left of the payment is *net* less the
    refunds, and the commission is the rate of that: 0 after a full refund.
    """
    return min(amount, commission_on(net - refunded, rate=rate, exponent=exponent))
