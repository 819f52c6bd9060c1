"""What a position had earned at instants of the past, by what executions have moved since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from market.enums import Side

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Change:
    """What an execution, or a funding, changed: the quantity held, and cash with fees, both signed."""

    at: datetime
    quantity: Decimal
    cash: Decimal


def change_of(
    *,
    at: datetime,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    fee_in_quote: Decimal,
    fee_in_base: Decimal = _NOTHING,
) -> Change:
    """Return what an execution changed; *fee_in_quote* is all of its fee, *fee_in_base* taken in base."""
    signed = quantity if side is Side.BUY else -quantity
    # A fee in base is base given away: that much less is held, as in ``market.positions``.
    moved = signed - fee_in_base
    return Change(at, moved, -moved * price - fee_in_quote)


def results_back(
    instants: Sequence[datetime],
    changes: Sequence[Change],
    *,
    held: Decimal,
    price: Decimal,
    net: Decimal,
    price_at: Mapping[datetime, Decimal],
) -> list[Decimal]:
    """Return the net result at each of *instants*, oldest first, open positions included.

    ``held``, ``price`` and ``net`` are those of the present; where ``price_at`` says nothing the
    present price counts. A result is cash plus what is held at its price, so that of the past is
    the present one without what executions have moved since, and without the change of price.
    """
    newest_first = sorted(changes, key=lambda each: each.at, reverse=True)
    found = []
    quantity, cash, place = held, _NOTHING, 0
    for instant in reversed(instants):
        while place < len(newest_first) and newest_first[place].at > instant:
            quantity -= newest_first[place].quantity
            cash += newest_first[place].cash
            place += 1
        worth = quantity * price_at.get(instant, price)
        found.append(net - cash - held * price + worth)
    return found[::-1]
