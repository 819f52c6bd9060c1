"""What the environment says about Stripe has to fit together; no value is ever shown."""

import re
from typing import Final

_KEY: Final = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9]{16,250}")
_WEBHOOK_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]{16,250}")


def usual_payment_provider(*, app_env: str, stripe_secret_key: str) -> str:
    """Return who takes the money if nobody says: Stripe with a key, in production otherwise nobody."""
    if stripe_secret_key:
        return "stripe"
    return "none" if app_env == "production" else "development"


def payment_problems(
    *,
    app_env: str,
    payment_provider: str,
    secret_key: str,
    webhook_secrets: tuple[str, str],
    api_base: str,
) -> tuple[str, ...]:
    """Return what is wrong: a key of the other mode, or one without what proves its notices.

    *webhook_secrets* are that in use and the one before it.
    """
    secret, previous = webhook_secrets
    problems = list(_key_problems(secret_key, app_env=app_env))
    if secret_key and not secret:
        problems.append("STRIPE_WEBHOOK_SECRET: is required with STRIPE_SECRET_KEY")
    if not secret_key and (secret or previous):
        problems.append("STRIPE_SECRET_KEY: is required with STRIPE_WEBHOOK_SECRET")
    if not secret_key and payment_provider == "stripe":
        problems.append("PAYMENT_PROVIDER: stripe needs STRIPE_SECRET_KEY")
    names = ("STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET_PREVIOUS")
    for name, value in zip(names, webhook_secrets, strict=True):
        if value and not _WEBHOOK_SECRET.fullmatch(value):
            problems.append(f"{name}: expected a signing secret, which starts with whsec_")
    if secret and secret == previous:
        problems.append("STRIPE_WEBHOOK_SECRET_PREVIOUS: must differ from STRIPE_WEBHOOK_SECRET")
    if api_base and app_env == "production":
        problems.append("STRIPE_API_BASE: is for tests, and refused when APP_ENV=production")
    return tuple(problems)


def _key_problems(key: str, *, app_env: str) -> tuple[str, ...]:
    if not key:
        return ()
    found = _KEY.fullmatch(key)
    if found is None:
        return (
            "STRIPE_SECRET_KEY: expected a secret or restricted key: sk_ or rk_, then test_ or live_",
        )
    if (found[1] == "live") != (app_env == "production"):
        return (f"STRIPE_SECRET_KEY: is a {found[1]} key but APP_ENV={app_env}",)
    return ()
