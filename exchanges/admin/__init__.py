"""The operators' lists of the exchanges."""

from exchanges.admin import accounts, candles, venues

__all__ = ("accounts", "candles", "venues")
