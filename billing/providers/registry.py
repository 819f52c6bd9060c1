"""The providers of this installation, by code."""

from django.conf import settings

from billing.providers.development import DevelopmentProvider
from billing.providers.protocol import PaymentProvider, ProviderNotConfiguredError
from billing.providers.stripe import StripeProvider

_ALL: dict[str, PaymentProvider] = {
    DevelopmentProvider.code: DevelopmentProvider(),
    StripeProvider.code: StripeProvider(),
}


def find_provider(code: str) -> PaymentProvider | None:
    """Return the provider of a code, or None if there is none here (see ``PAYMENT_PROVIDERS``)."""
    return _ALL.get(code) if code in settings.PAYMENT_PROVIDERS else None


def get_provider(code: str) -> PaymentProvider:
    """Return the provider of a code; raise ProviderNotConfiguredError if there is none here."""
    provider = find_provider(code)
    if provider is None:
        raise ProviderNotConfiguredError(f"There is no payment provider “{code[:20]}” here.")
    return provider


def find_selling_provider() -> PaymentProvider | None:
    """Return the provider that new orders go to, or None where nothing is sold."""
    return find_provider(settings.PAYMENT_PROVIDER)
