"""Signal groups at the close of a bar: each strategy once, then every deployment that uses it.

What was said of a bar is stored with its group before anybody acts on it, so whoever steps a shard
of its deployments reads it there: no shard computes it again or asks for candles.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from foundation.crashpoints import crashpoint
from foundation.queue import enqueue
from foundation.transactions import transactional
from market.candles import Candles
from market.errors import PlatformError
from market.matching import Bar
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.guards import StrategyFailedError
from strategies.registry import Definition, InvalidParametersError, UnknownStrategyError
from strategies.shapes import StrategyParams
from strategies.views import MarketView
from trading.domain import kernel
from trading.models import Deployment, GroupDecision, SignalGroup
from trading.services import (
    bars,
    books,
    frames,
    groups,
    shards,
    stops,
    universe_evaluation,
)
from trading.services.bars import SeriesKey
from trading.services.frames import GroupBar
from trading.services.groups import ClaimedGroup, LeaseLostError, Progress

if TYPE_CHECKING:
    from exchanges.models import Instrument

logger = logging.getLogger(__name__)

#: Bars that are computed for one claim after an outage.
_BARS_AT_ONCE: Final = 250

#: After so many looks for newer bars a task ends; the sweeper sees to the rest.
_ROUNDS: Final = 20

#: Others that are asked to help with a group of many shards.
_MOST_HELPERS: Final = 3

_Histories = Mapping[SeriesKey, Candles]


@dataclass(frozen=True, slots=True)
class _Strategy:
    definition: Definition
    params: StrategyParams
    timeframe: Timeframe
    anchor_ms: int
    needs_universe: bool


_Found = Mapping[int, tuple[SignalGroup, _Strategy]]


@dataclass(frozen=True, slots=True)
class _Computed:
    """The bars of a claimed group that nobody had computed, by instrument."""

    claimed: ClaimedGroup
    fresh: Mapping[int, Sequence[GroupBar]]

    @property
    def group_id(self) -> int:
        """Whose bars these are."""
        return self.claimed.lease.group_id

    @property
    def seen_to(self) -> datetime:
        """How far the group comes by them: as far as every instrument does."""
        return min(each[-1].closed_at for each in self.fresh.values() if each)

    def bars(self) -> list[tuple[int, GroupBar]]:
        """Return the bars up to there, each with its instrument."""
        seen_to = self.seen_to
        return [
            (instrument_id, each)
            for instrument_id, fresh in self.fresh.items()
            for each in fresh
            if each.closed_at <= seen_to
        ]

    def progress(self) -> Progress:
        """Return what the group's row is to say."""
        pending = frames.still_needed(self.claimed.pending, stepped_to=self.claimed.stepped_to)
        pending += [
            frames.to_json(each, instrument_id=instrument_id) for instrument_id, each in self.bars()
        ]
        return Progress(self.claimed.lease, self.seen_to, pending)


def evaluate_signal_group(*, group_id: int, now: datetime) -> int:
    """Deal with one group as ``evaluate_signal_groups`` does."""
    return evaluate_signal_groups(group_ids=[group_id], now=now)


def evaluate_signal_groups(*, group_ids: Sequence[int], now: datetime) -> int:
    """Deal with every bar of these groups that has closed since the last time; return how many.

    Does nothing where somebody else is at it. May be called any number of times for the same bar.
    """
    found = _with_strategies(group_ids, now=now)
    seen = _compute_newer(found, now=now)
    shards.step_groups(group_ids=group_ids, now=now)
    for _ in range(_ROUNDS if seen else 0):
        # Whoever was sent for bars that closed meanwhile has left them to us.
        count = _compute_newer(found, now=now)
        if not count:
            break
        shards.step_groups(group_ids=group_ids, now=now)
        seen += count
    crashpoint("evaluation.finished")
    return seen


def _with_strategies(group_ids: Sequence[int], *, now: datetime) -> _Found:
    rows = (
        SignalGroup.objects.filter(pk__in=group_ids)
        .select_related("strategy_version__strategy")
        .prefetch_related("instruments__venue")
        .order_by("pk")
    )
    found = ((group, _strategy_of(group, now=now)) for group in rows)
    return {group.pk: (group, strategy) for group, strategy in found if strategy is not None}


def _compute_newer(found: _Found, *, now: datetime) -> int:
    """Compute and store what strategies say of newer bars; return how many bars that were.

    The rows in *found* are moved with what is stored, for the next time.
    """
    universes = [each for each in found.values() if each[1].needs_universe]
    of_one_market = {pk: each for pk, each in found.items() if not each[1].needs_universe}
    seen = sum(_evaluate_universe(group, strategy, now=now) for group, strategy in universes)
    return seen + _compute_markets(of_one_market, now=now)


def _compute_markets(found: _Found, *, now: datetime) -> int:
    histories = _histories_of([group for group, _ in found.values()], now=now)
    waiting = [pk for pk, (group, _) in found.items() if _waits(group, histories)]
    if not waiting:
        return 0
    claimed = groups.claim(group_ids=waiting)
    crashpoint("evaluation.claimed")
    computed = []
    try:
        for group_id, claim in claimed.items():
            fresh = _compute(*found[group_id], claim, histories, now=now)
            crashpoint("evaluation.bars_read")
            if any(fresh.values()):
                computed.append(_Computed(claim, fresh))
    finally:
        done = {each.group_id for each in computed}
        idle = [claim.lease for pk, claim in claimed.items() if pk not in done]
        if idle:
            groups.release(idle)
    recorded = _record(computed) if computed else set()
    crashpoint("evaluation.advanced")
    ours = [each for each in computed if each.group_id in recorded]
    for each in ours:
        found[each.group_id][0].last_bar_close_at = each.seen_to
    _call_for_help([each.claimed for each in ours])
    return sum(len(each.bars()) for each in ours)


def _evaluate_universe(group: SignalGroup, strategy: _Strategy, *, now: datetime) -> int:
    """Deal with the newer bars of a universe, whose wallets are stepped market by market."""
    claimed = groups.claim(group_ids=[group.pk]).get(group.pk)
    if claimed is None:
        return 0
    crashpoint("evaluation.claimed")
    group.last_bar_close_at = claimed.seen_to
    try:
        return universe_evaluation.evaluate_newer(
            claimed.lease,
            group=group,
            definition=strategy.definition,
            params=strategy.params,
            deployment_ids=_deployment_ids(group.pk),
            now=now,
        )
    except StrategyFailedError as error:
        _fail(group, error, now=now)
        return 0
    except LeaseLostError:
        logger.warning("evaluation.lease_lost", extra={"group_id": group.pk})
        return 0
    finally:
        groups.release([claimed.lease])


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


def _fail(group: SignalGroup, error: PlatformError, *, now: datetime) -> None:
    """End what follows signals that cannot be computed: the code has gone from under the rows or breaks."""
    logger.error("evaluation.strategy_failed", extra={"group_id": group.pk}, exc_info=error)
    stops.stop_for_failure(group_id=group.pk, message=error.message, now=now)


def _call_for_help(recorded: Sequence[ClaimedGroup]) -> None:
    """Send for other workers where a group has more shards than one of them should step alone."""
    for claimed in recorded:
        for _ in range(min(claimed.shards - 1, _MOST_HELPERS)):
            enqueue("trading.step_groups", group_ids=[claimed.lease.group_id])


def _compute(
    group: SignalGroup,
    strategy: _Strategy,
    claim: ClaimedGroup,
    histories: _Histories,
    *,
    now: datetime,
) -> dict[int, list[GroupBar]]:
    """Return the closed bars that nobody has computed yet, by instrument, oldest first."""
    try:
        return {
            instrument.pk: _group_bars(
                strategy,
                instrument,
                histories[_key(group, instrument)],
                since=claim.seen_to or group.anchor_at,
            )
            for instrument in group.instruments.all()
        }
    except StrategyFailedError as error:
        _fail(group, error, now=now)
        return {}


def _strategy_of(group: SignalGroup, *, now: datetime) -> _Strategy | None:
    """Return how a group's signals are computed; None, and its deployments end, if they cannot be."""
    try:
        definition = registry.get_definition(group.strategy_version.strategy.slug)
        params = registry.validate_params(definition, group.signal_parameters)
        return _Strategy(
            definition=definition,
            params=params,
            timeframe=Timeframe(group.timeframe),
            anchor_ms=to_milliseconds(group.anchor_at),
            needs_universe=definition.requirements(params).needs_universe,
        )
    except (UnknownStrategyError, InvalidParametersError, StrategyFailedError) as error:
        _fail(group, error, now=now)
        return None


def _histories_of(found: Collection[SignalGroup], *, now: datetime) -> _Histories:
    return bars.load_many(
        {_key(group, instrument) for group in found for instrument in group.instruments.all()},
        now_ms=to_milliseconds(now),
    )


def _key(group: SignalGroup, instrument: "Instrument") -> SeriesKey:
    return SeriesKey(instrument.pk, Timeframe(group.timeframe), to_milliseconds(group.anchor_at))


def _waits(group: SignalGroup, histories: _Histories) -> bool:
    """Tell whether a bar has closed since the last one that was computed."""
    timeframe = Timeframe(group.timeframe)
    since_ms = to_milliseconds(group.last_bar_close_at or group.anchor_at)
    times = [histories[_key(group, each)].open_time for each in group.instruments.all()]
    return any(len(each) and timeframe.close_of(int(each[-1])) > since_ms for each in times)


def _group_bars(
    strategy: _Strategy, instrument: "Instrument", history: Candles, *, since: datetime
) -> list[GroupBar]:
    timeframe, since_ms = strategy.timeframe, to_milliseconds(since)
    first = int(history.open_time.searchsorted(timeframe.open_of(since_ms), side="left"))
    if first >= len(history):
        return []
    signals = strategy.definition.signals(MarketView(history, timeframe), strategy.params)
    warm_up = strategy.definition.requirements(strategy.params).bars(timeframe)
    # Without the whole history in front of it a signal is not what a replay would give.
    is_complete = int(history.open_time[0]) <= strategy.anchor_ms
    short_allowed = instrument.kind != "SPOT"
    fresh: list[GroupBar] = []
    for index in range(first, len(history)):
        row = history.slice(index, index + 1).rows()[0]
        close_ms = timeframe.close_of(row[0])
        if close_ms <= since_ms or len(fresh) == _BARS_AT_ONCE:
            continue
        signal = signals.row(index)
        if not is_complete and index < warm_up:
            signal = signal._replace(ready=False)
        fresh.append(
            GroupBar(
                bar=Bar(*row),
                close_ms=close_ms,
                signal=signal,
                reason=kernel.group_reason(signal, short_allowed=short_allowed),
                is_newest=index == len(history) - 1,
            )
        )
    return fresh


@transactional
def _record(computed: Sequence[_Computed]) -> set[int]:
    """Store what strategies said, for everybody and once, and give the groups back; return which."""
    recorded = groups.advance_many([each.progress() for each in computed])
    GroupDecision.objects.bulk_create(
        [
            GroupDecision(
                group_id=done.group_id,
                instrument_id=instrument_id,
                bar_close_at=each.closed_at,
                reason=each.reason.value,
            )
            for done in computed
            if done.group_id in recorded
            for instrument_id, each in done.bars()
        ],
        ignore_conflicts=True,
    )
    return recorded


def group_ids_for(
    *, instrument_ids: Sequence[int], timeframe: Timeframe, last_close_ms: int
) -> list[int]:
    """Return the groups in use that wait for a bar closed at *last_close_ms* or before.

    Those of the same instruments stand together: whoever computes them reads the candles once.
    """
    found = (
        SignalGroup.objects.filter(
            groups.followed(),
            instruments__in=instrument_ids,
            timeframe=timeframe.value,
            last_bar_close_at__lt=from_milliseconds(last_close_ms),
        )
        .order_by("universe_key", "pk")
        .values_list("universe_key", "pk")
    )
    return [group_id for _, group_id in found.distinct()]
