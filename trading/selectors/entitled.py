"""How the right to a deployment's strategy stands, apart from what was asked of it and what is true."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Concat

from billing.domain.standing import Standing, standing_of
from billing.models import Subscription
from billing.selectors import subscriptions
from billing.selectors.entitlements import entitling
from trading.models import Deployment
from trading.selectors import usage
from trading.selectors.owners import Owner


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A person's right to a strategy; ``standing`` is None where there never was a subscription."""

    standing: Standing | None
    ends_at: datetime | None

    @property
    def holds(self) -> bool:
        """Whether the right holds, so that positions may be opened."""
        return self.standing is not None and self.standing.entitles

    @property
    def label(self) -> str:
        """How it stands, in a word or two."""
        if self.standing is None:
            return "None"
        if self.holds:
            return "Active"
        return "Deactivated" if self.standing is Standing.DEACTIVATED else "Ended"


def entitlement_of(owner: Owner, *, deployment: Deployment, now: datetime) -> Entitlement:
    """Return how the right of *owner* to the strategy of a deployment of theirs stands at *now*."""
    code = usage.product_code(deployment.strategy_version.strategy.slug)
    row = subscriptions.subscriptions_to(owner, [code]).get(code)
    if row is None:
        return Entitlement(None, None)
    return Entitlement(standing_of(row.status, row.ends_at, now=now), row.ends_at)


def with_entitlement(found: QuerySet[Deployment], *, now: datetime) -> QuerySet[Deployment]:
    """Return *found*, each row with ``is_entitled``: whether its owner has the right at *now*."""
    product = Concat(Value(usage.product_code("")), OuterRef("strategy_version__strategy__slug"))
    held = Subscription.objects.filter(
        entitling(now=now), owner_id=OuterRef("owner_id"), product__code=product
    )
    return found.annotate(is_entitled=Exists(held))
