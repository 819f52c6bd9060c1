"""Entry points of the workers; each is one call of a service."""

from django.utils import timezone

from foundation import tenancy
from foundation.queue import queued_task
from referrals.services import commissions


@queued_task("referrals.mature_commissions", queue="default")
def mature_commissions() -> None:
    """Make payable the commissions whose time for a refund is over."""
    with tenancy.bypass("a sweep looks at everything"):
        commissions.mature_due(now=timezone.now())
