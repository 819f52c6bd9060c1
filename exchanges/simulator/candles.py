"""Candles and day statistics, aggregated from the samples of a timeline."""

from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from exchanges.simulator.exchange import Market
from exchanges.simulator.prices import SAMPLE_MS, Ints, SampledBars
from exchanges.simulator.recordings import sample_of
from market.timeframes import DAY_MS, Timeframe

_UNITS: Final = 10**8


class Window(NamedTuple):
    """Which candles are asked for: opened in ``[from_ms, to_ms]``, at most ``limit`` of them."""

    from_ms: int | None
    to_ms: int | None
    limit: int


def candles(
    market: Market, timeframe: Timeframe, window: Window, *, now_ms: int
) -> list[list[object]]:
    """Return rows in the layout of ``klines``, oldest first, the last perhaps still forming."""
    opens = _open_times(timeframe, window, now_ms=now_ms)
    if not len(opens):
        return []
    closes = np.array([timeframe.close_of(int(opened)) for opened in opens], dtype=np.int64)
    stops = np.minimum(closes // SAMPLE_MS, sample_of(now_ms) + 1)
    bars = market.timeline.bars(opens // SAMPLE_MS, stops)
    return _rows(market, opens, closes, bars)


def day_statistics(market: Market, *, now_ms: int) -> dict[str, object]:
    """Return the entry of ``ticker/24hr``: the last 24 hours up to and with this sample."""
    stop = sample_of(now_ms) + 1
    start = stop - DAY_MS // SAMPLE_MS
    spans = np.array([start]), np.array([stop])
    bar = market.timeline.bars(*spans)
    instrument = market.instrument
    tick = _units(instrument.tick)
    opened, last = int(bar.open[0]), int(bar.close[0])
    volume, notional = int(bar.volume[0]), int(bar.notional[0])
    lot = _units(instrument.lot)
    worth = notional * tick * lot // _UNITS
    average = worth * _UNITS // (volume * lot)
    before = int(market.timeline.ticks_at(start - 1))
    return {
        "symbol": instrument.symbol,
        "priceChange": _present((last - opened) * tick),
        "priceChangePercent": f"{(last - opened) / opened * 100:.3f}",
        "weightedAvgPrice": _present(average),
        "prevClosePrice": _present(before * tick),
        "lastPrice": _present(last * tick),
        "lastQty": _present(lot),
        "bidPrice": _present(max(last - 1, 1) * tick),
        "bidQty": _present(_UNITS),
        "askPrice": _present((last + 1) * tick),
        "askQty": _present(_UNITS),
        "openPrice": _present(opened * tick),
        "highPrice": _present(int(bar.high[0]) * tick),
        "lowPrice": _present(int(bar.low[0]) * tick),
        "volume": _present(volume * lot),
        "quoteVolume": _present(worth),
        "openTime": start * SAMPLE_MS,
        "closeTime": now_ms,
        "firstId": -1,
        "lastId": -1,
        "count": int(bar.samples[0]),
    }


def _open_times(timeframe: Timeframe, window: Window, *, now_ms: int) -> Ints:
    """Return the open times that *window* selects, none in the future or before 1970."""
    newest = timeframe.open_of(min(now_ms, now_ms if window.to_ms is None else window.to_ms))
    opens: list[int] = []
    if window.from_ms is None:
        opened = newest
        while opened >= 0 and len(opens) < window.limit:
            opens.append(opened)
            opened = timeframe.open_of(opened - 1)
        return np.array(opens[::-1], dtype=np.int64)
    opened = timeframe.open_of(window.from_ms)
    if opened < window.from_ms:
        opened = timeframe.close_of(opened)
    while opened <= newest and len(opens) < window.limit:
        opens.append(opened)
        opened = timeframe.close_of(opened)
    return np.array(opens, dtype=np.int64)


def _rows(market: Market, opens: Ints, closes: Ints, bars: SampledBars) -> list[list[object]]:
    tick, lot = _units(market.instrument.tick), _units(market.instrument.lot)
    columns = (opens, closes, bars.open, bars.high, bars.low, bars.close, bars.volume)
    rows: list[list[object]] = []
    for row in zip(
        *(column.tolist() for column in (*columns, bars.notional, bars.samples)), strict=True
    ):
        opened, closed, first, high, low, last, volume, notional, samples = row
        worth = notional * tick * lot // _UNITS
        rows.append(
            [
                opened,
                _present(first * tick),
                _present(high * tick),
                _present(low * tick),
                _present(last * tick),
                _present(volume * lot),
                closed - 1,
                _present(worth),
                samples,
                _present(volume // 2 * lot),
                _present(worth // 2),
                "0",
            ]
        )
    return rows


def _units(step: Decimal) -> int:
    """Return a step in units of the eighth decimal, exactly."""
    return int(step * _UNITS)


def _present(units: int) -> str:
    sign = "-" if units < 0 else ""
    return f"{sign}{abs(units) // _UNITS}.{abs(units) % _UNITS:08d}"
