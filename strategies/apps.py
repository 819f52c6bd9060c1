"""The application registry entry of the strategies."""

from django.apps import AppConfig


class StrategiesConfig(AppConfig):
    """The catalogue, and the pure code behind it."""

    name = "strategies"
