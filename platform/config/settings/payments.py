"""Who takes the money, and what proves a notice of theirs."""

import hmac

from config.settings.environment import ENVIRONMENT

#: Who takes the money for new orders; ``none`` sells nothing.
PAYMENT_PROVIDER = ENVIRONMENT.payment_provider
#: Whose notices are taken, and who is asked about orders that are there: the bank for development also in tests of
#: another provider, but in production only where somebody chose it; Stripe wherever there is a key for it.
PAYMENT_PROVIDERS: list[str] = (
    ["development"]
    if PAYMENT_PROVIDER == "development" or ENVIRONMENT.app_env != "production"
    else []
)
if ENVIRONMENT.stripe_secret_key:
    PAYMENT_PROVIDERS.append("stripe")
STRIPE_SECRET_KEY = ENVIRONMENT.stripe_secret_key
#: What proves notices of Stripe: the secret in use, and the one before it.
STRIPE_WEBHOOK_SECRETS: tuple[str, str] = (
    ENVIRONMENT.stripe_webhook_secret,
    ENVIRONMENT.stripe_webhook_secret_previous,
)
#: Where Stripe's stand-in answers, in tests; empty for Stripe itself.
STRIPE_API_BASE = ENVIRONMENT.stripe_api_base
#: What proves notices of the bank for development: the secret in use, and the one before it.
DEVELOPMENT_WEBHOOK_SECRETS: tuple[str, str] = (
    hmac.new(
        ENVIRONMENT.installation_salt.encode(), b"notices of the development bank", "sha256"
    ).hexdigest(),
    "",
)
