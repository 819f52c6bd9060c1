"""Entry points of the workers; each is one call of a service."""

from django.utils import timezone

from billing.services import subscriptions
from foundation import tenancy
from foundation.queue import queued_task


@queued_task("billing.expire_subscriptions", queue="default")
def expire_subscriptions() -> None:
    """Carry out the ends of subscriptions that have come."""
    with tenancy.bypass("a sweep looks at everything"):
        subscriptions.expire_due(now=timezone.now())


@queued_task("billing.remind_of_ends", queue="default")
def remind_of_ends() -> None:
    """Remind people of subscriptions that end soon."""
    with tenancy.bypass("a sweep looks at everything"):
        subscriptions.remind_due(now=timezone.now())
