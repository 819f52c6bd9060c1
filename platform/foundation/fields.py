"""Columns that every app writes the same way."""

from typing import Any

from django.db import models


def money_field(**options: Any) -> "models.DecimalField[Any, Any]":
    """A quantity, price or amount: 38 digits, 18 of them after the point."""
    return models.DecimalField(max_digits=38, decimal_places=18, **options)
