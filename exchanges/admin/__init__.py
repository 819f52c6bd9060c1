"""Lists for operators, one aggregate a module."""

from exchanges.admin import accounts

__all__ = ("accounts",)
