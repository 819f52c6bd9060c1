"""Backtests that wait for candles: asked for, looked after while they are fetched, then run.

Each look is complete in itself: it asks what is missing now and what is under way. So it may be
repeated, come late or come twice; an equal run is only ever made once.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from django.contrib.auth import get_user_model
from django.db.models import F

from backtesting.domain.windows import NoCandlesError, WindowTooShortError
from backtesting.models import AwaitedRun, AwaitedStatus, BacktestRun
from backtesting.selectors.runs import Owner
from backtesting.services import missing_history, runs, specifications
from backtesting.services.missing_history import Missing
from backtesting.services.specifications import InvalidRunError
from exchanges.selectors import fetches
from exchanges.services.history import TooManyFetchesError
from foundation import audit
from foundation.audit import Actor
from foundation.transactions import transactional
from market.errors import ConflictError, PlatformError, UnprocessableError

#: Seconds between two looks at a wish.
_LOOK_AGAIN_S: Final = 2.0
#: A look that has not come back after so long was cut short; the next one is due.
_LOOK_LASTS_S: Final = 60.0
_LOOKED_AT_ONCE: Final = 100
#: How many wishes of one person may wait at the same time.
MOST_WAITING: Final = 10

#: What is wrong with a wish only as long as candles are missing.
_CURABLE: Final = frozenset({NoCandlesError.code, WindowTooShortError.code})
_AMOUNTS: Final = ("capital", "fee_bps", "slippage_bps", "funding_bps")
_INSTANTS: Final = ("from_at", "to_at")

_BY_SYSTEM: Final = Actor.system("backtesting")


class TooManyAwaitedError(UnprocessableError):
    """The person waits for too many backtests."""

    code = "too_many_awaited"

    def __init__(self) -> None:
        super().__init__(f"{MOST_WAITING} of your backtests wait for candles. Let one start.")


class AwaitedEndedError(ConflictError):
    """The wish was granted, refused or taken back, so there is nothing to cancel."""

    code = "awaited_ended"

    def __init__(self, awaited: AwaitedRun) -> None:
        label = AwaitedStatus(awaited.status).label.lower()
        super().__init__(f"This backtest does not wait for candles any more ({label}).")


def request_run(*, owner: Owner, by: Actor, now: datetime, **wish: Any) -> BacktestRun | AwaitedRun:
    """Request a run, after fetching the candles that it lacks and its venue gives.

    *wish* is what ``runs.request_run`` takes besides; it raises the same for whatever candles do not
    cure, and TooManyAwaitedError. A run comes back if there is nothing to wait for.
    """
    _refuse_what_stays_wrong(wish, now=now)
    if not _worth_fetching(wish, but=(), now=now):
        return runs.request_run(owner=owner, by=by, now=now, **wish)
    awaited = _store(owner, wish, by=by, now=now)
    return look_after(awaited_id=awaited.pk, now=now)


def look_after(*, awaited_id: int, now: datetime) -> AwaitedRun:
    """Do what can be done for a wish now: send for candles, wait for them, or run."""
    awaited = AwaitedRun.objects.get(pk=awaited_id)
    if awaited.is_finished:
        return awaited
    owner = get_user_model().objects.get(pk=awaited.owner_id)
    wish = _wish_of(awaited)
    try:
        fetched = fetches.look_at(awaited.fetch_ids)
        if fetched.is_under_way:
            _note(awaited, now=now, progress=int(fetched.done * 100))
        elif left := _worth_fetching(wish, but=fetched.instrument_ids, now=now):
            sent = missing_history.fetch_missing(left, owner=owner, by=_BY_SYSTEM, now=now)
            _note(awaited, now=now, sent=sent)
        else:
            run = runs.request_run(owner=owner, by=_BY_SYSTEM, now=now, **wish)
            _end(awaited, AwaitedStatus.STARTED, now=now, run=run)
    except TooManyFetchesError:
        # Another of the person's fetches has to be over first.
        _note(awaited, now=now)
    except PlatformError as error:
        _end(awaited, AwaitedStatus.FAILED, now=now, error=error)
    awaited.refresh_from_db()
    return awaited


def look_after_due(*, now: datetime) -> int:
    """Look after the wishes whose turn it is; return how many."""
    due = _claim_due(now=now)
    for awaited_id in due:
        look_after(awaited_id=awaited_id, now=now)
    return len(due)


@transactional
def cancel(*, awaited_id: int, by: Actor, now: datetime) -> AwaitedRun:
    """Take a wish back; what is being fetched for it stays for everybody. Raises AwaitedEndedError."""
    awaited = AwaitedRun.objects.select_for_update().get(pk=awaited_id)
    if awaited.is_finished:
        raise AwaitedEndedError(awaited)
    awaited.status, awaited.finished_at = AwaitedStatus.CANCELED, now
    awaited.version += 1
    awaited.save(update_fields=["status", "finished_at", "version"])
    audit.record(actor=by, verb="backtest.unawaited", target=awaited, owner_id=awaited.owner_id)
    return awaited


@transactional
def _store(owner: Owner, wish: Mapping[str, Any], *, by: Actor, now: datetime) -> AwaitedRun:
    owner_id = cast(int, owner.pk)
    awaited = AwaitedRun.objects.create(
        owner_id=owner_id,
        strategy_slug=wish["strategy_slug"],
        wish=_plain(wish),
        requested_at=now,
        next_look_at=now + timedelta(seconds=_LOOK_AGAIN_S),
    )
    waiting = AwaitedRun.objects.filter(owner_id=owner_id, status=AwaitedStatus.WAITING)
    if waiting.count() > MOST_WAITING:
        raise TooManyAwaitedError
    audit.record(actor=by, verb="backtest.awaited", target=awaited, owner_id=owner_id)
    return awaited


@transactional
def _claim_due(*, now: datetime) -> list[int]:
    due = list(
        AwaitedRun.objects.select_for_update(skip_locked=True)
        .filter(status=AwaitedStatus.WAITING, next_look_at__lte=now)
        .order_by("next_look_at", "pk")
        .values_list("pk", flat=True)[:_LOOKED_AT_ONCE]
    )
    AwaitedRun.objects.filter(pk__in=due).update(
        next_look_at=now + timedelta(seconds=_LOOK_LASTS_S)
    )
    return due


@transactional
def _note(
    awaited: AwaitedRun, *, now: datetime, progress: int | None = None, sent: Sequence[int] = ()
) -> None:
    """Note where a wish stands, unless it has ended meanwhile, and when it is looked at again."""
    changed: dict[str, Any] = {"next_look_at": now + timedelta(seconds=_LOOK_AGAIN_S)}
    if sent:
        changed |= {"fetch_ids": [*awaited.fetch_ids, *sent], "version": F("version") + 1}
    if progress is not None and progress != awaited.progress:
        changed |= {"progress": progress, "version": F("version") + 1}
    AwaitedRun.objects.filter(pk=awaited.pk, status=AwaitedStatus.WAITING).update(**changed)


@transactional
def _end(
    awaited: AwaitedRun,
    status: AwaitedStatus,
    *,
    now: datetime,
    run: BacktestRun | None = None,
    error: PlatformError | None = None,
) -> None:
    AwaitedRun.objects.filter(pk=awaited.pk, status=AwaitedStatus.WAITING).update(
        status=status,
        run=run,
        progress=100 if run is not None else awaited.progress,
        error_code="" if error is None else error.code,
        error_message="" if error is None else error.message[:500],
        finished_at=now,
        version=F("version") + 1,
    )


def _refuse_what_stays_wrong(wish: Mapping[str, Any], *, now: datetime) -> None:
    try:
        specifications.specify(**wish, now=now)
    except InvalidRunError as error:
        if {problem.code for problem in error.problems} - _CURABLE:
            raise


def _worth_fetching(
    wish: Mapping[str, Any], *, but: Collection[int], now: datetime
) -> list[Missing]:
    """Return what is missing, can be fetched, and was not sent for already: of the markets other than *but*."""
    missing = missing_history.missing_for(wish, now=now)
    return [each for each in missing if each.can_be_fetched and each.instrument_id not in but]


def _plain(wish: Mapping[str, Any]) -> dict[str, Any]:
    """Return *wish* as what JSON holds exactly: amounts and instants as text."""
    plain = dict(wish)
    for name in _AMOUNTS:
        if plain.get(name) is not None:
            plain[name] = str(plain[name])
    for name in _INSTANTS:
        plain[name] = plain[name].isoformat()
    return plain


def _wish_of(awaited: AwaitedRun) -> dict[str, Any]:
    """Return what ``_plain`` was given."""
    wish = dict(awaited.wish)
    for name in _AMOUNTS:
        if wish.get(name) is not None:
            wish[name] = Decimal(wish[name])
    for name in _INSTANTS:
        wish[name] = datetime.fromisoformat(wish[name])
    return wish
