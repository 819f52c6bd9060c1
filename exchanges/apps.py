"""The application registry entry of the exchanges."""

from django.apps import AppConfig


class ExchangesConfig(AppConfig):
    """Venues, instruments, accounts with their keys, candles."""

    name = "exchanges"
