"""A stand-in for Stripe: its checkout, payments, refunds and notices, with state, over HTTP on this machine.

It is written after Stripe's public documentation and the official library's types. What it proves is
that the platform does as documented; not that Stripe does.
"""

from tests.billing.stripe_fake.bank import FakeStripe
from tests.billing.stripe_fake.server import API_KEY, StripeServer, serve

__all__ = ["API_KEY", "FakeStripe", "StripeServer", "serve"]
