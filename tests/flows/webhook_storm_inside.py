"""The sides of the storm that look into the database: run by ``webhook_storm`` in a process of its own."""

import json
import sys
import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import transaction  # noqa: E402
from django.db.models import Count, Sum  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from billing.events import PAYMENT_SETTLED  # noqa: E402
from billing.models import (  # noqa: E402
    DevelopmentCharge,
    Grant,
    LedgerEntry,
    Payment,
    ProviderEvent,
    Subscription,
)
from billing.selectors import ledger  # noqa: E402
from billing.services import checkout, products  # noqa: E402
from foundation.audit import Actor  # noqa: E402
from foundation.models import OutboxEvent  # noqa: E402
from tests.factories.billing import make_strategy_product  # noqa: E402

_ACTOR = Actor.system("webhook-storm")


def prepare(tag: str, number: int) -> dict[str, Any]:
    """Make *number* people with an order each, paid at the bank, of which we have not heard."""
    with transaction.atomic():
        product = make_strategy_product(tag, name="Umbrellas")
    price = products.set_price(
        product_code=product.code,
        interval="MONTH",
        amount=Decimal("29.90"),
        by=_ACTOR,
        now=timezone.now(),
    )
    assert price is not None
    for index in range(number):
        person = User.objects.create(email=f"{tag}-{index}@example.com")
        payment = checkout.place_order(
            owner=person,
            price_id=price.public_id,
            request_key=uuid4(),
            by=_ACTOR,
            now=timezone.now(),
        )
        checkout.open_checkout(payment_id=payment.pk, now=timezone.now())
    # The bank has been paid and its own notices are lost: those of the storm are the only ones.
    references = _known_references(tag)
    DevelopmentCharge.objects.filter(reference__in=references).update(
        state="PAID", fee=Decimal("1.17")
    )
    return {"secret": settings.DEVELOPMENT_WEBHOOK_SECRETS[0], "references": references}


def _known_references(tag: str) -> list[str]:
    """Return the references of all payments; a worker of the platform may be opening the last."""
    deadline = time.monotonic() + 60
    while not all(references := _references(tag)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"orders that the bank does not know: {references}")
        time.sleep(0.1)
    return references


def waiting(tag: str) -> dict[str, Any]:
    """Return how many notices of the storm nobody has dealt with."""
    notices = ProviderEvent.objects.filter(reference__in=_references(tag))
    return {"waiting": notices.filter(state__in=["NEW", "UNMATCHED"]).count()}


def look(tag: str) -> dict[str, Any]:
    """Return what the storm has left behind, and how the books are."""
    payments = Payment.objects.filter(product__code=f"strategy:{tag}")
    ids = list(payments.values_list("pk", flat=True))
    grants = Grant.objects.filter(payment__in=ids)
    entries = LedgerEntry.objects.filter(
        source="payments", kind="settled", source_id__in=[str(pk) for pk in ids]
    )
    notices = ProviderEvent.objects.filter(reference__in=_references(tag))
    by_owner = Grant.objects.filter(subscription__product__code=f"strategy:{tag}").values("owner")
    return {
        "payments": len(ids),
        "settled": payments.filter(state="SETTLED", sequence=1).count(),
        "grants": grants.count(),
        "most_grants": by_owner.annotate(n=Count("pk")).order_by("-n")[0]["n"],
        "subscriptions": Subscription.objects.filter(
            product__code=f"strategy:{tag}", status="ACTIVE"
        ).count(),
        "entries": entries.count(),
        "events": OutboxEvent.objects.filter(
            name=PAYMENT_SETTLED, payload__payment_id__in=ids
        ).count(),
        "stored": notices.count(),
        "deliveries": notices.aggregate(n=Sum("deliveries"))["n"],
        "states": sorted(notices.values_list("state", flat=True).distinct()),
        "differences": [str(d) for d in ledger.trial_balance().differences.values() if d],
        "violations": ledger.violations(),
    }


def _references(tag: str) -> list[str]:
    payments = Payment.objects.filter(product__code=f"strategy:{tag}")
    return list(payments.order_by("pk").values_list("provider_reference", flat=True))


if __name__ == "__main__":
    what, name = sys.argv[1:3]
    if what == "prepare":
        print(json.dumps(prepare(name, int(sys.argv[3]))))
    else:
        print(json.dumps({"waiting": waiting, "look": look}[what](name)))
