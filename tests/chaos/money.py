"""People who pay during a chaos run, at the bank for development, and the books in the end."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Event, Thread
from typing import Final
from uuid import UUID, uuid4

from django.db import connections, transaction
from django.utils import timezone

from accounts.models import User
from billing.models import DevelopmentCharge, LedgerEntry, Payment
from billing.selectors import ledger
from billing.services import checkout, development, products
from foundation.audit import Actor
from tests.factories.billing import make_strategy_product
from tests.flows.stack import eventually

_ACTOR: Final = Actor.system("chaos")
_PRODUCT: Final = "chaos"
_PAUSE_S: Final = (1.0, 3.0)
_SETTLED_WITHIN_S: Final = 240.0


@dataclass(slots=True)
class Till:
    """Somebody new orders and pays every other second, for as long as the servers let them."""

    seed: int
    interrupted: int = 0
    _over: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def start(self) -> None:
        """Begin to sell."""
        self._thread = Thread(target=self._sell, args=(_on_offer(),), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sell no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _sell(self, price_id: UUID) -> None:
        chance = random.Random(self.seed)
        while not self._over.wait(chance.uniform(*_PAUSE_S)):
            try:
                _order_and_pay(price_id)
            except Exception:  # noqa: BLE001  a server has died: what was begun is for the sweepers to end
                self.interrupted += 1
            finally:
                connections.close_all()


def _on_offer() -> UUID:
    with transaction.atomic():
        product = make_strategy_product(_PRODUCT, name="Umbrellas")
    price = products.set_price(
        product_code=product.code,
        interval="MONTH",
        amount=Decimal("29.90"),
        by=_ACTOR,
        now=timezone.now(),
    )
    connections.close_all()
    assert price is not None
    return price.public_id


def _order_and_pay(price_id: UUID) -> None:
    person = User.objects.create(email=f"{uuid4().hex}@example.com")
    payment = checkout.place_order(
        owner=person, price_id=price_id, request_key=uuid4(), by=_ACTOR, now=timezone.now()
    )
    checkout.open_checkout(payment_id=payment.pk, now=timezone.now())
    payment.refresh_from_db()
    development.pay(reference=UUID(payment.provider_reference), now=timezone.now())


def settle() -> None:
    """Wait until we have heard of everything that was paid; AssertionError if that takes too long."""

    def is_settled() -> bool:
        connections.close_all()
        paid = [str(reference) for reference in _paid()]
        waiting = Payment.objects.filter(provider_reference__in=paid).exclude(state="SETTLED")
        return not waiting.exists()

    eventually(is_settled, what="all payments are settled", within_s=_SETTLED_WITHIN_S)


def check() -> Iterator[str]:
    """Yield everything in which the books differ from themselves, from the payments, or from the bank."""
    connections.close_all()
    yield from ledger.violations()
    entries = Counter(
        LedgerEntry.objects.filter(source="payments", kind="settled").values_list(
            "source_id", flat=True
        )
    )
    paid = {str(reference) for reference in _paid()}
    for payment in Payment.objects.all():
        times = entries.pop(str(payment.pk), 0)
        expected = int(payment.provider_reference in paid)
        if times != expected:
            yield f"payment {payment.pk} is booked {times} times and was paid {expected} times"
    for source_id, times in entries.items():
        yield f"{times} entries are of a payment {source_id} that there is not"


def figures() -> dict[str, int]:
    """Return how much was sold."""
    connections.close_all()
    return {"payments": Payment.objects.count(), "paid": len(_paid())}


def _paid() -> list[UUID]:
    return list(DevelopmentCharge.objects.filter(state="PAID").values_list("reference", flat=True))
