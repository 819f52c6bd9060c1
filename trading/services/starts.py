"""After a start nothing is opened on an account before it has been compared with its venue.

Each worker that acts for accounts leaves a row when it does its first task. An account counts as
compared only if its last complete comparison began after the newest of these rows: a crash, a
deployment of new code and a restore from a backup all end in a start, so all of them force it.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from exchanges.services import leases
from trading.models import WorkerStart

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount

#: Made when the worker imports its tasks, so that children forked later share it: that one of them
#: is replaced after many tasks is no start.
_TOKEN: Final = uuid4()

_noted: set[object] = set()


def note_start(*, now: datetime) -> None:
    """Leave a row for this worker, once; called by every task that acts for accounts."""
    if _TOKEN in _noted:
        return
    if not WorkerStart.objects.filter(token=_TOKEN).exists():
        WorkerStart.objects.bulk_create([WorkerStart(token=_TOKEN)], ignore_conflicts=True)
        leases.reconcile_all_soon(at=now)
    _noted.add(_TOKEN)


def latest() -> datetime | None:
    """Return when the newest worker began, None before the first."""
    return WorkerStart.objects.order_by("-started_at").values_list("started_at", flat=True).first()


def is_compared(account: "ExchangeAccount", *, since: datetime | None) -> bool:
    """Tell whether *account* has been compared with its venue after *since*, the newest start."""
    if since is None or account.kind == "PAPER":
        return True
    return account.reconciled_at is not None and account.reconciled_at >= since
