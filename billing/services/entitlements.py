"""Asking whether a person may have one more, in the transaction that makes it."""

from collections.abc import Callable
from datetime import datetime
from typing import cast

from billing.domain.limits import EACH_BY_ITSELF, WORDS, Limit
from billing.models import BillingAccount
from billing.selectors import entitlements as selectors
from billing.selectors.entitlements import Owner
from billing.selectors.products import find_product
from foundation.transactions import part_of_transaction
from market.errors import EntitlementError, FieldProblem

__all__ = (
    "Limit",
    "PlanLimitError",
    "SubscriptionRequiredError",
    "lock_billing",
    "require",
    "require_product",
)


class PlanLimitError(EntitlementError):
    """The person's plan does not allow so many."""

    code = "plan_limit_reached"

    def __init__(
        self, limit: Limit, *, allowed: int, used: int, asked: int, plan_code: str, plan_name: str
    ) -> None:
        words = WORDS[limit]
        allows = f"Your plan “{plan_name}” allows {words.counted(allowed)}"
        if limit in EACH_BY_ITSELF:
            text = f"{allows}; this one has {asked:,}. {words.remedy}, or ask for a larger plan."
        elif allowed == 0:
            text = f"Your plan “{plan_name}” has no {words.many}. Ask for a larger plan."
        else:
            text = f"{allows}, and you have {used:,}. {words.remedy}, or ask for a larger plan."
        super().__init__(text, problems=[FieldProblem(limit.value, self.code, text)])
        self.limit, self.allowed, self.used, self.asked = limit, allowed, used, asked
        self.plan_code, self.plan_name = plan_code, plan_name


class SubscriptionRequiredError(EntitlementError):
    """The person has no right to the product at this moment."""

    code = "subscription_required"

    def __init__(self, product_code: str, name: str) -> None:
        text = f"You need a subscription to “{name}”. Subscribe on its page, then try again."
        super().__init__(text, problems=[FieldProblem("product", self.code, text)])
        self.product_code = product_code


@part_of_transaction
def require(
    owner: Owner,
    *,
    limit: Limit,
    used: int | Callable[[], int],
    asked: int = 1,
    now: datetime,
) -> None:
    """Go on if the person's plan allows *asked* more beside those *used*; raise PlanLimitError if not.

    The person's billing row stays locked until the caller's transaction ends, so of many requests
    at the limit only as many pass as there are places. A number counted before that lock may be
    old: give a function, which is called under it, or call :func:`lock_billing` before counting.
    """
    lock_billing(owner)
    plan = selectors.plan_of(owner, now=now)
    allowed = selectors.limits_in(plan)[limit]
    if allowed is None:
        return
    count = used() if callable(used) else used
    if count + asked > allowed:
        raise PlanLimitError(
            limit,
            allowed=allowed,
            used=count,
            asked=asked,
            plan_code=plan.product.code,
            plan_name=plan.product.name,
        )


@part_of_transaction
def require_product(owner: Owner, *, product_code: str, now: datetime) -> None:
    """Go on if the person has a right to the product at *now*; raise SubscriptionRequiredError if not.

    The billing row stays locked as for :func:`require`: no cancellation comes in between.
    """
    lock_billing(owner)
    if not selectors.is_entitled(cast(int, owner.pk), product_code, now=now):
        product = find_product(product_code)
        raise SubscriptionRequiredError(product_code, product.name if product else product_code)


@part_of_transaction
def lock_billing(owner: Owner) -> BillingAccount:
    """Return the person's billing row, locked; made the first time. Lock it before anything else."""
    return lock_billing_of(cast(int, owner.pk))


@part_of_transaction
def lock_billing_of(owner_id: int) -> BillingAccount:
    """Return the billing row of a person by id, as :func:`lock_billing` does."""
    rows = BillingAccount.objects.select_for_update().filter(owner_id=owner_id)
    account = rows.first()
    if account is None:
        # Two first requests may meet here; the second finds the row of the first.
        BillingAccount.objects.bulk_create(
            [BillingAccount(owner_id=owner_id)], ignore_conflicts=True
        )
        account = rows.get()
    return account
