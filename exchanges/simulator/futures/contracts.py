"""What trades as a perpetual swap, and at which prices: last, mark and funding.

A contract follows the price of the spot market of its name. The mark price is the mean of the last
second, so that one spike liquidates nobody. Funding is paid at whole multiples of the funding
interval; its rate is a function of the market and the instant, unless it was set by hand.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import numpy as np

from exchanges.simulator import errors
from exchanges.simulator.exchange import Exchange, Market
from exchanges.simulator.futures.ledger import Ledger
from exchanges.simulator.futures.records import MAKER_BPS, TAKER_BPS
from exchanges.simulator.instruments import Instrument
from exchanges.simulator.prices import SAMPLE_MS, Ints
from market.costs import Costs

#: What all contracts are quoted and settled in.
SETTLE: Final = "USDT"

_MARK_SAMPLES: Final = 4
_QUANTUM: Final = Decimal("0.00000001")
_LOTS: Final[Mapping[str, str]] = {"BTC": "0.001", "ETH": "0.001", "BNB": "0.01", "SOL": "0.01"}
_MIN_NOTIONAL: Final = Decimal(5)
#: Rates made up for a funding lie between -0.02 % and +0.04 %, around the usual 0.01 %.
_RATE_UNITS: Final = 6_001
_LOWEST_RATE: Final = Decimal("-0.0002")
_RATE_UNIT: Final = Decimal("0.0000001")


@dataclass(frozen=True, slots=True)
class Contract:
    """A perpetual swap: its steps, and the market whose prices it follows."""

    instrument: Instrument
    market: Market
    costs: Costs

    @property
    def symbol(self) -> str:
        """The code that the API uses, ``BTCUSDT``."""
        return self.instrument.symbol

    def price_at(self, sample: int) -> Decimal:
        """Return the price of the last trade."""
        return self.market.instrument.price_of(self.market.timeline.ticks_at(sample))

    def mark_at(self, sample: int) -> Decimal:
        """Return the mark price, with eight decimals."""
        ticks = self.market.timeline.ticks_between(sample - _MARK_SAMPLES + 1, sample + 1)
        mean = int(ticks.sum()) * self.market.instrument.tick / _MARK_SAMPLES
        return mean.quantize(_QUANTUM)

    def ticks_between(self, start: int, stop: int) -> Ints:
        """Return the prices of the samples ``[start, stop)`` in ticks."""
        return self.market.timeline.ticks_between(start, stop)

    def marks_between(self, start: int, stop: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return the mark prices of the samples ``[start, stop)``, to find a crossing."""
        ticks = self.market.timeline.ticks_between(start - _MARK_SAMPLES + 1, stop)
        sums = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(ticks)])
        means = (sums[_MARK_SAMPLES:] - sums[:-_MARK_SAMPLES]) / _MARK_SAMPLES
        return np.asarray(means * float(self.market.instrument.tick), dtype=np.float64)


class Contracts:
    """The contracts of an exchange: one for each spot market that is quoted in the settle currency."""

    def __init__(self, exchange: Exchange, ledger: Ledger, *, funding_ms: int) -> None:
        self._exchange = exchange
        self._ledger = ledger
        self._known: dict[str, Contract] = {}
        self.funding_ms = funding_ms

    def all(self) -> list[Contract]:
        """Return every contract, those that a script added since included."""
        return [
            self.get(symbol)
            for symbol, market in self._exchange.markets.items()
            if market.instrument.quote == SETTLE
        ]

    def get(self, symbol: str) -> Contract:
        """Return the contract of *symbol*; refuse one that is not listed."""
        known = self._known.get(symbol)
        if known is not None:
            return known
        market = self._exchange.markets.get(symbol)
        if market is None or market.instrument.quote != SETTLE:
            raise errors.invalid_symbol()
        contract = self._known[symbol] = _describe(market)
        return contract

    def forget(self, symbol: str) -> None:
        """Describe a contract anew when it is asked for next: its rules have changed."""
        self._known.pop(symbol, None)

    def rate_at(self, symbol: str, funding_ms: int) -> Decimal:
        """Return the rate that is paid at the instant *funding_ms*."""
        fixed = self._ledger.fixed_rate(symbol)
        if fixed is not None:
            return fixed
        drawn = zlib.crc32(f"{symbol} {funding_ms}".encode()) % _RATE_UNITS
        return _LOWEST_RATE + drawn * _RATE_UNIT

    def next_funding_ms(self, now_ms: int) -> int:
        """Return when funding is paid next."""
        return (now_ms // self.funding_ms + 1) * self.funding_ms


def sample_after(at_ms: int) -> int:
    """Return the first sample that begins at or after an instant."""
    return -(-at_ms // SAMPLE_MS)


def _describe(market: Market) -> Contract:
    spot = market.instrument
    lot = Decimal(_LOTS.get(spot.base, spot.lot))
    instrument = replace(spot, lot=lot, min_notional=_MIN_NOTIONAL)
    costs = Costs(
        maker_fee_bps=MAKER_BPS,
        taker_fee_bps=TAKER_BPS,
        slippage_bps=market.costs.slippage_bps,
        spread_bps=0.0,
        tick_size=float(spot.tick),
        lot_step=float(lot),
        minimum_notional=float(_MIN_NOTIONAL),
    )
    return Contract(instrument, market, costs)
