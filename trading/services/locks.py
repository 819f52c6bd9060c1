"""Deployments taken for a change, one or many, always in the same order."""

from datetime import datetime

from django.db.models import QuerySet

from billing.services.entitlements import lock_billing_of
from exchanges.services import leases
from foundation.transactions import part_of_transaction
from trading.models import Deployment
from trading.selectors.deployments import DeploymentNotFoundError


@part_of_transaction
def lock_deployment(deployment_id: int) -> Deployment:
    """Return the deployment with its row locked, and with what it is run by and on.

    Raises DeploymentNotFoundError.
    """
    for deployment in lock_deployments(Deployment.objects.filter(pk=deployment_id)):
        return deployment
    raise DeploymentNotFoundError


@part_of_transaction
def lock_to_start(deployment_id: int, *, now: datetime) -> Deployment:
    """Return a deployment that is to trade (again), locked, its account to be compared at once.

    The order is that of everybody: the owner's billing row, the account, the deployment.
    """
    found = Deployment.objects.filter(pk=deployment_id).first()
    if found is None:
        raise DeploymentNotFoundError
    lock_billing_of(found.owner_id)
    leases.reconcile_soon(account_id=found.account_id, at=now)
    return lock_deployment(deployment_id)


@part_of_transaction
def lock_deployments(found: QuerySet[Deployment]) -> list[Deployment]:
    """Return *found* with their rows locked, the oldest first."""
    return list(
        found.select_for_update(of=("self",))
        .select_related("owner", "account__venue", "strategy_version__strategy")
        .order_by("pk")
    )
