"""The application registry entry of the exchanges."""

from django.apps import AppConfig


class ExchangesConfig(AppConfig):
    """Venues, instruments, accounts with their keys, candles."""

    name = "exchanges"

    def ready(self) -> None:
        """Tell billing what counts against its limits, and listen to the apps below."""
        from exchanges import subscribers  # noqa: PLC0415  models are not there any earlier
        from exchanges.selectors import usage  # noqa: PLC0415  models are not there any earlier

        usage.connect()
        subscribers.connect()
