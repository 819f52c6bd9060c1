"""Whether a person may have a strategy at work: by subscription and by plan."""

from datetime import datetime
from typing import TYPE_CHECKING, cast

from billing.services import entitlements
from foundation.transactions import part_of_transaction
from market.errors import UnprocessableError
from trading.selectors import usage
from trading.selectors.owners import Owner

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount


class TooManyDeploymentsError(UnprocessableError):
    """The person has more deployments that have not ended than the platform serves for one."""

    code = "too_many_deployments"

    def __init__(self) -> None:
        super().__init__(
            f"You have {usage.MAXIMUM_DEPLOYMENTS} deployments. Stop one to start another."
        )


@part_of_transaction
def require_start(
    owner: Owner, *, strategy_slug: str, account: "ExchangeAccount", now: datetime
) -> None:
    """Go on if *owner* may start one more deployment of a strategy on *account*.

    Raises SubscriptionRequiredError, PlanLimitError or TooManyDeploymentsError. The billing row of
    the person stays locked until the transaction ends, so that of two starts one counts the other.
    """
    entitlements.require_product(owner, product_code=usage.product_code(strategy_slug), now=now)
    limit, owner_id = usage.limit_of(account), cast(int, owner.pk)
    entitlements.require(owner, limit=limit, used=lambda: usage.used_by(owner_id)[limit], now=now)
    if sum(usage.used_by(owner_id).values()) >= usage.MAXIMUM_DEPLOYMENTS:
        raise TooManyDeploymentsError
