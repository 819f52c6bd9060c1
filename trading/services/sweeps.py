"""Finding work whose message was lost, and passing on what others tell us."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from exchanges.selectors import candles
from foundation.queue import enqueue
from market.timeframes import Timeframe, to_milliseconds
from trading.models import SignalGroup
from trading.services import evaluation, groups, universe_bars

_SWEPT_AT_ONCE: Final = 500

#: Groups of one message: enough to share what a task costs, few enough that several workers share them.
_FEWEST_IN_MESSAGE: Final = 6
_MOST_IN_MESSAGE: Final = 40
_MESSAGES: Final = 8


def sweep_evaluation(*, now: datetime) -> int:
    """Send for every group in use that has newer bars stored, or shards behind; return how many."""
    # In no order: if there are more than can be looked at, each has its turn sooner or later, also
    # beside many whose markets have no bars any more.
    waiting = (
        SignalGroup.objects.filter(groups.followed(), _may_have_closed_a_bar(now))
        .order_by("?")
        .prefetch_related("instruments")[:_SWEPT_AT_ONCE]
    )
    found = {group.pk for group in waiting if _has_newer_bars(group, now)}
    found |= set(groups.groups_behind(most=_SWEPT_AT_ONCE))
    _send(sorted(found))
    return len(found)


def pass_on_closed_candles(
    *, instrument_ids: Sequence[int], timeframe: str, last_close_ms: int
) -> int:
    """Send for the groups that wait for bars that have just been stored; return how many."""
    ids = evaluation.group_ids_for(
        instrument_ids=instrument_ids, timeframe=Timeframe(timeframe), last_close_ms=last_close_ms
    )
    _send(ids)
    return len(ids)


def _send(group_ids: Sequence[int]) -> None:
    share = -(-len(group_ids) // _MESSAGES)
    size = min(max(share, _FEWEST_IN_MESSAGE), _MOST_IN_MESSAGE)
    for start in range(0, len(group_ids), size):
        part = list(group_ids[start : start + size])
        enqueue("trading.evaluate_signal_groups", group_ids=part)


def _may_have_closed_a_bar(now: datetime) -> Q:
    """Return the condition that a group's next bar has ended by the clock."""
    may = Q(last_bar_close_at=None)
    for timeframe in Timeframe:
        before = now - timedelta(milliseconds=timeframe.milliseconds)
        may |= Q(timeframe=timeframe.value, last_bar_close_at__lte=before)
    return may


def _has_newer_bars(group: SignalGroup, now: datetime) -> bool:
    instruments = list(group.instruments.all())
    if len(instruments) > 1:
        return universe_bars.is_due(group, instruments=instruments, now=now)
    timeframe = Timeframe(group.timeframe)
    since_ms = to_milliseconds(group.last_bar_close_at or group.anchor_at)
    if to_milliseconds(now) < timeframe.close_of(timeframe.open_of(since_ms)):
        return False
    newer = (
        candles.load_tail(
            instrument_id=instrument.pk,
            timeframe=timeframe,
            from_ms=timeframe.open_of(since_ms),
            to_ms=to_milliseconds(now) + timeframe.milliseconds,
        )
        for instrument in instruments
    )
    return all(len(each) > 0 for each in newer)
