"""What the referrals do when something happens elsewhere, and what they tell about the books."""

from decimal import Decimal

from accounts.events import PERSON_REGISTERED
from billing.events import PAYMENT_REFUNDED, PAYMENT_SETTLED
from billing.services import ledger_checks
from foundation.events import Event, subscribe
from referrals.selectors import checks
from referrals.services import attributions, codes, commissions


def connect() -> None:
    """Subscribe to the events of the apps below, and take part when the books are compared."""
    ledger_checks.compare_with(checks.violations)
    subscribe(PERSON_REGISTERED, give_code)
    subscribe(PERSON_REGISTERED, attribute)
    subscribe(PAYMENT_SETTLED, accrue_commission)
    subscribe(PAYMENT_REFUNDED, take_commission_back)


def give_code(event: Event) -> None:
    """Give a newly registered person a referral code."""
    if event.owner_id is not None:
        codes.ensure_code(owner_id=event.owner_id)


def attribute(event: Event) -> None:
    """Write down who brought a newly registered person."""
    if event.owner_id is not None:
        attributions.attribute(
            referred_id=event.owner_id,
            hint=event.payload.get("hint", ""),
            signed_up_at=event.occurred_at,
        )


def accrue_commission(event: Event) -> None:
    """Let a settled payment earn for whoever brought the payer."""
    if event.owner_id is not None:
        commissions.accrue(
            payment_id=event.payload["payment_id"],
            referred_id=event.owner_id,
            payment_number=event.payload["sequence"],
            currency=event.payload["currency"],
            net=Decimal(event.payload["net"]),
            settled_at=event.occurred_at,
        )


def take_commission_back(event: Event) -> None:
    """Take back what a refund leaves uncovered."""
    if event.owner_id is not None:
        commissions.take_back(
            refund_id=event.payload["refund_id"],
            payment_id=event.payload["payment_id"],
            referred_id=event.owner_id,
            currency=event.payload["currency"],
            total_refunded=Decimal(event.payload["total_refunded"]),
            refunded_at=event.occurred_at,
        )
