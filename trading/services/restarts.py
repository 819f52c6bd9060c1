"""A deployment that has ended, or is a draft, started: the same row, a new revision, the same checks as a new one."""

from datetime import datetime
from typing import Final

from foundation.events import publish
from foundation.transactions import part_of_transaction
from market.errors import ConflictError, ForbiddenError
from market.timeframes import Timeframe
from strategies import registry
from strategies.selectors import catalogue
from trading import events
from trading.models import (
    ActualState,
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    DesiredState,
    Health,
)
from trading.selectors import holdings
from trading.selectors.deployments import revision_of
from trading.services import deployments, revisions, rights, terms

#: Marks of what protects a position, and of its size.
_PROTECTION: Final = (
    "entry_fees",
    "stop_ticks",
    "stop_trails",
    "target_ticks",
    "targets_done",
    "last_target_ticks",
    "first_target_ticks",
    "trail_mark",
    "ladder_base",
    "ladder_step",
    "ladder_ticks",
    "ladder_lots",
    "seen_lots",
    "entered_ms",
)

_WRITTEN: Final = (
    "desired_state",
    "actual_state",
    "health",
    "health_code",
    "health_message",
    "started_at",
    "stopped_at",
)


class StrategyChangedError(ConflictError):
    """The strategy has another version now; what ran before cannot go on with other code."""

    code = "strategy_changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"“{name}” has a new version since. Make a new deployment to trade with it."
        )


class OwnerInactiveError(ForbiddenError):
    """Nothing is started for a person whose account is deactivated."""

    code = "owner_inactive"

    def __init__(self) -> None:
        super().__init__("The account of this deployment's owner is deactivated.")


@part_of_transaction
def start_again(deployment: Deployment, *, now: datetime) -> None:
    """Let a locked *deployment* that has ended, or is a draft, decide from the next bar that closes.

    Its parameters, capital and fills stay; what it remembered of past bars is forgotten, and its
    account is compared with the venue before anything opens. The caller has locked the owner's
    billing row. Raises OwnerInactiveError, StrategyChangedError, UnknownStrategyError, what
    ``rights.require_start`` and ``terms.check_markets`` raise, and InstrumentTakenError.
    """
    owner, version = deployment.owner, deployment.strategy_version
    if not owner.is_active:
        raise OwnerInactiveError
    definition = registry.get_definition(version.strategy.slug)
    if catalogue.version_of_code(definition).pk != version.pk:
        raise StrategyChangedError(version.strategy.name)
    rights.require_start(
        owner, strategy_slug=version.strategy.slug, account=deployment.account, now=now
    )
    last = revision_of(deployment)
    params = registry.validate_params(definition, last.parameters)
    traded = holdings.instruments_of(deployment)
    share = terms.share_of(deployment.capital, definition=definition, params=params)
    terms.check_markets(deployment.account, traded=traded, share=share)
    _claim_instruments(deployment)
    deployment.desired_state = DesiredState.RUNNING
    deployment.actual_state = ActualState.STARTING
    deployment.health, deployment.health_code, deployment.health_message = Health.OK, "", ""
    deployment.started_at, deployment.stopped_at = now, None
    deployment.save(update_fields=_WRITTEN)
    ids = [each.pk for each in traded]
    group = revisions.group_for(
        definition,
        params=params,
        strategy_version_id=version.pk,
        instrument_ids=ids,
        timeframe=Timeframe(deployment.timeframe),
        now=now,
    )
    revisions.begin(
        deployment,
        number=last.number + 1,
        group=group,
        instrument_ids=ids,
        parameters=last.parameters,
        rules=last.rules,
        now=now,
    )
    publish(
        events.DEPLOYMENT_STARTED,
        occurred_at=now,
        owner_id=deployment.owner_id,
        deployment_id=deployment.pk,
    )


def _claim_instruments(deployment: Deployment) -> None:
    held = {
        row.instrument_id: row.quantity
        for row in DeploymentPosition.objects.filter(deployment=deployment)
    }
    rows = DeploymentInstrument.objects.select_for_update(of=("self",)).filter(
        deployment=deployment
    )
    for row in rows.select_related("instrument").order_by("pk"):
        # A paper position that was left open has its stop and target nowhere else.
        kept = _PROTECTION if held.get(row.instrument_id) else ()
        row.marks = {name: value for name, value in row.marks.items() if name in kept}
        row.last_bar_close_at = None
        deployments.claim_instrument(row)
