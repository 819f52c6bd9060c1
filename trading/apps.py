"""The application registry entry of trading."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Live and paper trading."""

    name = "trading"
