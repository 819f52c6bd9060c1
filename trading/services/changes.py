"""What a person changes of a deployment while it exists: its name, what its end does, its parameters.

Other parameters make a new revision, from the next bar that closes; what was decided before keeps
the revision under which it was decided.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation import audit
from foundation.audit import Actor
from foundation.transactions import part_of_transaction, transactional
from market.enums import InstrumentKind, Leg
from market.errors import ConflictError, PreconditionError
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.reasons import ReasonCode
from strategies.selectors import catalogue
from trading.domain import kernel
from trading.models import (
    ActualState,
    Deployment,
    DeploymentDecision,
    DeploymentInstrument,
    DeploymentRevision,
    OrderIntent,
)
from trading.selectors import deployments as selectors
from trading.selectors import holdings
from trading.selectors.owners import Owner
from trading.services import intents, limits, locks, restrictions, revisions, terms
from trading.services.restarts import StrategyChangedError


class VersionConflictError(PreconditionError):
    """The deployment has changed since the person looked at it."""

    code = "version_conflict"

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(f"“{deployment.name}” has changed since you loaded it. Look at it again.")


class DeploymentStoppingError(ConflictError):
    """A deployment that is being stopped takes no other parameters."""

    code = "deployment_stopping"

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(f"“{deployment.name}” is being stopped. Wait until it has.")


@transactional
def change(
    *,
    owner: Owner,
    deployment_public_id: UUID,
    name: str | None = None,
    stop_policy: str | None = None,
    parameters: Mapping[str, object] | None = None,
    parameters_are_text: bool = False,
    protections: Mapping[str, object] | None = None,
    expected_revision: int | None = None,
    by: Actor,
    now: datetime,
) -> Deployment:
    """Change what is given of a deployment of *owner*; None leaves it as it is.

    *protections* replace all limits of the deployment itself; those of its account and its owner stay.
    *expected_revision* is the number of the revision that the person has looked at. Raises
    InvalidDeploymentError with every problem at once, VersionConflictError, DeploymentStoppingError,
    StrategyChangedError, and PaperOnlyError where the account cannot do what the parameters ask for.
    """
    found = selectors.get_deployment_for(owner, public_id=deployment_public_id)
    deployment = locks.lock_deployment(found.pk)
    last = selectors.revision_of(deployment)
    if expected_revision is not None and expected_revision != last.number:
        raise VersionConflictError(deployment)
    detail: dict[str, object] = {}
    if name is not None:
        deployment.name = terms.checked_name(name)
    if stop_policy is not None:
        deployment.stop_policy = terms.checked_stop_policy(stop_policy)
        detail["stop_policy"] = deployment.stop_policy
    if protections is not None:
        terms.check_protections(protections)
        limits.store_limits(
            target=restrictions.of_deployment(deployment),
            owner_id=deployment.owner_id,
            values=protections,
            by=by,
            now=now,
        )
    if parameters is not None:
        number = _change_parameters(
            deployment, last, parameters=parameters, are_text=parameters_are_text, now=now
        )
        if number is not None:
            detail["revision"] = number
    deployment.version += 1
    deployment.save(update_fields=["name", "stop_policy", "version"])
    audit.record(
        actor=by,
        verb="deployment.changed",
        target=deployment,
        owner_id=deployment.owner_id,
        detail=detail,
    )
    return deployment


def _change_parameters(
    deployment: Deployment,
    last: DeploymentRevision,
    *,
    parameters: Mapping[str, object],
    are_text: bool,
    now: datetime,
) -> int | None:
    """Begin a revision with *parameters*; return its number, None if nothing differs."""
    if deployment.actual_state == ActualState.STOPPING:
        raise DeploymentStoppingError(deployment)
    version = deployment.strategy_version
    definition = registry.get_definition(version.strategy.slug)
    if catalogue.version_of_code(definition).pk != version.pk:
        raise StrategyChangedError(version.strategy.name)
    params = terms.checked_params(
        definition,
        parameters=parameters,
        timeframe=deployment.timeframe,
        capital=deployment.capital,
        strict=not are_text,
    )
    stored = params.model_dump(mode="json")
    if stored == last.parameters:
        return None
    terms.check_orders(deployment.account, definition=definition, params=params)
    traded = holdings.instruments_of(deployment)
    ids, kind = [each.pk for each in traded], InstrumentKind(traded[0].kind)
    timeframe = Timeframe(deployment.timeframe)
    rules = definition.rules(params).for_market(kind, timeframe)
    group = revisions.group_for(
        definition,
        params=params,
        strategy_version_id=version.pk,
        instrument_ids=ids,
        timeframe=timeframe,
        now=now,
    )
    is_idle = deployment.actual_state in selectors.ENDED_STATES
    if not is_idle:
        _pass_over(deployment, last, timeframe=timeframe, now=now)
        _withdraw(deployment)
        revisions.end(deployment, now=now)
    begun: dict[str, Any] = {
        "number": last.number + 1,
        "group": group,
        "parameters": stored,
        "rules": kernel.rules_to_json(rules),
        "now": now,
    }
    if is_idle:
        revisions.note(deployment, **begun)
    else:
        revisions.begin(deployment, instrument_ids=ids, **begun)
    return last.number + 1


@part_of_transaction
def _pass_over(
    deployment: Deployment, last: DeploymentRevision, *, timeframe: Timeframe, now: datetime
) -> None:
    """Say of bars that have closed and that nobody has decided on why nothing comes of them."""
    forming_ms = timeframe.open_of(to_milliseconds(now))
    since = last.group.last_bar_close_at or now
    closes: list[datetime] = []
    close_ms = timeframe.close_of(timeframe.open_of(to_milliseconds(since)))
    while close_ms <= forming_ms:
        closes.append(from_milliseconds(close_ms))
        close_ms = timeframe.close_of(close_ms)
    rows = DeploymentInstrument.objects.filter(deployment=deployment, is_active=True)
    DeploymentDecision.objects.bulk_create(
        [
            DeploymentDecision(
                owner_id=deployment.owner_id,
                deployment=deployment,
                revision=last,
                instrument_id=row.instrument_id,
                bar_close_at=closed_at,
                reason=ReasonCode.PARAMETERS_CHANGED.value,
            )
            for row in rows
            for closed_at in closes
            # What it has acted on has its reason already.
            if row.last_bar_close_at is None or closed_at > row.last_bar_close_at
        ],
        ignore_conflicts=True,
    )


@part_of_transaction
def _withdraw(deployment: Deployment) -> None:
    """Take the right away from entries that were decided with the former parameters."""
    deployment.epoch += 1
    deployment.save(update_fields=["epoch"])
    waiting = OrderIntent.objects.filter(deployment=deployment, leg=Leg.ENTRY.value)
    intents.supersede(waiting, code=ReasonCode.PARAMETERS_CHANGED.value)
