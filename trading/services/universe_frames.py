"""What a step of wallets over the bars of their universe works on, and what comes of one bar."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from market.orders import KernelOrder
from strategies.reasons import ReasonCode
from strategies.signals import Signals
from trading.services.groups import GroupLease
from trading.services.universe_bars import UniverseBars


@dataclass(frozen=True, slots=True)
class UniverseFrame:
    """What all wallets of a step have in common: bars ``[first, end)`` of *universe*."""

    lease: GroupLease
    product: str
    universe: UniverseBars
    first: int
    end: int
    now: datetime


class MarketStep(NamedTuple):
    """What one bar has led to in one market."""

    reason: ReasonCode
    orders: tuple[KernelOrder, ...]


def without_entries(signals: Signals, *, rows: Collection[int]) -> Signals:
    """Return *signals* of shape ``(symbols, 1)`` in which the markets *rows* open nothing."""
    if not rows:
        return signals
    may = np.ones(signals.ready.shape, dtype=np.bool_)
    may[list(rows)] = False
    return replace(
        signals, enter_long=signals.enter_long & may, enter_short=signals.enter_short & may
    )
