"""The operators' lists of billing, and what operators decide there."""

from billing.admin import deeds, lists, money

__all__ = ("deeds", "lists", "money")
