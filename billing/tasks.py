"""Entry points of the workers; each is one call of a service."""

from django.utils import timezone

from billing.services import (
    checkout,
    development,
    ledger_checks,
    payment_checks,
    provider_events,
    recognition,
    refunds,
    subscriptions,
)
from foundation import tenancy
from foundation.queue import queued_task


@queued_task("billing.expire_subscriptions", queue="default")
def expire_subscriptions() -> None:
    """Carry out the ends of subscriptions that have come."""
    with tenancy.bypass("a sweep looks at everything"):
        subscriptions.expire_due(now=timezone.now())


@queued_task("billing.remind_of_ends", queue="default")
def remind_of_ends() -> None:
    """Remind people of subscriptions that end soon."""
    with tenancy.bypass("a sweep looks at everything"):
        subscriptions.remind_due(now=timezone.now())


@queued_task("billing.open_checkout", queue="default")
def open_checkout(*, payment_id: int) -> None:
    """Ask the provider for the money of an order."""
    checkout.open_checkout(payment_id=payment_id, now=timezone.now())


@queued_task("billing.sweep_orders", queue="default")
def sweep_orders() -> None:
    """Find orders whose message was lost, or that are to be tried again."""
    checkout.sweep_orders()


@queued_task("billing.process_provider_event", queue="default")
def process_provider_event(*, event_id: int) -> None:
    """Deal with a provider's notice."""
    provider_events.process(event_id=event_id, now=timezone.now())


@queued_task("billing.sweep_provider_events", queue="default")
def sweep_provider_events() -> None:
    """Find notices whose message was lost, or that are to be tried again."""
    provider_events.sweep()


@queued_task("billing.check_payment", queue="default")
def check_payment(*, payment_id: int) -> None:
    """Ask the provider how a payment stands."""
    payment_checks.check_payment(payment_id=payment_id, now=timezone.now())


@queued_task("billing.sweep_payments", queue="default")
def sweep_payments() -> None:
    """Find payments that are due to be asked about."""
    payment_checks.sweep(now=timezone.now())


@queued_task("billing.send_refund", queue="default")
def send_refund(*, refund_id: int) -> None:
    """Tell the provider to give money back."""
    refunds.send_refund(refund_id=refund_id, now=timezone.now())


@queued_task("billing.sweep_refunds", queue="default")
def sweep_refunds() -> None:
    """Find refunds whose message was lost, or that are to be tried again."""
    refunds.sweep_refunds()


@queued_task("billing.deliver_development_notice", queue="default")
def deliver_development_notice(*, notice_id: int) -> None:
    """Deliver a notice of the bank for development."""
    development.deliver(notice_id=notice_id, now=timezone.now())


@queued_task("billing.sweep_development", queue="default")
def sweep_development() -> None:
    """Move the charges of the bank for development on, and find its notices that were not taken."""
    now = timezone.now()
    development.move_on(now=now)
    development.sweep_notices()


@queued_task("billing.recognize_revenue", queue="default")
def recognize_revenue() -> None:
    """Book what was delivered until today."""
    recognition.recognize_due(now=timezone.now())


@queued_task("billing.verify_ledger", queue="default")
def verify_ledger() -> None:
    """Compare the books with themselves and with the payments."""
    ledger_checks.verify(now=timezone.now())
