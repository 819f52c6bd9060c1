"""Finding work whose message was lost, and passing on what others tell us."""

from datetime import datetime
from typing import Final

from exchanges.selectors import candles
from foundation.queue import enqueue
from market.timeframes import Timeframe, to_milliseconds
from trading.models import SignalGroup
from trading.services import books, evaluation, universe_bars

_SWEPT_AT_ONCE: Final = 500


def sweep_evaluation(*, now: datetime) -> int:
    """Send for every group in use that has newer bars stored; return how many there are."""
    groups = (
        SignalGroup.objects.filter(
            revisions__to_bar_at=None,
            revisions__deployment__actual_state__in=books.STEPPED_STATES,
        )
        .distinct()
        .order_by("pk")
        .prefetch_related("instruments")[:_SWEPT_AT_ONCE]
    )
    sent = 0
    for group in groups:
        if _has_newer_bars(group, now):
            enqueue("trading.evaluate_signal_group", group_id=group.pk)
            sent += 1
    return sent


def pass_on_closed_candles(*, instrument_id: int, timeframe: str, last_close_ms: int) -> int:
    """Send for the groups that wait for a bar that has just been stored; return how many."""
    ids = evaluation.group_ids_for(
        instrument_id=instrument_id, timeframe=Timeframe(timeframe), last_close_ms=last_close_ms
    )
    for group_id in ids:
        enqueue("trading.evaluate_signal_group", group_id=group_id)
    return len(ids)


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
