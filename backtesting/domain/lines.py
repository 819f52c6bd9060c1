"""A strategy's lines as a result keeps them: computed once, by who ran it, and as fine as a chart is.

Whoever draws them later needs neither the strategy's code nor its libraries.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import zstandard

from backtesting.domain.backtest import Backtest
from strategies.guards import StrategyFailedError
from strategies.shapes import Overlay
from strategies.views import MarketView

#: No chart of candles has more of them; a screen has fewer pixels.
MAXIMUM_CANDLES: Final = 2_000
#: The first byte of stored lines: how the rest is written.
_CODEC: Final = 1
_LEVEL: Final = 3


def bars_per_candle(bars: int) -> int:
    """Return how many of *bars* bars a chart joins into one candle."""
    return max(-(-bars // MAXIMUM_CANDLES), 1)


@dataclass(frozen=True, slots=True, eq=False)
class ChartLines:
    """Lines over the *bars* bars of a window, with one value for each candle of its chart.

    A candle shows the value at the close of the last bar that it joins.
    """

    bars: int
    lines: Sequence[Overlay]

    @classmethod
    def of(cls, overlays: Sequence[Overlay], *, bars: int) -> Self:
        """Return *overlays*, each of *bars* values, as fine as their chart."""
        size = bars_per_candle(bars)
        ends = np.minimum(np.arange(0, bars, size) + size, bars) - 1
        return cls(bars, [line._replace(values=line.values[ends]) for line in overlays])

    def to_bytes(self) -> bytes:
        """Return names, panes and values, little-endian and compressed."""
        head = {"bars": self.bars, "lines": [[line.name, line.pane] for line in self.lines]}
        columns = (line.values.astype("<f8").tobytes() for line in self.lines)
        raw = b"\0".join((json.dumps(head).encode(), b"".join(columns)))
        return bytes([_CODEC]) + zstandard.compress(raw, _LEVEL)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote; raise ValueError for another codec."""
        if data[0] != _CODEC:
            raise ValueError(f"Lines of codec {data[0]} cannot be read.")
        text, _, raw = zstandard.decompress(data[1:]).partition(b"\0")
        head = json.loads(text)
        named = head["lines"]
        values = np.frombuffer(raw, dtype="<f8").astype(np.float64)
        columns = np.split(values, len(named)) if named else []
        lines = [
            Overlay(name, column, pane) for (name, pane), column in zip(named, columns, strict=True)
        ]
        return cls(head["bars"], lines)


def lines_of(backtest: Backtest) -> ChartLines | None:
    """Return the strategy's lines over the window of *backtest*; None if it cannot draw them."""
    specification, candles = backtest.specification, backtest.stretch.candles
    first = int(np.searchsorted(candles.open_time, specification.window.from_ms))
    view = MarketView(candles, specification.timeframe)
    try:
        overlays = specification.definition.overlays(view, specification.params)
    except StrategyFailedError:
        return None
    shown = [line._replace(values=line.values[first:]) for line in overlays]
    return ChartLines.of(shown, bars=len(candles) - first)
