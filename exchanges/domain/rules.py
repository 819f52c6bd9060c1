"""Trading rules for an instrument of which only candles are known."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles

#: A few prices off every step (averages, float noise) must not make the step absurdly fine.
_SHARE_ON_STEP: Final = 0.999
_RELATIVE_NOISE: Final = 1e-9

#: No venue prices or counts finer than this.
_MOST_DECIMALS: Final = 12
_MOST_LOT_DECIMALS: Final = 8

#: The least worth of an order, by what it is paid in; a dollar-like amount for anything else.
_MINIMUM_NOTIONALS: Final = {
    "BTC": Decimal("0.0001"),
    "ETH": Decimal("0.005"),
    "BNB": Decimal("0.05"),
}
_USUAL_MINIMUM_NOTIONAL: Final = Decimal(10)


@dataclass(frozen=True, slots=True)
class TradingRules:
    """Steps and least amounts: ``tick_size`` and ``minimum_notional`` in quote, the rest in base units."""

    tick_size: Decimal
    lot_step: Decimal
    minimum_quantity: Decimal
    minimum_notional: Decimal
    contract_size: Decimal = Decimal(1)


def derive_rules(candles: Candles, *, quote: str) -> TradingRules:
    """Return careful rules: the steps that (nearly) all prices and volumes show."""
    prices = np.concatenate([candles.open, candles.high, candles.low, candles.close])
    lot = _step(candles.volume, _MOST_LOT_DECIMALS)
    return TradingRules(
        tick_size=_step(prices, _MOST_DECIMALS),
        lot_step=lot,
        minimum_quantity=lot,
        minimum_notional=_MINIMUM_NOTIONALS.get(quote, _USUAL_MINIMUM_NOTIONAL),
    )


def _step(values: NDArray[np.float64], most_decimals: int) -> Decimal:
    for decimals in range(most_decimals):
        off = np.abs(np.round(values, decimals) - values)
        if np.mean(off <= _RELATIVE_NOISE * values) >= _SHARE_ON_STEP:
            return Decimal(1).scaleb(-decimals)
    return Decimal(1).scaleb(-most_decimals)
