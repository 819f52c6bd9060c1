"""What the pages of plans, orders and payments show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from billing.domain.limits import WORDS, Limit
from billing.domain.payments import PAID, PaymentState
from billing.domain.periods import extended
from billing.models import Interval, Payment, Plan, Price
from billing.providers.registry import find_provider, find_selling_provider
from billing.selectors import payments, products, subscriptions
from billing.selectors.entitlements import Owner, limits_in, plan_of
from billing.selectors.payments import OfferedPrice
from billing.services.purchases import MONTHS

_STATES: Final = {
    PaymentState.CREATED: ("Being prepared", "info"),
    PaymentState.PENDING: ("Waiting for payment", "warning"),
    PaymentState.SETTLED: ("Paid", "gain"),
    PaymentState.FAILED: ("Failed", "loss"),
    PaymentState.EXPIRED: ("Expired", "neutral"),
    PaymentState.PARTLY_REFUNDED: ("Partly refunded", "info"),
    PaymentState.REFUNDED: ("Refunded", "neutral"),
}


@dataclass(frozen=True, slots=True)
class PriceChoice:
    """A price that can be ordered; ``is_kept`` if it is the person's own from earlier."""

    public_id: UUID
    amount: Decimal
    currency: str
    per: str
    is_kept: bool


@dataclass(frozen=True, slots=True)
class PlanCard:
    """One plan on the page of plans."""

    name: str
    summary: str
    is_mine: bool
    is_free: bool
    limits: Sequence[tuple[str, int | None]]
    prices: Sequence[PriceChoice]


@dataclass(frozen=True, slots=True)
class CheckoutPage:
    """What is about to be ordered, and what it gives."""

    name: str
    kind: str
    price: PriceChoice
    others: Sequence[PriceChoice]
    from_at: datetime
    to_at: datetime
    is_renewal: bool
    provider: str


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """One order of a person."""

    public_id: UUID
    name: str
    per: str
    amount: Decimal
    currency: str
    refunded: Decimal
    state: str
    label: str
    tone: str
    ordered_at: datetime
    settled_at: datetime | None
    receipt_number: str
    price_id: UUID

    @property
    def has_receipt(self) -> bool:
        """Whether it was paid."""
        return self.state in PAID

    @property
    def is_open(self) -> bool:
        """Whether it may still be paid."""
        return self.state in {PaymentState.CREATED, PaymentState.PENDING}


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """An order while it is paid, and afterwards; ``version`` changes with what is shown."""

    row: PaymentRow
    checkout_url: str
    provider: str
    until: datetime | None
    is_plan: bool
    version: str
    was_canceled: bool
    goes_on: bool


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Money that was given back."""

    amount: Decimal
    given_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """A receipt."""

    row: PaymentRow
    email: str
    name: str
    from_at: datetime | None
    to_at: datetime | None
    provider: str
    refunds: Sequence[RefundLine]

    @property
    def kept(self) -> Decimal:
        """What was paid and not given back."""
        return self.row.amount - self.row.refunded


def present_plans(owner: Owner | None, *, now: datetime) -> list[PlanCard]:
    """Return the plans on offer, with the prices of *owner* or, for strangers, those in force."""
    plans = products.plans_on_offer()
    codes = [plan.product.code for plan in plans]
    # Nobody has the id 0: a stranger is offered what holds for everybody.
    prices = payments.prices_for((owner.pk or 0) if owner else 0, codes, now=now)
    mine = plan_of(owner, now=now).product.code if owner else ""
    return [_plan(plan, prices.get(plan.product.code, []), mine) for plan in plans]


def is_selling() -> bool:
    """Tell whether somebody takes money for this installation."""
    return find_selling_provider() is not None


def present_checkout(owner: Owner, *, price_id: UUID, now: datetime) -> CheckoutPage | None:
    """Return what a price would buy a person at *now*, at the price that they keep; None if not on offer."""
    price = payments.find_own_price(owner.pk or 0, public_id=price_id, now=now)
    if price is None:
        return None
    product = price.product
    offered = payments.prices_for(owner.pk or 0, [product.code], now=now)[product.code]
    held = subscriptions.find_subscription_for(owner, product_code=product.code)
    present_end = held.ends_at if held else None
    from_at, to_at = extended(ends_at=present_end, now=now, months=MONTHS[Interval(price.interval)])
    choices = [_choice(each) for each in offered]
    provider = find_selling_provider()
    return CheckoutPage(
        name=product.name,
        kind=product.get_kind_display().lower(),
        price=next(choice for choice in choices if choice.public_id == price.public_id),
        others=[choice for choice in choices if choice.public_id != price.public_id],
        from_at=from_at,
        to_at=to_at,
        is_renewal=from_at > now,
        provider=provider.name if provider else "",
    )


def present_payment(payment: Payment, *, was_canceled: bool, goes_on: bool) -> PaymentPage:
    """Return the page of one order."""
    provider = find_provider(payment.provider)
    return PaymentPage(
        row=present_row(payment),
        checkout_url=payment.checkout_url if payment.state == PaymentState.PENDING else "",
        provider=provider.name if provider else payment.provider,
        until=payment.grant.to_at if payment.grant else None,
        is_plan=payment.product.kind == "PLAN",
        version=f"{payment.state}{'+' if payment.checkout_url else ''}",
        was_canceled=was_canceled,
        goes_on=goes_on,
    )


def present_row(payment: Payment) -> PaymentRow:
    """Return one order as a line of the history."""
    label, tone = _STATES[PaymentState(payment.state)]
    return PaymentRow(
        public_id=payment.public_id,
        name=payment.product.name,
        per=payment.get_interval_display().lower(),
        amount=payment.amount,
        currency=payment.currency,
        refunded=payment.refunded_amount,
        state=payment.state,
        label=label,
        tone=tone,
        ordered_at=payment.ordered_at,
        settled_at=payment.settled_at,
        receipt_number=payment.receipt_number,
        price_id=payment.price.public_id,
    )


def present_receipt(payment: Payment) -> ReceiptPage:
    """Return the receipt of a paid order."""
    provider = find_provider(payment.provider)
    return ReceiptPage(
        row=present_row(payment),
        email=payment.owner.email,
        name=payment.owner.display_name,
        from_at=payment.grant.from_at if payment.grant else None,
        to_at=payment.grant.to_at if payment.grant else None,
        provider=provider.name if provider else payment.provider,
        refunds=[
            RefundLine(refund.amount, refund.settled_at) for refund in payments.refunds_of(payment)
        ],
    )


def _plan(plan: Plan, prices: Sequence[OfferedPrice], mine: str) -> PlanCard:
    return PlanCard(
        name=plan.product.name,
        summary=plan.summary,
        is_mine=plan.product.code == mine,
        is_free=plan.is_default,
        limits=[(WORDS[limit].title, limits_in(plan)[limit]) for limit in Limit],
        prices=[_choice(each) for each in prices],
    )


def _choice(offered: OfferedPrice) -> PriceChoice:
    price: Price = offered.price
    return PriceChoice(
        price.public_id,
        price.amount,
        price.currency,
        price.get_interval_display().lower(),
        offered.is_kept,
    )
