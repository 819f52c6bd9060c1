"""The application registry entry of the referrals."""

from django.apps import AppConfig


class ReferralsConfig(AppConfig):
    """Who brought whom."""

    name = "referrals"

    def ready(self) -> None:
        """Follow sign-ups, payments and refunds; compare commissions with the books."""
        from referrals import subscribers  # noqa: PLC0415  the registry must be ready first

        subscribers.connect()
