"""What trading an instrument costs, and the steps in which it is traded."""

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from market import money
from market.enums import Liquidity, Side
from market.kernel.records import COSTS

#: Relative slack for "is this float a whole number of steps": a quotient of two decimals written as
#: float64 is off by a few units in the last place (2.2e-16), never by this much.
STEP_SLACK = 1e-12

_BPS = 1e-4


@dataclass(frozen=True, slots=True)
class Costs:
    """Fees and frictions in basis points of notional, and the venue's steps; constant over a run.

    Fees are booked in quote currency. ``spread_bps`` is the full distance between bid and ask:
    whoever takes liquidity pays half of it, plus ``slippage_bps``. ``tick_size`` is the price of
    one tick in quote, ``lot_step`` the quantity of one lot in base, ``minimum_notional`` in quote.
    A leveraged position is liquidated once the equity behind it is only ``maintenance_bps`` of its
    notional; 0 where nothing is lent, as on spot.
    """

    maker_fee_bps: float
    taker_fee_bps: float
    slippage_bps: float
    spread_bps: float
    tick_size: float
    lot_step: float
    minimum_notional: float
    minimum_lots: int = 1
    maintenance_bps: float = 0.0

    def __post_init__(self) -> None:
        for name in ("tick_size", "lot_step"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive number, not {value}.")
        for name in ("maker_fee_bps", "taker_fee_bps"):
            if not abs(getattr(self, name)) < 1 / _BPS:
                raise ValueError(f"{name} must lie within 100 % of notional.")
        for name in ("slippage_bps", "spread_bps"):
            if not 0 <= getattr(self, name) < 1 / _BPS:
                raise ValueError(f"{name} must be 0 or more and under 100 % of the price.")
        if not 0 <= self.maintenance_bps < 1 / _BPS:
            raise ValueError("maintenance_bps must be 0 or more and under 100 % of notional.")
        if not self.minimum_notional >= 0 or self.minimum_lots < 0:
            raise ValueError("minimum_notional and minimum_lots must be 0 or more.")

    @classmethod
    def from_decimals(
        cls,
        *,
        maker_fee_bps: Decimal,
        taker_fee_bps: Decimal,
        slippage_bps: Decimal,
        spread_bps: Decimal,
        tick_size: Decimal,
        lot_step: Decimal,
        minimum_notional: Decimal,
        minimum_quantity: Decimal = Decimal(0),
        maintenance_bps: Decimal = Decimal(0),
    ) -> "Costs":
        """Build the costs from an instrument's exact rules, ``minimum_quantity`` in base units."""
        whole_lots = money.to_lots(minimum_quantity, step=lot_step)
        short = money.from_lots(whole_lots, step=lot_step) < minimum_quantity
        return cls(
            maker_fee_bps=money.float_of(maker_fee_bps),
            taker_fee_bps=money.float_of(taker_fee_bps),
            slippage_bps=money.float_of(slippage_bps),
            spread_bps=money.float_of(spread_bps),
            tick_size=money.float_of(tick_size),
            lot_step=money.float_of(lot_step),
            minimum_notional=money.float_of(minimum_notional),
            minimum_lots=max(whole_lots + int(short), 1),
            maintenance_bps=money.float_of(maintenance_bps),
        )

    @property
    def maker_rate(self) -> float:
        """The maker fee as a fraction of notional."""
        return self.maker_fee_bps * _BPS

    @property
    def taker_rate(self) -> float:
        """The taker fee as a fraction of notional."""
        return self.taker_fee_bps * _BPS

    @property
    def adverse_rate(self) -> float:
        """What taking liquidity costs: slippage and half of the spread, as a fraction."""
        return (self.slippage_bps + self.spread_bps / 2) * _BPS

    @property
    def maintenance_rate(self) -> float:
        """The maintenance margin as a fraction of notional."""
        return self.maintenance_bps * _BPS

    def fee_rate(self, liquidity: Liquidity) -> float:
        """Return the fee for a fill, as a fraction of notional."""
        return self.maker_rate if liquidity is Liquidity.MAKER else self.taker_rate

    def notional(self, lots: int, price: float) -> float:
        """Return what *lots* are worth at *price*, in quote."""
        return lots * self.lot_step * price

    def price_of(self, ticks: int) -> float:
        """Return the price of *ticks* as a float."""
        return ticks * self.tick_size

    def slipped(self, price: float, side: Side) -> float:
        """Return *price* after slippage and half of the spread, worse for *side*."""
        return (
            price * (1 + self.adverse_rate) if side is Side.BUY else price * (1 - self.adverse_rate)
        )

    def ticks_up(self, price: float) -> int:
        """Return the fewest ticks that are not below *price* (what a buyer pays at worst)."""
        count = price / self.tick_size
        return math.ceil(count - abs(count) * STEP_SLACK)

    def ticks_down(self, price: float) -> int:
        """Return the most ticks that are not above *price* (what a seller gets at worst)."""
        count = price / self.tick_size
        return math.floor(count + abs(count) * STEP_SLACK)

    def lots_down(self, quantity: float) -> int:
        """Return how many whole lots fit into *quantity* base units."""
        count = quantity / self.lot_step
        return math.floor(count + abs(count) * STEP_SLACK)


@lru_cache(maxsize=256)
def costs_record(costs: Costs) -> NDArray[np.void]:
    """Return *costs* as the compiled functions take them, a COSTS array of shape ``(1,)``."""
    return np.array([tuple(getattr(costs, name) for name in COSTS.names or ())], dtype=COSTS)
