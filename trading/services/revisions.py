"""The stretches of a deployment's life: each begins with a bar, has its parameters and a signal group."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from exchanges.services import feeds, leases
from foundation.transactions import part_of_transaction
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.registry import Definition
from strategies.shapes import StrategyParams
from trading.models import Deployment, DeploymentRevision, SignalGroup
from trading.services import groups


@part_of_transaction
def group_for(
    definition: Definition,
    *,
    params: StrategyParams,
    strategy_version_id: int,
    instrument_ids: Sequence[int],
    timeframe: Timeframe,
    now: datetime,
) -> SignalGroup:
    """Return the group whose signals a deployment with *params* follows from the next bar on."""
    fields = type(params).model_fields
    chosen = {
        name: value
        for name, value in params.model_dump(mode="json").items()
        if _affects_signal(fields[name].json_schema_extra)
    }
    return groups.get_or_create_group(
        strategy_version_id=strategy_version_id,
        instrument_ids=instrument_ids,
        timeframe=timeframe,
        signal_parameters=chosen,
        signal_hash=registry.signal_parameters_hash(params),
        warm_up_bars=definition.requirements(params).bars(timeframe),
        now=now,
    )


@part_of_transaction
def begin(
    deployment: Deployment,
    *,
    number: int,
    group: SignalGroup,
    instrument_ids: Sequence[int],
    parameters: Mapping[str, Any],
    rules: Mapping[str, Any],
    now: datetime,
) -> DeploymentRevision:
    """Let *deployment* decide from the bar that forms now; its candles and its account are seen to."""
    timeframe = Timeframe(deployment.timeframe)
    revision = DeploymentRevision.objects.create(
        owner_id=deployment.owner_id,
        deployment=deployment,
        number=number,
        group=group,
        parameters=dict(parameters),
        rules=dict(rules),
        from_bar_at=from_milliseconds(timeframe.open_of(to_milliseconds(now))),
    )
    for instrument_id in sorted(instrument_ids):
        feeds.hold(
            instrument_id=instrument_id,
            timeframe=timeframe,
            holder=groups.feed_holder(group.pk),
            backfill_from_at=group.anchor_at,
        )
    leases.reconcile_soon(account_id=deployment.account_id, at=now)
    return revision


@part_of_transaction
def note(
    deployment: Deployment,
    *,
    number: int,
    group: SignalGroup,
    parameters: Mapping[str, Any],
    rules: Mapping[str, Any],
    now: datetime,
) -> DeploymentRevision:
    """Keep what *deployment* is to start with; a revision of no bar, which holds nothing."""
    return DeploymentRevision.objects.create(
        owner_id=deployment.owner_id,
        deployment=deployment,
        number=number,
        group=group,
        parameters=dict(parameters),
        rules=dict(rules),
        from_bar_at=now,
        to_bar_at=now,
    )


@part_of_transaction
def end(deployment: Deployment, *, now: datetime) -> None:
    """End the revision in force, if there is one, and let go of candles that nobody else needs."""
    revision = (
        DeploymentRevision.objects.filter(deployment=deployment, to_bar_at=None)
        .select_related("group")
        .first()
    )
    if revision is None:
        return
    revision.to_bar_at = now
    revision.save(update_fields=["to_bar_at"])
    group = revision.group
    if groups.is_in_use(group.pk):
        return
    for instrument in group.instruments.order_by("pk"):
        feeds.release(
            instrument_id=instrument.pk,
            timeframe=Timeframe(group.timeframe),
            holder=groups.feed_holder(group.pk),
        )


def _affects_signal(extra: object) -> bool:
    return isinstance(extra, Mapping) and extra.get("affects") == "signal"
