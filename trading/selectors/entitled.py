"""How the right to a deployment's strategy stands, apart from what was asked of it and what is true."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Concat

from billing.domain.standing import Standing, standing_of
from billing.models import Subscription
from billing.selectors import entitlements, subscriptions
from billing.selectors.entitlements import entitling
from trading.models import Deployment
from trading.selectors import usage
from trading.selectors.owners import Owner


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A person's right to a strategy; ``standing`` is None where there never was a subscription.

    ``is_above_plan`` is whether only a plan that has ended carried the deployment.
    """

    standing: Standing | None
    ends_at: datetime | None
    is_above_plan: bool = False

    @property
    def holds(self) -> bool:
        """Whether the right holds, so that positions may be opened."""
        return self.standing is not None and self.standing.entitles and not self.is_above_plan

    @property
    def label(self) -> str:
        """How it stands, in a word or two."""
        if self.standing is None:
            return "None"
        if self.holds:
            return "Active"
        if self.standing.entitles:
            return "Plan ended"
        return "Deactivated" if self.standing is Standing.DEACTIVATED else "Ended"


def entitlement_of(owner: Owner, *, deployment: Deployment, now: datetime) -> Entitlement:
    """Return how the right of *owner* to the strategy of a deployment of theirs stands at *now*."""
    code = usage.product_code(deployment.strategy_version.strategy.slug)
    row = subscriptions.subscriptions_to(owner, [code]).get(code)
    if row is None:
        return Entitlement(None, None)
    return Entitlement(
        standing_of(row.status, row.ends_at, now=now),
        row.ends_at,
        is_above_plan=deployment.pk in above_plan({deployment.owner_id: deployment.owner}, now=now),
    )


def may_enter(deployments: Iterable[Deployment], *, now: datetime) -> set[int]:
    """Return the keys of *deployments* (with owner and strategy) that may open positions at *now*.

    Their owner has a right to the strategy, and no plan that has ended is all that carried them: in the
    time of grace after a plan its stops and exits go on, and nothing is entered.
    """
    by_product: dict[str, list[Deployment]] = defaultdict(list)
    for each in deployments:
        by_product[usage.product_code(each.strategy_version.strategy.slug)].append(each)
    found: set[int] = set()
    owners: dict[int, Owner] = {}
    for product, rows in by_product.items():
        owner_ids = {each.owner_id for each in rows}
        entitled = entitlements.entitled_owners(product, owner_ids, now=now)
        found |= {each.pk for each in rows if each.owner_id in entitled}
        owners |= {each.owner_id: each.owner for each in rows if each.owner_id in entitled}
    return found - above_plan(owners, now=now)


def above_plan(owners: Mapping[int, Owner], *, now: datetime) -> set[int]:
    """Return the keys of deployments that only a plan carried which has ended; nobody else's are looked at."""
    found: set[int] = set()
    for owner_id in entitlements.losing_a_plan(owners, now=now) if owners else ():
        running = usage.unfinished_of(owner_id).select_related("account__venue").order_by("pk")
        limits = entitlements.limits_of(owners[owner_id], now=now)
        found |= {each.pk for each, _ in usage.above_limits(list(running), limits=limits)}
    return found


def with_entitlement(found: QuerySet[Deployment], *, now: datetime) -> QuerySet[Deployment]:
    """Return *found*, each row with ``is_entitled``: whether its owner has the right at *now*."""
    product = Concat(Value(usage.product_code("")), OuterRef("strategy_version__strategy__slug"))
    held = Subscription.objects.filter(
        entitling(now=now), owner_id=OuterRef("owner_id"), product__code=product
    )
    return found.annotate(is_entitled=Exists(held))
