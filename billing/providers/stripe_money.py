"""Amounts as Stripe counts them: as everybody does, but for two currencies that it keeps in hundredths.

https://docs.stripe.com/currencies (special cases) is where this is from.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from billing.domain.money import is_settled, places_of
from billing.providers.protocol import ProviderRejectedError

#: ISK and UGX have no smaller unit any more, but amounts in them are still sent in hundredths.
_PLACES: Final[Mapping[str, int]] = MappingProxyType({"ISK": 2, "UGX": 2})


def to_stripe_units(amount: Decimal, currency: str) -> int:
    """Return *amount* as Stripe counts; raise ProviderRejectedError for a fraction of the smallest unit."""
    units = amount.scaleb(_places_of(currency))
    if not is_settled(amount, currency.upper()) or units != units.to_integral_value():
        raise ProviderRejectedError("Stripe takes whole minor units only.")
    return int(units)


def from_stripe_units(units: int, currency: str) -> Decimal:
    """Return what Stripe means by *units* of a currency."""
    return Decimal(units).scaleb(-_places_of(currency))


def _places_of(currency: str) -> int:
    code = currency.upper()
    return _PLACES.get(code, places_of(code))
