"""What a fill does to a position, exactly."""

from dataclasses import dataclass
from decimal import Decimal, localcontext

from market.enums import Direction, Side
from market.money import WIDE


@dataclass(frozen=True, slots=True)
class Position:
    """The signed net quantity of an instrument and what it has earned.

    ``quantity`` is in base units, negative when short; ``average_price`` is the average price of
    what is open, 0 when flat; ``realized_pnl`` is settled by closing fills and does not include
    ``fees``, which are shown apart; all amounts in quote.
    """

    quantity: Decimal
    average_price: Decimal
    realized_pnl: Decimal
    fees: Decimal

    @classmethod
    def flat(cls) -> "Position":
        """Return the position before its first fill."""
        return cls(Decimal(0), Decimal(0), Decimal(0), Decimal(0))

    @property
    def is_flat(self) -> bool:
        """Whether nothing is open."""
        return self.quantity == 0

    @property
    def direction(self) -> Direction | None:
        """Which way the position points; None when flat."""
        if self.is_flat:
            return None
        return Direction.LONG if self.quantity > 0 else Direction.SHORT

    @property
    def net_realized_pnl(self) -> Decimal:
        """What has been earned and paid so far: realized PnL less fees."""
        return self.realized_pnl - self.fees


def apply_fill(
    position: Position,
    *,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
    fee_in_base: Decimal = Decimal(0),
) -> Position:
    """Return *position* after an execution of *quantity* base units at *price*.

    ``fee`` is in quote (negative for a rebate); ``fee_in_base`` is taken out of the quantity, as
    spot venues do with a buy, and is valued at the fill's price. However a fill is split, the
    position is the same. Raises ValueError for a quantity or price that is not positive.
    """
    if quantity <= 0 or price <= 0:
        raise ValueError("A fill needs a positive quantity and a positive price.")
    with localcontext(WIDE):
        signed = quantity if side is Side.BUY else -quantity
        # A fee in base is base given away at this price: the same as trading that much less (a buy)
        # or more (a sell) and paying its worth in quote.
        delta = signed - fee_in_base
        fees = position.fees + fee + fee_in_base * price
        before = position.quantity
        after = before + delta
        if before * delta >= 0:
            average = (
                (before * position.average_price + delta * price) / after if after else Decimal(0)
            )
            return Position(after, average, position.realized_pnl, fees)
        closed = delta if abs(delta) <= abs(before) else -before
        realized = position.realized_pnl - closed * (price - position.average_price)
        if after == 0:
            return Position(Decimal(0), Decimal(0), realized, fees)
        flipped = (after > 0) != (before > 0)
        return Position(after, price if flipped else position.average_price, realized, fees)


def unrealized_pnl(position: Position, price: Decimal) -> Decimal:
    """Return what closing at *price* would earn before fees, in quote."""
    with localcontext(WIDE):
        return position.quantity * (price - position.average_price)
