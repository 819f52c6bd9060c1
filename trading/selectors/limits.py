"""The limits that people have set for deployments, accounts and themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from trading.domain.protections import Limits
from trading.domain.trading_states import (
    Place,
    key_of_account,
    key_of_deployment,
    key_of_person,
)
from trading.models import ProtectionLimits, RestrictionScope
from trading.selectors.owners import Owner

_NAMES = tuple(each.name for each in fields(Limits))


@dataclass(frozen=True, slots=True)
class LimitedTarget:
    """What limits are about, and the limits."""

    key: str
    scope: RestrictionScope
    name: str
    owner_id: int
    account_id: int | None
    deployment_id: int | None
    limits: Limits


def limited_targets(places: Sequence[Place]) -> dict[str, LimitedTarget]:
    """Return by key what is limited of the deployments, accounts and people at *places*; one query."""
    keys: set[str] = set()
    for place in places:
        keys |= {
            key_of_deployment(place.deployment_id),
            key_of_account(place.account_id),
            key_of_person(place.owner_id),
        }
    if not keys:
        return {}
    rows = ProtectionLimits.objects.filter(target_key__in=keys).select_related(
        "account", "deployment"
    )
    return {row.target_key: _target_of(row) for row in rows}


def limits_for(owner: Owner) -> list[LimitedTarget]:
    """Return everything that *owner* has limited, their own limits first."""
    rows = ProtectionLimits.objects.filter(owner_id=owner.pk).select_related(
        "account", "deployment"
    )
    found = [_target_of(row) for row in rows]
    order = [RestrictionScope.PERSON, RestrictionScope.ACCOUNT, RestrictionScope.DEPLOYMENT]
    return sorted(found, key=lambda each: (order.index(each.scope), each.name, each.key))


def find_limits_for(owner: Owner, *, key: str) -> Limits:
    """Return what *owner* has set for a target; limits without any value if nothing."""
    row = ProtectionLimits.objects.filter(owner_id=owner.pk, target_key=key).first()
    return Limits() if row is None else limits_of(row)


def limits_of(row: ProtectionLimits) -> Limits:
    """Return the stored limits as a value."""
    return Limits(**{name: getattr(row, name) for name in _NAMES})


def _target_of(row: ProtectionLimits) -> LimitedTarget:
    scope, name = RestrictionScope.PERSON, "Everything of yours"
    if row.deployment is not None:
        scope, name = RestrictionScope.DEPLOYMENT, f"“{row.deployment.name}”"
    elif row.account is not None:
        scope, name = RestrictionScope.ACCOUNT, f"Account {row.account.label}"
    return LimitedTarget(
        key=row.target_key,
        scope=scope,
        name=name,
        owner_id=row.owner_id,
        account_id=row.account_id,
        deployment_id=row.deployment_id,
        limits=limits_of(row),
    )
