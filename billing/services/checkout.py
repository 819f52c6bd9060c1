"""Ordering: a person chooses a price of ours, and a worker asks the provider for the money.

The browser names a price and nothing else; what it costs is read here. Between the order and the answer
of the provider no transaction is open: the order is a row with a key, and asking again with the same key
is the same charge.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.urls import reverse

from billing.domain.payments import PaymentState
from billing.models import Payment, Price, Subscription, SubscriptionStatus
from billing.providers.protocol import (
    Checkout,
    CheckoutOrder,
    ProviderError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from billing.providers.registry import find_selling_provider, get_provider
from billing.selectors import payments as selectors
from billing.selectors.entitlements import Owner
from billing.services import payments, transitions
from billing.services.entitlements import lock_billing_of
from billing.services.subscriptions import (
    NoEndToExtendError,
    NotOnOfferError,
    SubscriptionDeactivatedError,
)
from foundation.audit import Actor
from foundation.queue import enqueue, enqueue_on_commit
from foundation.transactions import refuse_inside_transaction, transactional
from market.errors import ConflictError, NotFoundError

logger = logging.getLogger(__name__)

_WORKER: Final = Actor.system("checkout")
#: How long after the first, second, ... try the next may begin; after the last wait the order has failed.
_WAITS_S: Final = (30, 60, 120, 300, 600, 1_800)
_SWEPT_AT_ONCE: Final = 100
#: A person who has so many unpaid orders is not buying.
_OPEN_ORDERS_AT_MOST: Final = 20


class PriceNotFoundError(NotFoundError):
    """There is no such price, or it is not offered to this person."""

    code = "price_not_found"

    def __init__(self) -> None:
        super().__init__("This price is not on offer. Look at the plans again.")


class NothingSoldError(ConflictError):
    """Nobody takes money for this installation."""

    code = "nothing_sold"

    def __init__(self) -> None:
        super().__init__("Nothing is sold here. Ask an operator of this installation.")


class OrderReusedError(ConflictError):
    """The key of the request belongs to an order of something else."""

    code = "order_reused"

    def __init__(self) -> None:
        super().__init__("This order was placed for something else. Start again from the plans.")


class TooManyOpenOrdersError(ConflictError):
    """The person has many orders that they have not paid."""

    code = "too_many_open_orders"

    def __init__(self) -> None:
        super().__init__("You have many unpaid orders. Pay one of them, or wait until they expire.")


@transactional
def place_order(
    *, owner: Owner, price_id: UUID, request_key: UUID, by: Actor, now: datetime
) -> Payment:
    """Order what a price buys, at that price, and have a worker ask the provider for the money.

    The same *request_key* returns the same order. Raises PriceNotFoundError, NotOnOfferError,
    NoEndToExtendError, SubscriptionDeactivatedError, NothingSoldError, OrderReusedError or
    TooManyOpenOrdersError.
    """
    owner_id = cast(int, owner.pk)
    lock_billing_of(owner_id)
    placed = Payment.objects.filter(owner_id=owner_id, request_key=request_key).first()
    if placed is not None:
        if placed.price.public_id != price_id:
            raise OrderReusedError
        return placed
    price = selectors.find_price_for(owner_id, public_id=price_id, now=now)
    if price is None:
        raise PriceNotFoundError
    _refuse_pointless(owner_id, price, now=now)
    provider = find_selling_provider()
    if provider is None:
        raise NothingSoldError
    payment = Payment.objects.create(
        owner_id=owner_id,
        product=price.product,
        price=price,
        interval=price.interval,
        amount=price.amount,
        currency=price.currency,
        request_key=request_key,
        provider=provider.code,
        is_live=provider.is_live,
        fee=Decimal(0),
        refunded_amount=Decimal(0),
        deferred_amount=Decimal(0),
        ordered_at=now,
    )
    transitions.keep_transition(payment, before="", reason="", by=by, now=now)
    enqueue_on_commit("billing.open_checkout", payment_id=payment.pk)
    return payment


def open_checkout(*, payment_id: int, now: datetime) -> None:
    """Ask the provider for the money of an order; a repeat, also after a crash, is the same charge."""
    refuse_inside_transaction("A call of the payment provider")
    payment = _claim(payment_id)
    if payment is None:
        return
    try:
        checkout = get_provider(payment.provider).create_checkout(_order(payment))
    except ProviderRejectedError as error:
        _give_up(payment, reason=error.code, now=now)
    except (ProviderUnavailableError, ProviderError) as error:
        logger.warning(
            "checkout.not_opened", extra={"payment_id": payment.pk, "reason": error.code}
        )
        if payment.attempts > len(_WAITS_S):
            _give_up(payment, reason=error.code, now=now)
    else:
        _keep(payment, checkout, now=now)


def sweep_orders() -> int:
    """Send again the messages of orders that wait for their checkout; return how many those are."""
    overdue = Now() - timedelta(seconds=settings.HORIZONS.redeliver_s)
    due = Payment.objects.filter(state=PaymentState.CREATED, not_before__lte=overdue)
    payment_ids = list(
        due.order_by("not_before", "pk").values_list("pk", flat=True)[:_SWEPT_AT_ONCE]
    )
    for payment_id in payment_ids:
        enqueue("billing.open_checkout", payment_id=payment_id)
    return len(payment_ids)


def _refuse_pointless(owner_id: int, price: Price, *, now: datetime) -> None:
    product = price.product
    if not product.is_active:
        raise NotOnOfferError(product.name)
    subscription = Subscription.objects.filter(owner_id=owner_id, product=product).first()
    if subscription is not None:
        if subscription.status == SubscriptionStatus.DEACTIVATED:
            raise SubscriptionDeactivatedError
        if subscription.ends_at is None and subscription.status == SubscriptionStatus.ACTIVE:
            raise NoEndToExtendError
    open_orders = Payment.objects.filter(
        owner_id=owner_id, state__in=[PaymentState.CREATED, PaymentState.PENDING]
    )
    if open_orders.count() >= _OPEN_ORDERS_AT_MOST:
        raise TooManyOpenOrdersError


def _claim(payment_id: int) -> Payment | None:
    """Take the next try of an order whose checkout is not open; the claim is over after its wait."""
    attempts = Payment.objects.values_list("attempts", flat=True).filter(pk=payment_id).first() or 0
    wait_s = _WAITS_S[min(attempts, len(_WAITS_S) - 1)]
    claimed = Payment.objects.filter(
        pk=payment_id, state=PaymentState.CREATED, attempts=attempts, not_before__lte=Now()
    ).update(attempts=F("attempts") + 1, not_before=Now() + timedelta(seconds=wait_s))
    if not claimed:
        return None
    return Payment.objects.select_related("owner", "product").get(pk=payment_id)


def _order(payment: Payment) -> CheckoutOrder:
    page = f"{settings.SITE_URL}{reverse('billing:payment', args=[payment.public_id])}"
    return CheckoutOrder(
        payment_id=payment.public_id,
        customer=str(payment.owner.public_id),
        email=payment.owner.email,
        amount=payment.amount,
        currency=payment.currency,
        description=f"{payment.product.name}, one {payment.get_interval_display().lower()}",
        idempotency_key=f"checkout-{payment.public_id}",
        return_url=page,
        cancel_url=f"{page}?canceled=1",
    )


@transactional
def _keep(payment: Payment, checkout: Checkout, *, now: datetime) -> None:
    """Note where the person pays; a notice that was faster has already moved the payment on."""
    locked = payments.lock_payment(payment.pk)
    locked.checkout_url, locked.provider_reference = checkout.url, checkout.reference
    locked.attempts = 0
    locked.not_before = now + timedelta(seconds=settings.HORIZONS.payment_check_s)
    try:
        with transaction.atomic():
            locked.save()
    except IntegrityError:
        # The provider has answered with the charge of another order: never collected for this one.
        logger.exception("checkout.reference_taken", extra={"payment_id": payment.pk})
        locked = payments.lock_payment(payment.pk)
        payments.give_up(locked, reason="reference_taken", by=_WORKER, now=now)
        return
    if locked.state == PaymentState.CREATED:
        transitions.change_state(locked, to=PaymentState.PENDING, by=_WORKER, now=now)


@transactional
def _give_up(payment: Payment, *, reason: str, now: datetime) -> None:
    locked = payments.lock_payment(payment.pk)
    if locked.state == PaymentState.CREATED:
        payments.give_up(locked, reason=reason, by=_WORKER, now=now)
