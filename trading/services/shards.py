"""Shards stepped many at a time; what cannot be stepped is found, and holds nobody else up."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from foundation.crashpoints import crashpoint
from foundation.transactions import transactional
from trading.models import Deployment, GroupShard
from trading.services import groups, health, stepping
from trading.services.stepping import UnsteppableError

logger = logging.getLogger(__name__)

#: Deployments that one transaction steps, as far as whole shards allow (so many on paper, or fewer at a
#: venue): about a third of a second.
_DEPLOYMENTS_AT_ONCE: Final = 2_000


def step_groups(*, group_ids: Sequence[int], now: datetime) -> int:
    """Step the shards of groups over what was computed since; return how many orders follow.

    Shards that somebody else steps just now are left to them. A deployment that cannot be stepped
    because of a mistake of ours, or of what is stored of it, is left out and needs attention.
    """
    orders, broken = 0, list[int]()
    most = groups.shards_at_once(group_ids, deployments=_DEPLOYMENTS_AT_ONCE)
    while True:
        try:
            count = stepping.step_some(group_ids=group_ids, most=most, but=broken, now=now)
        except UnsteppableError as trouble:
            if len(trouble.shard_ids) > 1:
                most = 1
                continue
            logger.exception("stepping.broken", extra={"shard_ids": trouble.shard_ids})
            # Without these it goes on; one that cannot be stepped even then waits for the sweeper.
            count = _step_without_culprits(trouble, now=now)
            if count is None:
                broken += trouble.shard_ids
                continue
        if count is None:
            return orders
        orders += count
        crashpoint("evaluation.stepped")


def _step_without_culprits(trouble: UnsteppableError, *, now: datetime) -> int | None:
    """Step a shard without the deployments at which it breaks; None if it breaks without them as well."""
    (shard_id,) = trouble.shard_ids
    group_id = GroupShard.objects.values_list("group_id", flat=True).get(pk=shard_id)
    others = list(
        GroupShard.objects.filter(group_id=group_id)
        .exclude(pk=shard_id)
        .values_list("pk", flat=True)
    )

    def step(deployment_ids: Sequence[int], *, is_trial: bool) -> int | None:
        return stepping.step_some(
            group_ids=[group_id],
            most=1,
            but=others,
            now=now,
            takes=frozenset(deployment_ids).__contains__,
            is_trial=is_trial,
        )

    def breaks(deployment_ids: Sequence[int]) -> bool:
        try:
            step(deployment_ids, is_trial=True)
        except UnsteppableError:
            return True
        return False

    def culprits(among: Sequence[int]) -> list[int]:
        if not breaks(among):
            return []
        if len(among) == 1:
            return list(among)
        half = len(among) // 2
        return culprits(among[:half]) + culprits(among[half:])

    if breaks([]):
        return None
    left_out = frozenset(culprits(trouble.deployment_ids))
    try:
        count = step(sorted(set(trouble.deployment_ids) - left_out), is_trial=False)
    except UnsteppableError:
        return None
    _tell_of(left_out, now=now)
    return count or 0


@transactional
def _tell_of(deployment_ids: frozenset[int], *, now: datetime) -> None:
    """Say of deployments that they were left out."""
    for deployment in (
        Deployment.objects.select_for_update(of=("self",))
        .filter(pk__in=deployment_ids)
        .order_by("pk")
    ):
        health.degrade(deployment, code=health.BROKEN, message=health.BROKEN_MESSAGE, now=now)
