"""The bars of a universe on one time grid, with what its strategy says, and which may be decided on.

A bar of the grid is decided on when every market that still trades has come as far, or when it is too
late to wait for the others: half the time within which an entry may follow a close. A market that has
no bar by then is treated as the simulation treats a bar that is missing: what waits for it goes on
waiting, what is held counts with its last close, and nothing is decided about it. A bar that comes in
later still changes what indicators see, but is not decided on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from backtesting.domain.universes import view_of
from exchanges.selectors import candles
from market.candles import Candles
from market.matching import Bar
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies.registry import Definition
from strategies.shapes import StrategyParams
from strategies.signals import SignalRow, Signals
from strategies.views import UniverseView
from trading.domain import kernel, staleness
from trading.models import SignalGroup
from trading.services import bars
from trading.services.bars import SeriesKey
from trading.services.frames import GroupBar

if TYPE_CHECKING:
    from exchanges.models import Instrument


@dataclass(frozen=True, eq=False)
class UniverseBars:
    """All bars of *instruments*, in the order of their symbols, since the anchor of their group.

    Bars ``[first, end)`` of the grid are to be decided on now.
    """

    instruments: "Sequence[Instrument]"
    view: UniverseView
    signals: Signals
    first: int
    end: int
    _read: dict[int, tuple[GroupBar, ...]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _known(self) -> NDArray[np.float64]:
        """The last close of each market that is known after each bar, 0 before its first."""
        at = np.where(np.isnan(self.view.close), -1, np.arange(len(self.view)))
        np.maximum.accumulate(at, axis=1, out=at)
        known: NDArray[np.float64] = np.take_along_axis(self.view.close, np.maximum(at, 0), axis=1)
        return np.where(at < 0, 0.0, known)

    def open_ms(self, index: int) -> int:
        """Return when a bar of the grid opens."""
        return int(self.view.open_time[index])

    def closed_at(self, index: int) -> datetime:
        """Return when a bar of the grid closed."""
        return from_milliseconds(self.view.timeframe.close_of(self.open_ms(index)))

    def closes_before(self, index: int) -> tuple[float, ...]:
        """Return the last close of each market that was known before a bar, 0 without one."""
        if index == 0:
            return (0.0,) * len(self.instruments)
        return tuple(self._known[:, index - 1].tolist())

    def bar(self, row: int, index: int) -> Bar:
        """Return the bar of a market, or one of its last close if it has none then."""
        view, close = self.view, float(self._known[row, index])
        if not self.is_present(row, index):
            return Bar.at_price(self.open_ms(index), close)
        opened, high, low = (float(each[row, index]) for each in (view.open, view.high, view.low))
        return Bar(self.open_ms(index), opened, high, low, close)

    def group_bars(self, index: int) -> tuple[GroupBar, ...]:
        """Return the bar of each market with what the strategy says at its close."""
        if index not in self._read:
            _, signals = self.at(index)
            self._read[index] = tuple(
                self._group_bar(row, index, signals.of_symbol(row).row(0))
                for row in range(len(self.instruments))
            )
        return self._read[index]

    def _group_bar(self, row: int, index: int, signal: SignalRow) -> GroupBar:
        short_allowed = self.instruments[row].kind != "SPOT"
        return GroupBar(
            bar=self.bar(row, index),
            close_ms=self.view.timeframe.close_of(self.open_ms(index)),
            signal=signal,
            reason=kernel.group_reason(signal, short_allowed=short_allowed),
            is_newest=index == self.end - 1,
        )

    def is_present(self, row: int, index: int) -> bool:
        """Tell whether a market has a bar then."""
        return not np.isnan(self.view.close[row, index])

    def at(self, index: int) -> tuple[UniverseView, Signals]:
        """Return one bar of all markets, and what is said at its close."""
        view, one = self.view, slice(index, index + 1)
        prices = (view.open, view.high, view.low, view.close, view.volume)
        bar = UniverseView(
            view.symbols,
            view.timeframe,
            view.open_time[one],
            *(np.ascontiguousarray(each[:, one]) for each in prices),
        )
        said = {name: column[:, one] for name, column in self.signals.columns().items()}
        return bar, Signals(**said)

    def goes_on(self, index: int) -> NDArray[np.bool_]:
        """Return of each market whether it still traded when a bar closed."""
        closed_at = self.closed_at(index)
        return np.array([_trades(each, closed_at) for each in self.instruments], dtype=np.bool_)


def is_due(group: SignalGroup, *, instruments: "Sequence[Instrument]", now: datetime) -> bool:
    """Tell whether the next bar of *group* may be decided on, without reading its bars."""
    timeframe = Timeframe(group.timeframe)
    since = group.last_bar_close_at or group.anchor_at
    next_ms = timeframe.open_of(to_milliseconds(since))
    stored = candles.extents(instrument_ids=[each.pk for each in instruments], timeframe=timeframe)
    newest = {
        instrument_id: last_ms
        for instrument_id, (_, last_at) in stored.items()
        if (last_ms := to_milliseconds(last_at)) >= next_ms
    }
    return bool(newest) and _is_final(next_ms, newest, instruments, timeframe, now)


def load(
    group: SignalGroup,
    *,
    definition: Definition,
    params: StrategyParams,
    instruments: "Sequence[Instrument]",
    now: datetime,
) -> UniverseBars:
    """Return the bars of *instruments*, which are by symbol, and which of them are to be decided on."""
    timeframe = Timeframe(group.timeframe)
    anchor_ms = to_milliseconds(group.anchor_at)
    keys = [SeriesKey(each.pk, timeframe, anchor_ms) for each in instruments]
    loaded = bars.load_many(keys, now_ms=to_milliseconds(now))
    histories = [loaded[key] for key in keys]
    view = view_of([each.symbol for each in instruments], histories, timeframe)
    signals = definition.signals(view, params)
    warm_up = definition.requirements(params).bars(timeframe)
    signals = replace(
        signals, ready=signals.ready & _is_warm(view, histories, instruments, anchor_ms, warm_up)
    )
    since_ms = to_milliseconds(group.last_bar_close_at or group.anchor_at)
    first = int(view.open_time.searchsorted(timeframe.open_of(since_ms), side="left"))
    newest = {
        each.pk: int(history.open_time[-1])
        for each, history in zip(instruments, histories, strict=True)
        if len(history)
    }
    end = first
    while end < len(view) and _is_final(
        int(view.open_time[end]), newest, instruments, timeframe, now
    ):
        end += 1
    return UniverseBars(instruments, view, signals, first, end)


def _is_final(
    open_ms: int,
    newest: Mapping[int, int],
    instruments: "Sequence[Instrument]",
    timeframe: Timeframe,
    now: datetime,
) -> bool:
    """Tell whether the bar of the grid that opens at *open_ms* may be decided on."""
    closed_at = from_milliseconds(timeframe.close_of(open_ms))
    horizons = settings.HORIZONS
    horizon_s = staleness.entry_horizon_s(
        timeframe, stale_s=horizons.stale_s, cap_s=horizons.stale_timeframe_cap_s
    )
    if now - closed_at >= timedelta(seconds=horizon_s / 2):
        return True
    return all(
        newest.get(each.pk, -1) >= open_ms for each in instruments if _trades(each, closed_at)
    )


def _trades(instrument: "Instrument", at: datetime) -> bool:
    return instrument.delisted_at is None or instrument.delisted_at > at


def _is_warm(
    view: UniverseView,
    histories: Sequence[Candles],
    instruments: "Sequence[Instrument]",
    anchor_ms: int,
    warm_up: int,
) -> NDArray[np.bool_]:
    """Return from where on each market's signals are what a replay would give, as ``view.close``.

    That is everywhere if its history reaches back to the anchor or to its listing, and otherwise
    after the strategy's warm-up.
    """
    warm = np.ones(view.close.shape, dtype=np.bool_)
    for row, (instrument, history) in enumerate(zip(instruments, histories, strict=True)):
        begins_ms = anchor_ms
        if instrument.listed_at is not None:
            listed_ms = view.timeframe.open_of(to_milliseconds(instrument.listed_at))
            begins_ms = max(anchor_ms, view.timeframe.close_of(listed_ms))
        if len(history) and int(history.open_time[0]) > begins_ms:
            first = int(view.open_time.searchsorted(history.open_time[0]))
            warm[row, : first + warm_up] = False
    return warm
