"""The sides of the storm that look into the database: run by ``webhook_storm`` in a process of its own."""

import json
import sys
from decimal import Decimal
from typing import Any
from uuid import uuid4

import django

django.setup()

from django.conf import settings  # noqa: E402
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

_ACTOR = Actor.system("webhook-storm")


def prepare(number: int) -> dict[str, Any]:
    """Make *number* people with an order each, paid at the bank, of which we have not heard."""
    products.sync_plans(now=timezone.now())
    price = products.set_price(
        product_code="plan:pro",
        interval="MONTH",
        amount=Decimal("29.90"),
        by=_ACTOR,
        now=timezone.now(),
    )
    assert price is not None
    for index in range(number):
        person = User.objects.create(email=f"storm-{index}@example.com")
        payment = checkout.place_order(
            owner=person,
            price_id=price.public_id,
            request_key=uuid4(),
            by=_ACTOR,
            now=timezone.now(),
        )
        checkout.open_checkout(payment_id=payment.pk, now=timezone.now())
    # The bank has been paid and its own notices are lost: those of the storm are the only ones.
    DevelopmentCharge.objects.update(state="PAID", fee=Decimal("1.17"))
    references = DevelopmentCharge.objects.values_list("reference", flat=True)
    return {
        "secret": settings.DEVELOPMENT_WEBHOOK_SECRETS[0],
        "payments": [{"reference": str(reference)} for reference in references],
    }


def waiting() -> dict[str, Any]:
    """Return how many notices nobody has dealt with."""
    return {"waiting": ProviderEvent.objects.filter(state__in=["NEW", "UNMATCHED"]).count()}


def look() -> dict[str, Any]:
    """Return what there is now."""
    entries = LedgerEntry.objects.filter(source="payments", kind="settled")
    return {
        "payments": Payment.objects.count(),
        "settled": Payment.objects.filter(state="SETTLED", sequence=1).count(),
        "grants": Grant.objects.count(),
        "most_grants": Grant.objects.values("owner").annotate(n=Count("pk")).order_by("-n")[0]["n"],
        "subscriptions": Subscription.objects.filter(status="ACTIVE").count(),
        "entries": entries.count(),
        "events": OutboxEvent.objects.filter(name=PAYMENT_SETTLED).count(),
        "stored": ProviderEvent.objects.count(),
        "deliveries": ProviderEvent.objects.aggregate(n=Sum("deliveries"))["n"],
        "states": sorted(ProviderEvent.objects.values_list("state", flat=True).distinct()),
        "differences": [str(d) for d in ledger.trial_balance().differences.values() if d],
        "violations": ledger.violations(),
    }


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    answer = {"prepare": lambda: prepare(int(arguments[0])), "waiting": waiting, "look": look}[name]
    print(json.dumps(answer()))
