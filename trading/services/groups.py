"""Signal groups: found or made for a deployment, and claimed by one evaluator at a time."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Greatest

from exchanges.models import AccountKind
from foundation.transactions import part_of_transaction, transactional
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from trading.models import (
    IDLE_STATES,
    Deployment,
    DeploymentRevision,
    GroupShard,
    SignalGroup,
)
from trading.services import books

#: An evaluation takes milliseconds and every write of it is fenced by the epoch, so the claim of a
#: worker that died may run out sooner than other leases.
_LEASE_FRACTION: Final = 0.25


#: Deployments of a shard, beyond which it is split in two: so many on paper, or fewer at a venue.
MOST_IN_SHARD: Final = 1_000

#: For how many on paper one at a venue counts. It is stepped by itself, and nobody's order leaves before
#: those of the whole shard are decided.
_LIVE_WEIGHT: Final = 10

_CLAIM: Final = """
    UPDATE trading_signalgroup AS claimed
    SET epoch = epoch + 1, lease_until = clock_timestamp() + make_interval(secs => %s)
    WHERE id IN (
        SELECT id FROM trading_signalgroup
        WHERE id = ANY(%s) AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING id, epoch, last_bar_close_at, pending::text,
        (SELECT min(last_bar_close_at) FROM trading_groupshard WHERE group_id = claimed.id),
        (SELECT count(*) FROM trading_groupshard WHERE group_id = claimed.id)
"""
_ADVANCE: Final = """
    UPDATE trading_signalgroup SET lease_until = NULL, pending = done.pending,
           last_bar_close_at = GREATEST(last_bar_close_at, done.seen_to)
    FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::jsonb[])
         AS done(group_id, epoch, seen_to, pending)
    WHERE id = done.group_id AND trading_signalgroup.epoch = done.epoch
    RETURNING id
"""
_RELEASE: Final = """
    UPDATE trading_signalgroup SET lease_until = NULL
    FROM unnest(%s::bigint[], %s::bigint[]) AS held(group_id, epoch)
    WHERE id = held.group_id AND trading_signalgroup.epoch = held.epoch
"""
_LOCK_SHARDS: Final = """
    SELECT shard.id, shard.group_id, shard.last_bar_close_at, signals.pending::text,
           signals.last_bar_close_at, signals.timeframe, strategy.slug
    FROM trading_groupshard shard
    JOIN trading_signalgroup signals ON signals.id = shard.group_id
    JOIN strategies_strategyversion version ON version.id = signals.strategy_version_id
    JOIN strategies_strategy strategy ON strategy.id = version.strategy_id
    WHERE shard.group_id = ANY(%s) AND NOT shard.id = ANY(%s) AND (
        shard.last_bar_close_at IS NULL OR shard.last_bar_close_at < signals.last_bar_close_at
    )
    ORDER BY shard.id LIMIT %s FOR UPDATE OF shard SKIP LOCKED
"""
_MOVE_SHARDS: Final = """
    UPDATE trading_groupshard SET last_bar_close_at = seen.seen_to
    FROM unnest(%s::bigint[], %s::timestamptz[]) AS seen(shard_id, seen_to)
    WHERE id = seen.shard_id
"""
_LARGE_SHARDS: Final = """
    SELECT shard.id FROM trading_groupshard shard
    JOIN trading_deploymentrevision revision ON revision.group_id = shard.group_id
     AND revision.to_bar_at IS NULL AND revision.deployment_id %% shard.of = shard.number
    JOIN trading_deployment deployment ON deployment.id = revision.deployment_id
    JOIN exchanges_exchangeaccount account ON account.id = deployment.account_id
    GROUP BY shard.id
    HAVING sum(CASE account.kind WHEN 'LIVE' THEN %s ELSE 1 END) > %s AND count(*) > 1
"""


class LeaseLostError(Exception):
    """Somebody else has claimed the work meanwhile; whatever this process still held is void."""


@dataclass(frozen=True, slots=True)
class GroupLease:
    """The right to evaluate a group, as long as its epoch is this one."""

    group_id: int
    epoch: int


class ClaimedGroup(NamedTuple):
    """A claimed group: up to which bar it is computed, what waits, and up to where all shards are."""

    lease: GroupLease
    seen_to: datetime | None
    pending: list[Any]
    stepped_to: datetime | None
    shards: int


class Progress(NamedTuple):
    """What has been computed for a claimed group."""

    lease: GroupLease
    seen_to: datetime
    pending: list[Any]


class ShardBehind(NamedTuple):
    """A locked shard, up to which bar it has been stepped, and what its group has to say since.

    *seen_to* is the bar up to which the group has been computed.
    """

    shard_id: int
    group_id: int
    stepped_to: datetime | None
    pending: list[Any]
    seen_to: datetime
    timeframe: str
    strategy: str


@part_of_transaction
def get_or_create_group(
    *,
    strategy_version_id: int,
    instrument_ids: Sequence[int],
    timeframe: Timeframe,
    signal_parameters: Mapping[str, Any],
    signal_hash: str,
    warm_up_bars: int,
    now: datetime,
) -> SignalGroup:
    """Return the group that computes these signals, with the bar that is forming now as its next.

    A new group's history starts *warm_up_bars* before that bar.
    """
    forming_ms = timeframe.open_of(to_milliseconds(now))
    anchor_ms = timeframe.open_of(forming_ms - warm_up_bars * timeframe.milliseconds)
    group, is_new = SignalGroup.objects.get_or_create(
        strategy_version_id=strategy_version_id,
        universe_key=universe_key(instrument_ids),
        timeframe=timeframe.value,
        signal_hash=signal_hash,
        defaults={
            "signal_parameters": dict(signal_parameters),
            "anchor_at": from_milliseconds(anchor_ms),
            "last_bar_close_at": from_milliseconds(forming_ms),
        },
    )
    if is_new:
        group.instruments.set(instrument_ids)
        GroupShard.objects.create(group=group, last_bar_close_at=group.last_bar_close_at)
        return group
    group = SignalGroup.objects.select_for_update().get(pk=group.pk)
    if not is_in_use(group.pk):
        # Nobody waits for the bars that passed while it was idle.
        group.last_bar_close_at = from_milliseconds(forming_ms)
        group.pending = []
        group.save(update_fields=["last_bar_close_at", "pending"])
        group.shards.update(last_bar_close_at=group.last_bar_close_at)
    return group


def universe_key(instrument_ids: Sequence[int]) -> str:
    """Return the SHA-256 (hex) of the sorted instruments."""
    text = ",".join(str(instrument_id) for instrument_id in sorted(instrument_ids))
    return hashlib.sha256(text.encode()).hexdigest()


def is_in_use(group_id: int) -> bool:
    """Tell whether a deployment that has not ended uses the group."""
    return (
        Deployment.objects.filter(revisions__group_id=group_id, revisions__to_bar_at=None)
        .exclude(actual_state__in=IDLE_STATES)
        .exists()
    )


def followed() -> Exists:
    """Return the condition that a group has a deployment to step, which ends at the first one found.

    A join with all of them would read fifty thousand rows to name three hundred groups.
    """
    return Exists(
        DeploymentRevision.objects.filter(
            group_id=OuterRef("pk"),
            to_bar_at=None,
            deployment__actual_state__in=books.STEPPED_STATES,
        )
    )


def feed_holder(group_id: int) -> str:
    """Return the name under which a group holds its feeds."""
    return f"group:{group_id}"


@transactional
def claim(*, group_ids: Sequence[int]) -> dict[int, ClaimedGroup]:
    """Return the groups that nobody else evaluates just now, claimed; by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [settings.HORIZONS.lease_s * _LEASE_FRACTION, sorted(group_ids)])
        rows = cursor.fetchall()
    return {
        group_id: ClaimedGroup(GroupLease(group_id, epoch), seen_to, json.loads(pending), *shards)
        for group_id, epoch, seen_to, pending, *shards in rows
    }


@part_of_transaction
def require(lease: GroupLease) -> SignalGroup:
    """Return the locked group; raise LeaseLostError if somebody else has claimed it."""
    group = (
        SignalGroup.objects.select_for_update(no_key=True)
        .filter(pk=lease.group_id, epoch=lease.epoch)
        .first()
    )
    if group is None:
        raise LeaseLostError(lease.group_id)
    return group


@transactional
def advance(lease: GroupLease, *, to: datetime) -> None:
    """Note that every bar up to the one that closed at *to* has been computed and stepped.

    The claim is prolonged with it. Raises LeaseLostError if somebody else has claimed the group.
    """
    moved = SignalGroup.objects.filter(pk=lease.group_id, epoch=lease.epoch).update(
        last_bar_close_at=Greatest("last_bar_close_at", to),
        lease_until=RawSQL(
            "clock_timestamp() + make_interval(secs => %s)",
            [settings.HORIZONS.lease_s * _LEASE_FRACTION],
        ),
    )
    if not moved:
        raise LeaseLostError(lease.group_id)
    GroupShard.objects.filter(group_id=lease.group_id).update(last_bar_close_at=to)


@part_of_transaction
def advance_many(progress: Sequence[Progress]) -> set[int]:
    """Note what has been computed for claimed groups, and give them back; return which ones.

    One that somebody else has claimed meanwhile stays as it is.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ADVANCE,
            [
                [each.lease.group_id for each in progress],
                [each.lease.epoch for each in progress],
                [each.seen_to for each in progress],
                [json.dumps(each.pending) for each in progress],
            ],
        )
        return {group_id for (group_id,) in cursor.fetchall()}


@transactional
def release(leases: Sequence[GroupLease]) -> None:
    """Give groups back; one that has been claimed by somebody else stays theirs."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RELEASE,
            [[lease.group_id for lease in leases], [lease.epoch for lease in leases]],
        )


def shards_at_once(group_ids: Sequence[int], *, deployments: int) -> int:
    """Return in how many shards of these groups there are about so many deployments, at least one.

    Those at a venue count as several on paper.
    """
    shards = GroupShard.objects.filter(group_id__in=group_ids).count()
    followers = DeploymentRevision.objects.filter(group_id__in=group_ids, to_bar_at=None)
    counted = followers.aggregate(
        all=Count("pk"), live=Count("pk", filter=Q(deployment__account__kind=AccountKind.LIVE))
    )
    weight: int = counted["all"] + (_LIVE_WEIGHT - 1) * counted["live"]
    return max(shards * deployments // max(weight, 1), 1)


@part_of_transaction
def lock_shards_behind(
    *, group_ids: Sequence[int], most: int, but: Collection[int] = ()
) -> list[ShardBehind]:
    """Return shards with bars to step, *but* those, locked until the transaction ends, at most so many.

    Those that somebody else steps just now are left to them. A worker that dies gives its shards
    back at once: the lock goes with its connection, and so does everything it has not committed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_SHARDS, [sorted(group_ids), list(but), most])
        rows = cursor.fetchall()
    return [
        ShardBehind(
            shard_id=shard_id,
            group_id=group_id,
            stepped_to=stepped_to,
            pending=json.loads(pending),
            seen_to=seen_to,
            timeframe=timeframe,
            strategy=strategy,
        )
        for shard_id, group_id, stepped_to, pending, seen_to, timeframe, strategy in rows
    ]


@part_of_transaction
def shards_are_at(shard_ids: Sequence[int], *, to: Sequence[datetime]) -> None:
    """Note up to which bar locked shards have been stepped."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_SHARDS, [list(shard_ids), list(to)])


def groups_behind(*, most: int) -> list[int]:
    """Return groups of which a shard has not been stepped over everything that was computed."""
    found = GroupShard.objects.filter(
        Q(last_bar_close_at=None) | Q(last_bar_close_at__lt=F("group__last_bar_close_at"))
    )
    return sorted(set(found.values_list("group_id", flat=True)[:most]))


def split_large_shards() -> int:
    """Split what has grown too large for one worker to step at once, until nothing is; return how often."""
    splits = 0
    # Each round halves what is too large: keys differ, so it ends.
    while large := _large_shards():
        splits += sum(_split(shard_id=shard_id) for shard_id in large)
    return splits


def _large_shards() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_LARGE_SHARDS, [_LIVE_WEIGHT, MOST_IN_SHARD])
        return [shard_id for (shard_id,) in cursor.fetchall()]


@transactional
def _split(*, shard_id: int) -> bool:
    """Give half of a shard's deployments to a new one that has seen the same bars."""
    shard = GroupShard.objects.select_for_update(of=("self",)).get(pk=shard_id)
    # Who waits for the lock sees the changed row, and with it which deployments are left to it.
    number = shard.number + shard.of
    shard.of *= 2
    shard.save(update_fields=["of"])
    GroupShard.objects.create(
        group_id=shard.group_id,
        number=number,
        of=shard.of,
        last_bar_close_at=shard.last_bar_close_at,
    )
    return True
