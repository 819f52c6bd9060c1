"""The operators' lists of the catalogue, and what operators decide about it."""

from strategies.admin import deeds, lists

__all__ = ("deeds", "lists")
