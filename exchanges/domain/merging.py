"""Joining stored bars with ones that have just come in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles


@dataclass(frozen=True, slots=True)
class Merge:
    """Stored and incoming bars as one series.

    ``added`` are bars that were not there, ``changed`` those that replace different ones, whose
    former values are ``former``. Incoming bars that equal the stored ones are in none of them.
    """

    candles: Candles
    added: Candles
    changed: Candles
    former: Candles

    @property
    def is_unchanged(self) -> bool:
        """Whether the incoming bars said nothing new."""
        return not len(self.added) and not len(self.changed)


def take(candles: Candles, index: NDArray[np.intp] | NDArray[np.bool_]) -> Candles:
    """Return the bars that *index* selects, as a copy."""
    open_time, *values = candles.columns()
    return Candles(open_time[index], *(column[index] for column in values))


def merge(stored: Candles, incoming: Candles) -> Merge:
    """Join two series, each strictly increasing in time; the incoming bar wins where both have one."""
    apart = _joined_if_apart(stored, incoming)
    if apart is not None:
        nothing = Candles.empty()
        return Merge(candles=apart, added=incoming, changed=nothing, former=nothing)
    places = np.minimum(
        np.searchsorted(stored.open_time, incoming.open_time), len(stored.open_time) - 1
    )
    known = stored.open_time[places] == incoming.open_time
    former = take(stored, places[known])
    again = take(incoming, known)
    differs = np.zeros(len(former), dtype=np.bool_)
    for before, after in zip(former.columns()[1:], again.columns()[1:], strict=True):
        differs |= before != after
    kept = np.ones(len(stored), dtype=np.bool_)
    kept[places[known]] = False
    joined = Candles.concatenate([take(stored, kept), incoming])
    order = np.argsort(joined.open_time, kind="stable")
    return Merge(
        candles=take(joined, order),
        added=take(incoming, ~known),
        changed=take(again, differs),
        former=take(former, differs),
    )


def _joined_if_apart(stored: Candles, incoming: Candles) -> Candles | None:
    """Return both as one series if one lies wholly before the other, which is the usual case."""
    if not len(incoming):
        return stored
    if not len(stored):
        return incoming
    if incoming.open_time[0] > stored.open_time[-1]:
        return Candles.concatenate([stored, incoming])
    if incoming.open_time[-1] < stored.open_time[0]:
        return Candles.concatenate([incoming, stored])
    return None
