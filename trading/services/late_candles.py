"""What becomes of deployments while the candles that they decide on do not come."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from exchanges.selectors import feeds, instruments
from foundation.transactions import transactional
from market.timeframes import Timeframe
from trading.models import IDLE_STATES, Deployment, Health, SignalGroup
from trading.services import health, notices

_AT_ONCE: Final = 100


def note_behind(*, instrument_id: int, timeframe: Timeframe, reason: str, now: datetime) -> int:
    """Say of every deployment that decides on these candles that it waits; return how many there are.

    One that has another problem already keeps it: that one is nearer to the person's money.
    """
    symbol = instruments.symbol_of(instrument_id)
    why = f" ({reason})" if reason else ""
    message = (
        f"No new {timeframe} candles of {symbol} come from the exchange{why}. Nothing is decided until "
        "they do; stops that rest at the exchange stay."
    )
    ids = _deployments_on(instrument_id, timeframe)
    for start in range(0, len(ids), _AT_ONCE):
        _degrade(ids[start : start + _AT_ONCE], message=message, now=now)
    return len(ids)


def note_caught_up(*, instrument_id: int, timeframe: Timeframe, now: datetime) -> int:
    """Say of the deployments that waited for these candles that they are well again; return how many."""
    ids = _deployments_on(instrument_id, timeframe)
    for start in range(0, len(ids), _AT_ONCE):
        _recover(ids[start : start + _AT_ONCE], timeframe=timeframe, now=now)
    return len(ids)


def _deployments_on(instrument_id: int, timeframe: Timeframe) -> list[int]:
    groups = SignalGroup.objects.filter(instruments=instrument_id, timeframe=timeframe.value)
    return list(
        Deployment.objects.filter(revisions__to_bar_at=None, revisions__group__in=groups)
        .exclude(actual_state__in=IDLE_STATES)
        .distinct()
        .order_by("pk")
        .values_list("pk", flat=True)
    )


@transactional
def _degrade(ids: Sequence[int], *, message: str, now: datetime) -> None:
    for deployment in _locked(ids):
        if deployment.health == Health.OK:
            health.degrade(deployment, code=health.CANDLES_LATE, message=message, now=now)
            notices.tell_waiting(deployment, what=message, now=now)


@transactional
def _recover(ids: Sequence[int], *, timeframe: Timeframe, now: datetime) -> None:
    for deployment in _locked(ids):
        groups = SignalGroup.objects.filter(
            revisions__deployment=deployment, revisions__to_bar_at=None
        )
        wanted = list(groups.values_list("instruments", flat=True))
        if not feeds.any_behind(instrument_ids=wanted, timeframe=timeframe):
            health.recover(deployment, codes={health.CANDLES_LATE}, now=now)


def _locked(ids: Sequence[int]) -> list[Deployment]:
    return list(
        Deployment.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk")
    )
