"""The operators' lists of trading; services own the rows, so nothing is edited here."""

from trading.admin import decisions, deployments, orders, positions, reconciliations

__all__ = ("decisions", "deployments", "orders", "positions", "reconciliations")
