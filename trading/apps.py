"""The application registry entry of trading."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Live and paper trading."""

    name = "trading"

    def ready(self) -> None:
        """Listen to the apps below."""
        from trading import subscribers  # noqa: PLC0415  models are not there any earlier

        subscribers.connect()
