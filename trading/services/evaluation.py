"""A signal group at the close of a bar: the strategy once, then every deployment that uses it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from exchanges.selectors import candles
from foundation.crashpoints import crashpoint
from foundation.transactions import transactional
from market.matching import Bar
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.guards import StrategyFailedError
from strategies.registry import Definition, InvalidParametersError, UnknownStrategyError
from strategies.shapes import StrategyParams
from strategies.views import MarketView
from trading.domain import kernel
from trading.models import Deployment, GroupDecision, SignalGroup
from trading.selectors import usage
from trading.services import bars, books, groups, stepping, stops, universe_evaluation
from trading.services.frames import Frame, GroupBar
from trading.services.groups import GroupLease, LeaseLostError

if TYPE_CHECKING:
    from exchanges.models import Instrument

logger = logging.getLogger(__name__)

#: Deployments that are stepped in one transaction.
_BATCH: Final = 200

#: Bars that are stepped in one transaction after an outage.
_BARS_AT_ONCE: Final = 250

#: A claim is given back after so many looks for newer bars; the sweeper sees to the rest.
_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True)
class _Strategy:
    definition: Definition
    params: StrategyParams
    timeframe: Timeframe
    anchor_ms: int


def evaluate_signal_group(*, group_id: int, now: datetime) -> int:
    """Deal with every bar of a group that has closed since the last time; return how many.

    Does nothing if somebody else is at it. May be called any number of times for the same bar.
    """
    lease = groups.claim(group_id=group_id)
    if lease is None:
        return 0
    crashpoint("evaluation.claimed")
    seen = 0
    try:
        for _ in range(_ROUNDS):
            turn = _evaluate_newer(lease, now=now)
            seen += turn.count
            if turn.is_last:
                break
    except (UnknownStrategyError, InvalidParametersError, StrategyFailedError) as error:
        # The code has gone from under the rows or breaks: positions are seen to, the deployments end.
        logger.exception("evaluation.strategy_failed", extra={"group_id": group_id})
        stops.stop_for_failure(group_id=group_id, message=error.message, now=now)
    except LeaseLostError:
        logger.warning("evaluation.lease_lost", extra={"group_id": group_id})
    finally:
        groups.release(lease)
    crashpoint("evaluation.finished")
    return seen


@dataclass(frozen=True, slots=True)
class _Turn:
    """How many bars were dealt with, and whether no other has come in meanwhile."""

    count: int
    is_last: bool


def _evaluate_newer(lease: GroupLease, *, now: datetime) -> _Turn:
    group = SignalGroup.objects.select_related("strategy_version__strategy").get(pk=lease.group_id)
    strategy = _strategy_of(group)
    product = usage.product_code(strategy.definition.slug)
    ids = _deployment_ids(group.pk)
    if strategy.definition.requirements(strategy.params).needs_universe:
        done = universe_evaluation.evaluate_newer(
            lease,
            group=group,
            definition=strategy.definition,
            params=strategy.params,
            deployment_ids=ids,
            now=now,
        )
        return _Turn(done, is_last=done == 0)
    seen = 0
    newest: datetime | None = None
    instruments = list(group.instruments.select_related("venue").order_by("pk"))
    for instrument in instruments:
        fresh = _group_bars(group, strategy, instrument, now=now)
        crashpoint("evaluation.bars_read")
        for start in range(0, len(fresh), _BARS_AT_ONCE):
            part = fresh[start : start + _BARS_AT_ONCE]
            _record(lease, instrument=instrument, part=part)
            frame = Frame(lease, product, instrument, strategy.timeframe, part, now)
            for batch in _batches(ids):
                stepping.step_deployments(frame, deployment_ids=batch)
                crashpoint("evaluation.stepped")
        seen += len(fresh)
        if fresh:
            newest = fresh[-1].closed_at if newest is None else min(newest, fresh[-1].closed_at)
    if newest is None:
        return _Turn(seen, is_last=True)
    groups.advance(lease, to=newest)
    crashpoint("evaluation.advanced")
    return _Turn(seen, is_last=not _has_newer(instruments, strategy.timeframe, newest))


def _has_newer(instruments: Sequence["Instrument"], timeframe: Timeframe, since: datetime) -> bool:
    """Tell whether a bar has come in while the last one was dealt with."""
    since_ms = to_milliseconds(since)
    return any(
        len(
            candles.load_tail(
                instrument_id=instrument.pk,
                timeframe=timeframe,
                from_ms=timeframe.open_of(since_ms),
                to_ms=since_ms + _BARS_AT_ONCE * timeframe.milliseconds,
            )
        )
        for instrument in instruments
    )


def _strategy_of(group: SignalGroup) -> _Strategy:
    definition = registry.get_definition(group.strategy_version.strategy.slug)
    return _Strategy(
        definition=definition,
        params=registry.validate_params(definition, group.signal_parameters),
        timeframe=Timeframe(group.timeframe),
        anchor_ms=to_milliseconds(group.anchor_at),
    )


def _deployment_ids(group_id: int) -> list[int]:
    return list(
        Deployment.objects.filter(
            revisions__group_id=group_id,
            revisions__to_bar_at=None,
            actual_state__in=books.STEPPED_STATES,
        )
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def _group_bars(
    group: SignalGroup, strategy: _Strategy, instrument: "Instrument", *, now: datetime
) -> list[GroupBar]:
    """Return the closed bars that nobody has decided on yet, oldest first, with their signals."""
    timeframe = strategy.timeframe
    history = bars.load(
        instrument_id=instrument.pk,
        timeframe=timeframe,
        anchor_ms=strategy.anchor_ms,
        # Only closed bars are stored; a venue's clock may be a little ahead of ours.
        to_ms=to_milliseconds(now) + timeframe.milliseconds,
    )
    since_ms = to_milliseconds(group.last_bar_close_at or group.anchor_at)
    closes = [timeframe.close_of(int(open_ms)) for open_ms in history.open_time[-_BARS_AT_ONCE:]]
    if not closes or closes[-1] <= since_ms:
        return []
    first = int(history.open_time.searchsorted(timeframe.open_of(since_ms), side="left"))
    signals = strategy.definition.signals(MarketView(history, timeframe), strategy.params)
    warm_up = strategy.definition.requirements(strategy.params).bars(timeframe)
    # Without the whole history in front of it a signal is not what a replay would give.
    is_complete = len(history) > 0 and int(history.open_time[0]) <= strategy.anchor_ms
    short_allowed = instrument.kind != "SPOT"
    fresh = []
    for index in range(first, len(history)):
        row = history.slice(index, index + 1).rows()[0]
        signal = signals.row(index)
        if not is_complete and index < warm_up:
            signal = signal._replace(ready=False)
        fresh.append(
            GroupBar(
                bar=Bar(*row),
                close_ms=timeframe.close_of(row[0]),
                signal=signal,
                reason=kernel.group_reason(signal, short_allowed=short_allowed),
                is_newest=index == len(history) - 1,
            )
        )
    return [each for each in fresh if each.close_ms > since_ms]


@transactional
def _record(lease: GroupLease, *, instrument: "Instrument", part: Sequence[GroupBar]) -> None:
    groups.require(lease)
    GroupDecision.objects.bulk_create(
        [
            GroupDecision(
                group_id=lease.group_id,
                instrument_id=instrument.pk,
                bar_close_at=each.closed_at,
                reason=each.reason.value,
            )
            for each in part
        ],
        ignore_conflicts=True,
    )


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def group_ids_for(*, instrument_id: int, timeframe: Timeframe, last_close_ms: int) -> list[int]:
    """Return the groups in use that wait for a bar closed at *last_close_ms* or before."""
    return list(
        SignalGroup.objects.filter(
            instruments=instrument_id,
            timeframe=timeframe.value,
            last_bar_close_at__lt=from_milliseconds(last_close_ms),
            revisions__to_bar_at=None,
            revisions__deployment__actual_state__in=books.STEPPED_STATES,
        )
        .distinct()
        .order_by("pk")
        .values_list("pk", flat=True)
    )
