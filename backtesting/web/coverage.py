"""Which candles there are, as a form offers them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from exchanges.selectors import candles
from market.timeframes import HOUR_MS, Timeframe, from_milliseconds, to_milliseconds
from strategies.shapes import Requirements

#: So many markets are a universe.
_FEW_MARKETS: Final = 3
#: A series with fewer bars is no good first proposal.
_ENOUGH_BARS: Final = 200


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One stored series: ``[first_at, end_at)`` of a market and timeframe."""

    market: str
    market_label: str
    timeframe: str
    length_ms: int
    first_at: datetime
    end_at: datetime
    bars: int
    missing: int


def all_coverage() -> Sequence[CoverageRow]:
    """Return every stored series, by venue, symbol and length of the bar."""
    return [
        CoverageRow(
            market=f"{each.instrument.venue.code}:{each.instrument.symbol}",
            market_label=f"{each.instrument.symbol} · {each.instrument.venue.name}",
            timeframe=each.timeframe.value,
            length_ms=each.timeframe.milliseconds,
            first_at=each.first_open_at,
            end_at=from_milliseconds(each.timeframe.close_of(to_milliseconds(each.last_open_at))),
            bars=each.row_count,
            missing=each.missing,
        )
        for each in candles.series()
    ]


def proposed(
    rows: Sequence[CoverageRow],
    *,
    market: str = "",
    timeframe: str = "",
    needs: Requirements | None = None,
) -> CoverageRow | None:
    """Return the series to begin with for a strategy that *needs* so much: see the two below."""
    if needs is not None and needs.needs_universe:
        return widest(rows, market=market, timeframe=timeframe)
    return proposal(rows, market=market, timeframe=timeframe, needs=needs)


def widest(
    rows: Sequence[CoverageRow], *, market: str = "", timeframe: str = ""
) -> CoverageRow | None:
    """Return the series to begin a universe with: the named one, or a recent one with others alike."""
    named = [row for row in rows if market in {"", row.market} and timeframe in {"", row.timeframe}]
    return max(
        named or rows,
        key=lambda row: (len(_alike(rows, row)) >= _FEW_MARKETS, row.end_at),
        default=None,
    )


def universe_of(rows: Sequence[CoverageRow], own: CoverageRow) -> str:
    """Return the markets like that of *own*, written as a universe."""
    venue = own.market.partition(":")[0]
    symbols = [row.market.partition(":")[2] for row in _alike(rows, own)]
    return f"{venue}:{','.join(symbols)}"


def _alike(rows: Sequence[CoverageRow], own: CoverageRow) -> Sequence[CoverageRow]:
    """Return the series of the same venue, currency, timeframe and time."""
    venue, _, symbol = own.market.partition(":")
    return [
        row
        for row in rows
        if row.timeframe == own.timeframe
        and row.market.startswith(f"{venue}:")
        and row.market.partition("/")[2] == symbol.partition("/")[2]
        and row.first_at < own.end_at
        and own.first_at < row.end_at
    ]


def proposal(
    rows: Sequence[CoverageRow],
    *,
    market: str = "",
    timeframe: str = "",
    needs: Requirements | None = None,
) -> CoverageRow | None:
    """Return the series to begin with: the one that is named, or a recent one that is long enough.

    First of all it is one that a strategy which *needs* so much can run on.
    """
    named = [row for row in rows if market in {"", row.market} and timeframe in {"", row.timeframe}]

    def suits(row: CoverageRow) -> bool:
        frame = Timeframe(row.timeframe)
        return needs is None or (not needs.objection(frame) and row.bars > 2 * needs.bars(frame))

    return max(
        named or rows,
        key=lambda row: (
            suits(row),
            row.length_ms >= HOUR_MS and row.bars >= _ENOUGH_BARS,
            row.end_at,
        ),
        default=None,
    )
