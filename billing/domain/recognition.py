"""How much of a payment is delivered by a day: the same for each day of what was bought."""

from datetime import date
from decimal import Decimal

from billing.domain.money import settled_amount


def delivered(deferred: Decimal, currency: str, *, since: date, until: date, end: date) -> Decimal:
    """Return what of *deferred* the days ``[since, until)`` deliver, of those until *end*.

    In whole minor units; the last day takes the rest, so that the days sum to all of it.
    """
    if until <= since:
        return Decimal(0)
    if until >= end:
        return deferred
    share = Decimal((until - since).days) / Decimal((end - since).days)
    return min(deferred, settled_amount(deferred * share, currency))
