"""Which deployments of a shard have anything to do at its bars, taken under their locks.

One that holds nothing and waits for nothing is not even read on a bar at which its group has nothing
to say to it: the group's own row tells what it decided.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection

from foundation.transactions import part_of_transaction
from market.orders import WORKING
from trading.models import Deployment
from trading.services import books, health
from trading.services.frames import Frame

#: Marks that change although the group has nothing to say: those of a position just closed.
_RESTLESS: Final = ["seen_lots", "was_closed", "entered_inside", "entry_side", "exit_lots"]

_SELECT: Final = """
    SELECT wanted.place, deployment.id, account.kind = 'PAPER', person.is_active
    FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bool[])
         AS wanted(place, shard_id, instrument_id, is_quiet)
    JOIN trading_groupshard shard ON shard.id = wanted.shard_id
    JOIN trading_deploymentrevision revision ON revision.group_id = shard.group_id
     AND revision.to_bar_at IS NULL AND revision.deployment_id %% shard.of = shard.number
    JOIN trading_deployment deployment ON deployment.id = revision.deployment_id
     AND deployment.actual_state = ANY(%s)
    JOIN accounts_user person ON person.id = deployment.owner_id
    JOIN exchanges_exchangeaccount account ON account.id = deployment.account_id
    JOIN trading_deploymentinstrument traded ON traded.deployment_id = deployment.id
     AND traded.instrument_id = wanted.instrument_id AND traded.is_active
    LEFT JOIN trading_deploymentposition held ON held.deployment_id = deployment.id
     AND held.instrument_id = wanted.instrument_id
    WHERE NOT wanted.is_quiet OR deployment.actual_state = 'STARTING'
       OR held.quantity <> 0 OR traded.marks ?| %s OR deployment.health_code = %s
       OR EXISTS (
           SELECT FROM trading_orderintent waiting
           WHERE waiting.deployment_id = deployment.id AND waiting.status = 'NEW'
       )
       OR EXISTS (
           SELECT FROM trading_order working
           WHERE working.deployment_id = deployment.id AND working.status = ANY(%s)
       )
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A locked deployment, and what else there is to know before it may open a position."""

    deployment: Deployment
    is_paper: bool
    has_active_owner: bool


@part_of_transaction
def lock_members(
    frames: Sequence[Frame], *, takes: Callable[[int], bool]
) -> Mapping[int, Sequence[Member]]:
    """Return who has anything to do, locked, by the place of their frame; by two queries for all.

    Only deployments that *takes* accepts are among them. Under the lock nobody else changes what a
    decision depends on, so it is read after this.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _SELECT,
            [
                list(range(len(frames))),
                [frame.shard_id for frame in frames],
                [frame.instrument.pk for frame in frames],
                [frame.is_quiet for frame in frames],
                [state.value for state in books.STEPPED_STATES],
                _RESTLESS,
                # Whoever was left out of a bar says at the next one that it is well again.
                health.BROKEN,
                [status.value for status in WORKING],
            ],
        )
        rows = [row for row in cursor.fetchall() if takes(row[1])]
    locked = {
        deployment.pk: deployment
        for deployment in Deployment.objects.select_for_update(of=("self",))
        .filter(
            pk__in={deployment_id for _, deployment_id, _, _ in rows},
            actual_state__in=books.STEPPED_STATES,
        )
        .order_by("pk")
    }
    found: dict[int, list[Member]] = defaultdict(list)
    for place, deployment_id, is_paper, is_active in sorted(rows):
        if deployment_id in locked:
            found[place].append(Member(locked[deployment_id], is_paper, is_active))
    return found
