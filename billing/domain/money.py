"""Amounts of money that people pay: whole minor units of a currency, rounded in one place."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Final

_USUAL_PLACES: Final = 2
#: Currencies whose smallest unit is not a hundredth (ISO 4217).
_PLACES: Final[Mapping[str, int]] = MappingProxyType(
    {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "JOD": 3, "TND": 3}
)


def places_of(currency: str) -> int:
    """Return how many decimals amounts in *currency* have."""
    return _PLACES.get(currency, _USUAL_PLACES)


def settled_amount(amount: Decimal, currency: str) -> Decimal:
    """Return *amount* in whole minor units of *currency*, halves away from zero."""
    return amount.quantize(Decimal(1).scaleb(-places_of(currency)), rounding=ROUND_HALF_UP)


def is_settled(amount: Decimal, currency: str) -> bool:
    """Tell whether *amount* is a whole number of minor units of *currency*."""
    return amount == settled_amount(amount, currency)


def plain(amount: Decimal) -> str:
    """Return *amount* as the shortest decimal text, without an exponent: ``20.5``."""
    return f"{amount.normalize():f}"
