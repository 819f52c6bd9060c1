"""Questions about backtests that wait for candles; every one names the owner."""

from uuid import UUID

from backtesting.models import AwaitedRun, AwaitedStatus
from backtesting.selectors.runs import BacktestNotFoundError, Owner


def get_awaited_for(owner: Owner, *, public_id: UUID) -> AwaitedRun:
    """Return a wish of *owner*; raise BacktestNotFoundError if there is none."""
    found = (
        AwaitedRun.objects.filter(owner_id=owner.pk, public_id=public_id)
        .select_related("run")
        .first()
    )
    if found is None:
        raise BacktestNotFoundError
    return found


def waiting_for(owner: Owner) -> list[AwaitedRun]:
    """Return what *owner* waits for, the newest first."""
    waiting = AwaitedRun.objects.filter(owner_id=owner.pk, status=AwaitedStatus.WAITING)
    return list(waiting.order_by("-pk"))
