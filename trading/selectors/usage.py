"""What a person's deployments count for: which product they need, and which limit of the plan."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Q, QuerySet

from billing.domain.limits import Limit
from trading.models import Deployment, DesiredState
from trading.selectors.deployments import ENDED_STATES

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount

#: Deployments of one person that have not ended: a bound of the platform, whatever the plan says.
MAXIMUM_DEPLOYMENTS: Final = 50

_REAL_MONEY: Final = Q(account__kind="LIVE", account__venue__real_money=True)

_PRODUCT_PREFIX: Final = "strategy:"


def product_code(strategy_slug: str) -> str:
    """Return the product that gives the right to a strategy."""
    return f"{_PRODUCT_PREFIX}{strategy_slug}"


def strategy_of(product: str) -> str | None:
    """Return the strategy that a product code gives the right to; None for a plan."""
    return product.removeprefix(_PRODUCT_PREFIX) if product.startswith(_PRODUCT_PREFIX) else None


def limit_of(account: "ExchangeAccount") -> Limit:
    """Return what a deployment on *account* counts as: live only where real money moves."""
    is_real = account.kind == "LIVE" and account.venue.real_money
    return Limit.LIVE_DEPLOYMENTS if is_real else Limit.PAPER_DEPLOYMENTS


def used_by(owner_id: int) -> dict[Limit, int]:
    """Return how many deployments of a person have not ended, by the limit that they count for."""
    counts = unfinished_of(owner_id).aggregate(
        total=Count("pk"), live=Count("pk", filter=_REAL_MONEY)
    )
    return {
        Limit.LIVE_DEPLOYMENTS: counts["live"],
        Limit.PAPER_DEPLOYMENTS: counts["total"] - counts["live"],
    }


def unfinished_of(owner_id: int) -> QuerySet[Deployment, Deployment]:
    """Return the deployments of a person that have not ended."""
    return Deployment.objects.filter(owner_id=owner_id).exclude(actual_state__in=ENDED_STATES)


def above_limits(
    running: Sequence[Deployment], *, limits: Mapping[Limit, int | None]
) -> list[tuple[Deployment, int]]:
    """Return which of a person's deployments (oldest first, with account and venue) *limits* do not carry.

    The newest are above, each with how many of its kind are allowed; what is being stopped takes no place.
    """
    found = []
    for limit in (Limit.LIVE_DEPLOYMENTS, Limit.PAPER_DEPLOYMENTS):
        allowed = limits[limit]
        if allowed is None:
            continue
        counting = [
            each
            for each in running
            if limit_of(each.account) is limit and each.desired_state != DesiredState.STOPPED
        ]
        found += [(each, allowed) for each in counting[allowed:]]
    return found
