"""What trades here and by which steps: the filters of the Binance spot API."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from exchanges.simulator import errors

ORDER_TYPES: Final = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT")
MAX_OPEN_ORDERS: Final = 200
MAX_STOP_ORDERS: Final = 20
#: A limit price may not be further away from the market than these multiples of it.
HIGHEST_PRICE_RATIO: Final = Decimal(5)
LOWEST_PRICE_RATIO: Final = Decimal("0.2")

_LARGEST_PRICE: Final = Decimal("10000000.00000000")
_LARGEST_QUANTITY: Final = Decimal("90000000.00000000")
_LARGEST_NOTIONAL: Final = Decimal("9000000.00000000")


@dataclass(frozen=True, slots=True)
class Instrument:
    """One market: ``tick`` in quote, ``lot`` in base, ``min_notional`` in quote currency.

    Prices are made in ticks and quantities in lots. The factors make the rules for orders stricter
    than that; a market that is not listed takes no orders.
    """

    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    tick_factor: int = 1
    lot_factor: int = 1
    notional_factor: int = 1
    is_listed: bool = True

    @property
    def price_step(self) -> Decimal:
        """The grid on which the prices of orders must lie."""
        return self.tick * self.tick_factor

    @property
    def quantity_step(self) -> Decimal:
        """The grid on which the quantities of orders must lie."""
        return self.lot * self.lot_factor

    @property
    def smallest_notional(self) -> Decimal:
        """What an order must be worth at least."""
        return self.min_notional * self.notional_factor

    @property
    def symbol(self) -> str:
        """The code that the API uses, ``BTCUSDT``."""
        return self.base + self.quote

    @property
    def name(self) -> str:
        """The code that people use, ``BTC/USDT``."""
        return f"{self.base}/{self.quote}"

    def price_of(self, ticks: int) -> Decimal:
        """Return the price of a whole number of ticks, exactly."""
        return ticks * self.tick

    def quantity_of(self, lots: int) -> Decimal:
        """Return the quantity of a whole number of lots, exactly."""
        return lots * self.lot

    def ticks_of(self, price: Decimal) -> int:
        """Return the ticks of a price that lies on the grid; refuse any other."""
        if price % self.price_step or not self.price_step <= price <= _LARGEST_PRICE:
            raise errors.filter_failure("PRICE_FILTER")
        return int(price / self.tick)

    def lots_of(self, quantity: Decimal) -> int:
        """Return the lots of a quantity that lies on the grid; refuse any other."""
        step = self.quantity_step
        if quantity % step or not step <= quantity <= _LARGEST_QUANTITY:
            raise errors.filter_failure("LOT_SIZE")
        return int(quantity / self.lot)

    def check_notional(self, *, price: Decimal, quantity: Decimal) -> None:
        """Refuse an order that is worth too little or too much."""
        if not self.smallest_notional <= price * quantity <= _LARGEST_NOTIONAL:
            raise errors.filter_failure("NOTIONAL")

    def check_price_band(self, *, price: Decimal, market_price: Decimal) -> None:
        """Refuse a limit price that is absurdly far from the market."""
        highest, lowest = market_price * HIGHEST_PRICE_RATIO, market_price * LOWEST_PRICE_RATIO
        if not lowest <= price <= highest:
            raise errors.filter_failure("PERCENT_PRICE_BY_SIDE")

    def present(self) -> dict[str, object]:
        """Return the entry of this market in the answer to ``exchangeInfo``."""
        return {
            "symbol": self.symbol,
            "status": "TRADING" if self.is_listed else "BREAK",
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": list(ORDER_TYPES),
            "icebergAllowed": False,
            "ocoAllowed": False,
            "otoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": False,
            "cancelReplaceAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": self._present_filters(),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "NONE",
            "allowedSelfTradePreventionModes": ["NONE"],
        }

    def _present_filters(self) -> list[dict[str, object]]:
        lot_size = {
            "minQty": present_number(self.quantity_step),
            "maxQty": present_number(_LARGEST_QUANTITY),
            "stepSize": present_number(self.quantity_step),
        }
        return [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": present_number(self.price_step),
                "maxPrice": present_number(_LARGEST_PRICE),
                "tickSize": present_number(self.price_step),
            },
            {"filterType": "LOT_SIZE", **lot_size},
            {"filterType": "MARKET_LOT_SIZE", **lot_size},
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": str(HIGHEST_PRICE_RATIO),
                "bidMultiplierDown": str(LOWEST_PRICE_RATIO),
                "askMultiplierUp": str(HIGHEST_PRICE_RATIO),
                "askMultiplierDown": str(LOWEST_PRICE_RATIO),
                "avgPriceMins": 0,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": present_number(self.smallest_notional),
                "applyMinToMarket": True,
                "maxNotional": present_number(_LARGEST_NOTIONAL),
                "applyMaxToMarket": True,
                "avgPriceMins": 0,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_OPEN_ORDERS},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MAX_STOP_ORDERS},
        ]


def present_number(number: Decimal) -> str:
    """Return *number* as the API writes numbers: plain, with eight decimals."""
    return f"{number:.8f}"


#: The steps of the markets that ship, as Binance has them: tick, lot.
_KNOWN_STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "BTC/USDT": ("0.01", "0.00001"),
    "ETH/USDT": ("0.01", "0.0001"),
    "BNB/USDT": ("0.01", "0.001"),
    "SOL/USDT": ("0.01", "0.001"),
}
_MIN_NOTIONALS: Final[Mapping[str, str]] = {"BTC": "0.0001", "ETH": "0.001", "BNB": "0.01"}


def describe(base: str, quote: str, *, typical_price: float) -> Instrument:
    """Return the rules of a market; unknown ones get steps that fit their *typical_price*.

    A tick is then about 1/10,000 of the price, a lot is worth a few units of quote currency,
    and one tick of one lot is never finer than eight decimals.
    """
    steps = _KNOWN_STEPS.get(f"{base}/{quote}")
    if steps is None:
        magnitude = math.floor(math.log10(typical_price))
        tick = Decimal(1).scaleb(max(-8, min(magnitude - 4, 0)))
        lot = Decimal(1).scaleb(max(-5, min(-magnitude - 1, 0)))
    else:
        tick, lot = (Decimal(step) for step in steps)
    min_notional = Decimal(_MIN_NOTIONALS.get(quote, "5"))
    return Instrument(base=base, quote=quote, tick=tick, lot=lot, min_notional=min_notional)
