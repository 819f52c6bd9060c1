"""A person who buys: the steps of an order as the worker would do them, one after the other."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from accounts.models import User
from billing.models import (
    DevelopmentCharge,
    DevelopmentNotice,
    Payment,
    Price,
    ProviderEvent,
    Refund,
)
from billing.services import checkout, development, products, provider_events, refunds
from foundation.audit import Actor
from foundation.models import OutboxEvent
from tests.factories import billing as factory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_price(
    product_code: str = "plan:pro",
    amount: str = "29",
    interval: str = "MONTH",
    currency: str = "USD",
) -> Price:
    """Return the price in force of a product."""
    products.sync_plans(now=factory.LONG_AGO)
    price = products.set_price(
        product_code=product_code,
        interval=interval,
        amount=Decimal(amount),
        currency=currency,
        by=factory.STAFF,
        now=factory.LONG_AGO,
    )
    assert price is not None
    return price


def place(
    person: User, price: Price, *, now: datetime = NOW, request_key: UUID | None = None
) -> Payment:
    """Return an order of which the provider has not heard."""
    return checkout.place_order(
        owner=person,
        price_id=price.public_id,
        request_key=request_key or uuid4(),
        by=Actor.person(person.pk),
        now=now,
    )


def order(
    person: User, price: Price, *, now: datetime = NOW, request_key: UUID | None = None
) -> Payment:
    """Return an order whose checkout is open."""
    payment = place(person, price, now=now, request_key=request_key)
    checkout.open_checkout(payment_id=payment.pk, now=now)
    payment.refresh_from_db()
    return payment


def charge_of(payment: Payment) -> DevelopmentCharge:
    """Return the charge at the bank."""
    return DevelopmentCharge.objects.get(reference=payment.provider_reference)


def deliver_all(*, now: datetime = NOW) -> list[ProviderEvent]:
    """Deliver all notices of the bank, and deal with all that are stored; return those."""
    for notice in DevelopmentNotice.objects.filter(delivered_at=None).order_by("pk"):
        development.deliver(notice_id=notice.pk, now=now)
    for event in ProviderEvent.objects.order_by("pk"):
        provider_events.process(event_id=event.pk, now=now)
    return list(ProviderEvent.objects.order_by("pk"))


def expire_all(*, now: datetime = NOW) -> None:
    """Let everything that waits at the bank expire."""
    DevelopmentCharge.objects.filter(state="OPEN").update(created_at=now - timedelta(days=2))
    development.move_on(now=now)
    deliver_all(now=now)


def pay(payment: Payment, *, now: datetime = NOW) -> Payment:
    """Pay an order at the bank, and return it as it stands after all notices."""
    development.pay(reference=charge_of(payment).reference, now=now)
    deliver_all(now=now)
    payment.refresh_from_db()
    return payment


def buy(person: User, price: Price | None = None, *, now: datetime = NOW) -> Payment:
    """Return a settled payment."""
    return pay(order(person, price or make_price(), now=now), now=now)


def give_back(payment: Payment, amount: str | None = None, *, now: datetime = NOW) -> Refund:
    """Return a refund that was sent."""
    refund = refunds.request_refund(
        payment_id=payment.pk,
        amount=Decimal(amount) if amount else None,
        by=factory.STAFF,
        now=now,
    )
    refunds.send_refund(refund_id=refund.pk, now=now)
    refund.refresh_from_db()
    payment.refresh_from_db()
    return refund


def events_called(name: str) -> list[dict[str, Any]]:
    """Return the payloads of the published events of a name, oldest first."""
    return list(
        OutboxEvent.objects.filter(name=name).order_by("pk").values_list("payload", flat=True)
    )
