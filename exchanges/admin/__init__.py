"""The operators' lists of the exchanges."""

from exchanges.admin import accounts, candles, equity, venues

__all__ = ("accounts", "candles", "equity", "venues")
