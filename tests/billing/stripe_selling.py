"""An installation that sells through Stripe's stand-in, and the steps of its workers one after the other."""

from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from billing.models import Payment, ProviderEvent, Refund
from billing.services import checkout, payment_checks, provider_events, refunds
from tests.billing.buying import make_price, order
from tests.billing.stripe_fake import API_KEY, StripeServer
from tests.factories.accounts import make_person

URL = "/webhooks/stripe/"


def use_stripe(settings: Any, server: StripeServer) -> None:
    """Sell through this stand-in, which forgets what was before."""
    server.reset()
    settings.STRIPE_SECRET_KEY = API_KEY
    settings.STRIPE_API_BASE = server.base
    settings.STRIPE_WEBHOOK_SECRETS = (server.bank.webhook_secret, "")
    settings.PAYMENT_PROVIDER = "stripe"
    settings.PAYMENT_PROVIDERS = ["development", "stripe"]


def send(stripe: StripeServer, event: dict[str, Any], **proof: Any) -> Any:
    """Deliver the notice of an event to our address."""
    body, signature = stripe.bank.notice(event, **proof)
    return post(body, signature)


def post(body: bytes, signature: str) -> Any:
    """Deliver a body with that signature."""
    headers = {"Stripe-Signature": signature}
    return Client().post(URL, data=body, content_type="application/json", headers=headers)


def process_all() -> list[ProviderEvent]:
    """Deal with all notices that are stored, as a worker does, and return them."""
    for event in ProviderEvent.objects.order_by("pk"):
        provider_events.process(event_id=event.pk, now=timezone.now())
    return list(ProviderEvent.objects.order_by("pk"))


def tell_all(stripe: StripeServer) -> list[ProviderEvent]:
    """Deliver and deal with everything that the stand-in has to tell."""
    for event in stripe.bank.events:
        assert send(stripe, event).status_code == 200
    return process_all()


def retry_order(payment: Payment) -> Payment:
    """Let the next try of an order come."""
    Payment.objects.filter(pk=payment.pk).update(not_before=timezone.now() - timedelta(days=1))
    checkout.open_checkout(payment_id=payment.pk, now=timezone.now())
    payment.refresh_from_db()
    return payment


def retry_refund(refund: Refund) -> Refund:
    """Let the next try of a refund come."""
    Refund.objects.filter(pk=refund.pk).update(not_before=timezone.now() - timedelta(days=1))
    refunds.send_refund(refund_id=refund.pk, now=timezone.now())
    refund.refresh_from_db()
    return refund


def look(payment: Payment) -> Payment:
    """Ask the provider how a payment stands, without having been told."""
    Payment.objects.filter(pk=payment.pk).update(not_before=timezone.now() - timedelta(days=1))
    payment_checks.check_payment(payment_id=payment.pk, now=timezone.now())
    payment.refresh_from_db()
    return payment


def new_order(**price: Any) -> Payment:
    """Return an order of somebody new, whose checkout is open."""
    return order(make_person(), make_price(**price), now=timezone.now())


def buy(stripe: StripeServer, **price: Any) -> Payment:
    """Return a payment that was paid, told and settled."""
    payment = new_order(**price)
    stripe.bank.pay(payment.provider_reference)
    tell_all(stripe)
    payment.refresh_from_db()
    assert payment.state == "SETTLED"
    return payment
