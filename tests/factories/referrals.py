"""People who bring others, and what comes of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from django.db import transaction

from accounts.models import User
from billing.events import PAYMENT_REFUNDED, PAYMENT_SETTLED
from foundation import events
from foundation.audit import Actor
from foundation.models import OutboxEvent
from referrals.models import Attribution, Commission, Payout
from referrals.services import attributions, codes, commissions, payouts
from referrals.services.hints import make_hint
from tests.factories.accounts import make_person

SIGNED_UP_AT = datetime(2026, 1, 10, 12, tzinfo=UTC)
PAID_AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
PAYABLE_AT = PAID_AT + timedelta(days=30)
OPERATOR = Actor.system("test-operator")
_numbers = count(1)


def make_referrer(email: str = "ada@example.com") -> User:
    """Return a person with a code."""
    person = make_person(email)
    codes.ensure_code(owner_id=person.pk)
    return person


def code_of(person: User) -> str:
    """Return the code of a person, made the first time."""
    return codes.ensure_code(owner_id=person.pk).code


def bring(
    referrer: User,
    email: str = "",
    *,
    followed_at: datetime = SIGNED_UP_AT - timedelta(days=1),
    signed_up_at: datetime = SIGNED_UP_AT,
) -> User:
    """Return a new person who signed up after following the link of *referrer*."""
    person = make_person(email or f"brought-{next(_numbers)}@example.com")
    attribute(person, code_of(referrer), followed_at=followed_at, signed_up_at=signed_up_at)
    return person


def attribute(
    person: User,
    code: str,
    *,
    followed_at: datetime = SIGNED_UP_AT - timedelta(days=1),
    signed_up_at: datetime = SIGNED_UP_AT,
) -> Attribution | None:
    """Let *person* have signed up after following the link with *code*."""
    hint = make_hint(code=code, now=followed_at)
    return attributions.attribute(referred_id=person.pk, hint=hint, signed_up_at=signed_up_at)


def pay(
    payer: User,
    net: str = "96.80",
    *,
    payment_id: int | None = None,
    payment_number: int = 1,
    currency: str = "USD",
    at: datetime = PAID_AT,
) -> Commission | None:
    """Return what a payment earns that brought *net* after the provider's fee."""
    return commissions.accrue(
        payment_id=payment_id or next(_numbers),
        referred_id=payer.pk,
        payment_number=payment_number,
        currency=currency,
        net=Decimal(net),
        settled_at=at,
    )


def earn(
    referrer: User, net: str = "500", *, is_payable: bool = True, currency: str = "USD"
) -> Commission:
    """Return a commission of *referrer* for the first payment of somebody new, payable or pending."""
    commission = pay(bring(referrer), net, currency=currency)
    assert commission is not None
    if is_payable:
        commissions.mature_due(now=PAYABLE_AT)
        commission.refresh_from_db()
    return commission


def ask(
    person: User, *, currency: str = "USD", now: datetime = PAYABLE_AT, request_key: str = ""
) -> Payout:
    """Return the payout that *person* asks for."""
    return payouts.request_payout(
        owner=person,
        currency=currency,
        method="BANK",
        destination="DE89 3704 0044 0532 0130 00",
        request_key=request_key,
        by=Actor.person(person.pk),
        now=now,
    )


def tell_settled(
    payer: User, net: str = "96.80", *, payment_id: int, sequence: int = 1, at: datetime = PAID_AT
) -> OutboxEvent:
    """Return the event by which billing says that a payment is settled."""
    with transaction.atomic():
        return events.publish(
            PAYMENT_SETTLED,
            occurred_at=at,
            owner_id=payer.pk,
            payment_id=payment_id,
            currency="USD",
            amount="100",
            fee=str(Decimal(100) - Decimal(net)),
            net=net,
            sequence=sequence,
        )


def tell_refunded(
    payer: User,
    amount: str = "100",
    *,
    payment_id: int,
    refund_id: int,
    total: str = "",
    at: datetime = PAID_AT + timedelta(days=3),
) -> OutboxEvent:
    """Return the event by which billing says that *amount* of a payment of 100 went back."""
    with transaction.atomic():
        return events.publish(
            PAYMENT_REFUNDED,
            occurred_at=at,
            owner_id=payer.pk,
            payment_id=payment_id,
            refund_id=refund_id,
            currency="USD",
            amount=amount,
            total_refunded=total or amount,
            paid="100",
        )


def deliver(event: OutboxEvent) -> None:
    """Deliver an event as a worker does."""
    events.deliver(event_id=event.pk, now=event.occurred_at)
