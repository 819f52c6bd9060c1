"""The operators' lists of trading; services own the rows, so nothing is edited here."""

from trading.admin import (
    decisions,
    deployments,
    drift_reports,
    orders,
    positions,
    reconciliations,
    restrictions,
)

__all__ = (
    "decisions",
    "deployments",
    "drift_reports",
    "orders",
    "positions",
    "reconciliations",
    "restrictions",
)
