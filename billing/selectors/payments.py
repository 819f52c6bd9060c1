"""Orders and payments; every read of a person's rows names the owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.domain.payments import PaymentState
from billing.models import Payment, Price, Refund, Subscription
from billing.selectors.entitlements import Owner, entitling
from billing.selectors.products import prices_in_force
from market.errors import NotFoundError


class PaymentNotFoundError(NotFoundError):
    """There is no such payment, or it is somebody else's."""

    code = "payment_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such payment.")


@dataclass(frozen=True, slots=True)
class OfferedPrice:
    """A price that a person may order; ``is_kept`` if it is theirs from earlier, and not today's."""

    price: Price
    is_kept: bool


def payments_for(owner: Owner) -> QuerySet[Payment]:
    """Return the payments of *owner* with their products, the last ordered first."""
    mine = Payment.objects.filter(owner_id=owner.pk).select_related("product", "grant")
    return mine.order_by("-pk")


def get_payment_for(owner: Owner, *, public_id: UUID) -> Payment:
    """Return a payment of *owner*; raise PaymentNotFoundError for any other."""
    payment = payments_for(owner).filter(public_id=public_id).first()
    if payment is None:
        raise PaymentNotFoundError
    return payment


def page_of_payments(owner: Owner, *, before: int | None, most: int) -> Sequence[Payment]:
    """Return up to *most* payments of *owner*, the last ordered first, ordered before a key."""
    mine = payments_for(owner)
    if before is not None:
        mine = mine.filter(pk__lt=before)
    return list(mine[:most])


def refunds_of(payment: Payment) -> Sequence[Refund]:
    """Return the refunds of a payment that its owner was given, oldest first."""
    return list(payment.refunds.filter(settled_at__isnull=False).order_by("pk"))


def prices_for(
    owner_id: int, product_codes: Sequence[str], *, now: datetime
) -> dict[str, list[OfferedPrice]]:
    """Return what products cost a person at *now*, by code, the month first.

    Who has bought a product and still has it keeps the price of each interval that they paid last;
    everybody else is offered the prices in force.
    """
    kept = _kept_prices(owner_id, product_codes, now=now)
    offered: dict[str, list[OfferedPrice]] = {}
    for code, prices in prices_in_force(product_codes, now=now).items():
        for price in prices:
            own = kept.get((code, price.interval, price.currency))
            is_kept = own is not None and own.pk != price.pk
            chosen = own if own is not None else price
            offered.setdefault(code, []).append(OfferedPrice(chosen, is_kept))
    return offered


def find_price_for(owner_id: int, *, public_id: UUID, now: datetime) -> Price | None:
    """Return a price if the person may order it at *now*, or None."""
    price = Price.objects.filter(public_id=public_id).select_related("product").first()
    if price is None:
        return None
    code = price.product.code
    offered = prices_for(owner_id, [code], now=now).get(code, [])
    return next((each.price for each in offered if each.price.pk == price.pk), None)


def find_own_price(owner_id: int, *, public_id: UUID, now: datetime) -> Price | None:
    """Return what a person pays for what a price in force buys: that price, or the one they keep."""
    price = Price.objects.filter(public_id=public_id).select_related("product").first()
    if price is None:
        return None
    offered = prices_for(owner_id, [price.product.code], now=now).get(price.product.code, [])
    same = (each.price for each in offered if each.price.pk == price.pk)
    alike = (
        each.price
        for each in offered
        if price.valid_to is None
        and (each.price.interval, each.price.currency) == (price.interval, price.currency)
    )
    return next(same, None) or next(alike, None)


def _kept_prices(
    owner_id: int, product_codes: Sequence[str], *, now: datetime
) -> dict[tuple[str, str, str], Price]:
    """Return the price last paid for each interval of the products that the person still has."""
    if not product_codes:
        return {}
    paid = (
        Payment.objects.filter(
            owner_id=owner_id,
            product__code__in=product_codes,
            state__in=[PaymentState.SETTLED, PaymentState.PARTLY_REFUNDED],
        )
        .select_related("price__product")
        .order_by("settled_at", "pk")
    )
    held = set(
        Payment.objects.filter(
            Q(grant__subscription__in=_held(owner_id, now=now)), owner_id=owner_id
        ).values_list("product_id", flat=True)
    )
    return {
        (payment.price.product.code, payment.interval, payment.currency): payment.price
        for payment in paid
        if payment.product_id in held
    }


def _held(owner_id: int, *, now: datetime) -> QuerySet[Subscription]:
    return Subscription.objects.filter(entitling(now=now), owner_id=owner_id)
