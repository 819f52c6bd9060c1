"""Signal groups: found or made for a deployment, and claimed by one evaluator at a time."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models.functions import Greatest

from foundation.transactions import part_of_transaction, transactional
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from trading.models import IDLE_STATES, Deployment, SignalGroup

#: An evaluation takes milliseconds and every write of it is fenced by the epoch, so the claim of a
#: worker that died may run out sooner than other leases.
_LEASE_FRACTION: Final = 0.25


class LeaseLostError(Exception):
    """Somebody else has claimed the work meanwhile; whatever this process still held is void."""


@dataclass(frozen=True, slots=True)
class GroupLease:
    """The right to evaluate a group, as long as its epoch is this one."""

    group_id: int
    epoch: int


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
        return group
    group = SignalGroup.objects.select_for_update().get(pk=group.pk)
    if not is_in_use(group.pk):
        # Nobody waits for the bars that passed while it was idle.
        group.last_bar_close_at = from_milliseconds(forming_ms)
        group.save(update_fields=["last_bar_close_at"])
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


def feed_holder(group_id: int) -> str:
    """Return the name under which a group holds its feeds."""
    return f"group:{group_id}"


@transactional
def claim(*, group_id: int) -> GroupLease | None:
    """Return the right to evaluate a group, or None if somebody has it; by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE trading_signalgroup SET epoch = epoch + 1,"
            " lease_until = clock_timestamp() + make_interval(secs => %s)"
            " WHERE id = %s AND (lease_until IS NULL OR lease_until < clock_timestamp())"
            " RETURNING epoch",
            [settings.HORIZONS.lease_s * _LEASE_FRACTION, group_id],
        )
        row = cursor.fetchone()
    return None if row is None else GroupLease(group_id, row[0])


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
    """Note that every bar up to the one that closed at *to* has been dealt with.

    Raises LeaseLostError if somebody else has claimed the group.
    """
    moved = SignalGroup.objects.filter(pk=lease.group_id, epoch=lease.epoch).update(
        last_bar_close_at=Greatest("last_bar_close_at", to)
    )
    if not moved:
        raise LeaseLostError(lease.group_id)


@transactional
def release(lease: GroupLease) -> None:
    """Give the group back; nothing happens if it has been claimed by somebody else."""
    SignalGroup.objects.filter(pk=lease.group_id, epoch=lease.epoch).update(lease_until=None)
