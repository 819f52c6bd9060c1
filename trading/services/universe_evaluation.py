"""A signal group over a universe: the strategy once for all its markets, then every deployment."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from foundation.crashpoints import crashpoint
from foundation.transactions import transactional
from strategies.registry import Definition
from strategies.shapes import StrategyParams
from trading.models import GroupDecision, SignalGroup
from trading.selectors import usage
from trading.services import groups, universe_bars, universe_stepping
from trading.services.groups import GroupLease
from trading.services.universe_bars import UniverseBars
from trading.services.universe_frames import UniverseFrame

#: Wallets that are stepped in one transaction; each has as many books as the universe has markets.
_BATCH: Final = 20

#: Bars of the grid that are stepped in one transaction after an outage.
_BARS_AT_ONCE: Final = 50


def evaluate_newer(
    lease: GroupLease,
    *,
    group: SignalGroup,
    definition: Definition,
    params: StrategyParams,
    deployment_ids: Sequence[int],
    now: datetime,
) -> int:
    """Deal with every bar of a claimed group's universe that may be decided on; return how many."""
    instruments = list(group.instruments.select_related("venue").order_by("symbol"))
    if not universe_bars.is_due(group, instruments=instruments, now=now):
        return 0
    universe = universe_bars.load(
        group, definition=definition, params=params, instruments=instruments, now=now
    )
    crashpoint("evaluation.bars_read")
    if universe.end == universe.first:
        return 0
    for first in range(universe.first, universe.end, _BARS_AT_ONCE):
        end = min(first + _BARS_AT_ONCE, universe.end)
        _record(lease, universe=universe, first=first, end=end)
        product = usage.product_code(definition.slug)
        frame = UniverseFrame(lease, product, universe, first, end, now)
        for batch in _batches(deployment_ids):
            universe_stepping.step_deployments(frame, deployment_ids=batch)
            crashpoint("evaluation.stepped")
        # However long an outage was, each stretch is done once and keeps the claim.
        groups.advance(lease, to=universe.closed_at(end - 1))
        crashpoint("evaluation.advanced")
    return universe.end - universe.first


@transactional
def _record(lease: GroupLease, *, universe: UniverseBars, first: int, end: int) -> None:
    """Store what the strategy says of each market at each bar that the market has."""
    groups.require(lease)
    GroupDecision.objects.bulk_create(
        [
            GroupDecision(
                group_id=lease.group_id,
                instrument_id=instrument.pk,
                bar_close_at=universe.closed_at(index),
                reason=universe.group_bars(index)[row].reason.value,
            )
            for index in range(first, end)
            for row, instrument in enumerate(universe.instruments)
            if universe.is_present(row, index)
        ],
        ignore_conflicts=True,
    )


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
