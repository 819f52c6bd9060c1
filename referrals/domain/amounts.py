"""Amounts in words."""

from decimal import Decimal

from billing.domain.money import places_of


def money(amount: Decimal, currency: str) -> str:
    """Return *amount* with the decimals of its currency: ``9.60 USD``."""
    return f"{amount:.{places_of(currency)}f} {currency}"
