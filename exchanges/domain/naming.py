"""What the name of a candle file says: which instrument, which timeframe, or why it is not for us."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from market.enums import InstrumentKind
from market.timeframes import Timeframe

#: What prices may be quoted in, longest first, to cut a code such as BTCUSDT in two.
_QUOTES: Final = (
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "USD", "EUR", "TRY", "BRL", "JPY", "GBP",
    "BTC", "ETH", "BNB",
)  # fmt: skip

#: Venues on which everything is a perpetual, whatever the file is called.
_SWAP_VENUES: Final = frozenset({"binanceusdm"})

_FOLDER: Final = re.compile(r"([A-Z0-9]{1,20})[-_]([A-Z0-9]{1,20})")
_PUBLISHED: Final = re.compile(r"([A-Z0-9]{3,40})-([0-9]+[smhdwM]|1mo)-\d{4}-\d{2}(?:-\d{2})?")
_JOINED: Final = re.compile(r"([A-Z0-9]{1,20})[-_]([A-Z0-9]{1,20})-([0-9]+[smhdwM])")
_SYMBOL: Final = re.compile(r"([A-Z0-9]{1,20})/([A-Z0-9]{1,20})(?::([A-Z0-9]{1,20}))?")


@dataclass(frozen=True, slots=True)
class Market:
    """An instrument as its unified code describes it."""

    symbol: str
    kind: InstrumentKind
    base: str
    quote: str
    settle: str


@dataclass(frozen=True, slots=True)
class FileName:
    """What a path told; None where it told nothing."""

    market: Market | None
    timeframe: Timeframe | None


def skip_reason(path: Path) -> str | None:
    """Return why the file holds no candles of trades, or None if it may."""
    stem = path.stem.lower()
    if stem.endswith(("-mark", "_mark", "-index", "-premium")):
        return "mark prices have no kind here yet"
    if "funding" in stem:
        return "funding rates have no kind here yet"
    return None


def read_name(path: Path, *, venue_code: str) -> FileName:
    """Read ``<BASE-QUOTE>/<timeframe>.csv``, ``BTCUSDT-1h-2024-01.csv`` or ``BTC_USDT-1h.csv``."""
    published = _PUBLISHED.fullmatch(path.stem)
    if published:
        return FileName(
            market_of_code(published[1], venue_code=venue_code), _timeframe(published[2])
        )
    joined = _JOINED.fullmatch(path.stem)
    if joined:
        return FileName(_market(joined[1], joined[2], venue_code), _timeframe(joined[3]))
    folder = _FOLDER.fullmatch(path.parent.name)
    market = _market(folder[1], folder[2], venue_code) if folder else None
    return FileName(market, _timeframe(path.stem))


def market_of_symbol(symbol: str) -> Market | None:
    """Return what ``BTC/USDT`` (spot) or ``BTC/USDT:USDT`` (perpetual) describes, or None."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        return None
    base, quote, settle = match[1], match[2], match[3]
    if settle is None:
        return Market(symbol, InstrumentKind.SPOT, base, quote, quote)
    kind = InstrumentKind.LINEAR_SWAP if settle == quote else InstrumentKind.INVERSE_SWAP
    return Market(symbol, kind, base, quote, settle)


def market_of_code(code: str, *, venue_code: str) -> Market | None:
    """Cut a venue's own code such as BTCUSDT into base and quote; None if no known quote ends it."""
    for quote in _QUOTES:
        if code.endswith(quote) and len(code) > len(quote):
            return _market(code.removesuffix(quote), quote, venue_code)
    return None


def _market(base: str, quote: str, venue_code: str) -> Market | None:
    if quote == "PERP":
        return market_of_symbol(f"{base}/USD:USD")
    if venue_code in _SWAP_VENUES:
        return market_of_symbol(f"{base}/{quote}:{quote}")
    return market_of_symbol(f"{base}/{quote}")


def _timeframe(text: str) -> Timeframe | None:
    text = "1M" if text == "1mo" else text
    return Timeframe(text) if text in set(Timeframe) else None
