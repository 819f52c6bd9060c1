"""The application registry entry of backtesting."""

from django.apps import AppConfig


class BacktestingConfig(AppConfig):
    """Simulations over recorded candles."""

    name = "backtesting"
