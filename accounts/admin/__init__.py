"""The operators' lists of people, of what they sign in with, and of what they were told."""

from accounts.admin import access, people, told

__all__ = ("access", "people", "told")
