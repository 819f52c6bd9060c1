"""The application registry entry of backtesting."""

from django.apps import AppConfig


class BacktestingConfig(AppConfig):
    """Simulations over recorded candles."""

    name = "backtesting"

    def ready(self) -> None:
        """Tell billing what counts against its limits."""
        from backtesting.selectors import usage  # noqa: PLC0415  models are not there any earlier

        usage.connect()
