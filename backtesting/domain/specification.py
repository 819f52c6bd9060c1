"""Everything that a run's result depends on, and the hash that two equal runs share."""

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from backtesting.domain.windows import Window
from backtesting.engine import ENGINE_VERSION
from market import money
from market.costs import Costs
from market.enums import InstrumentKind
from market.timeframes import Timeframe
from strategies import registry
from strategies.registry import Definition
from strategies.rules import Rules
from strategies.shapes import StrategyParams

#: Of the notional of a swap, what must be left of the equity behind it: half a percent, the lowest
#: tier of the large venues.
MAINTENANCE_BPS: Final = Decimal(50)


@dataclass(frozen=True, slots=True)
class Terms:
    """An instrument and the rules under which it trades, in exact decimals."""

    instrument_id: int
    venue: str
    symbol: str
    kind: InstrumentKind
    tick_size: Decimal
    lot_step: Decimal
    minimum_quantity: Decimal
    minimum_notional: Decimal

    @property
    def market(self) -> str:
        """The venue and the symbol, as a person writes them: ``binance:BTC/USDT``."""
        return f"{self.venue}:{self.symbol}"


@dataclass(frozen=True, slots=True)
class Charges:
    """What trading costs in this run, in basis points of notional.

    ``funding_bps`` is what a long position in a swap pays every eight hours, and a short one earns;
    below 0 it is the other way round.
    """

    maker_fee_bps: Decimal
    taker_fee_bps: Decimal
    slippage_bps: Decimal
    funding_bps: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Specification:
    """One run, fully said; ``data_version`` is the state of the stored candles that it reads.

    A run over many markets from one wallet names them all in ``universe``, by symbol; ``terms`` is
    then the first of them.
    """

    definition: Definition
    params: StrategyParams
    terms: Terms
    window: Window
    capital: Decimal
    charges: Charges
    data_version: str
    universe: tuple[Terms, ...] = ()

    @property
    def markets(self) -> tuple[Terms, ...]:
        """Everything that it trades."""
        return self.universe or (self.terms,)

    @property
    def asked_bars(self) -> int:
        """How many bars the window has, over all markets and without the warm-up."""
        return self.window.asked_bars * len(self.markets)

    @property
    def timeframe(self) -> Timeframe:
        """The length of the bars."""
        return self.window.timeframe

    @property
    def warm_up_bars(self) -> int:
        """How many bars come before the first decision."""
        return self.definition.requirements(self.params).bars(self.timeframe)

    def rules(self) -> Rules:
        """Return the strategy's rules as this market permits them."""
        rules: Rules = self.definition.rules(self.params).for_market(
            self.terms.kind, self.timeframe
        )
        return rules

    def costs(self, terms: Terms | None = None) -> Costs:
        """Return costs and steps of a market as the engine takes them, of the first by default.

        The spread is part of the slippage.
        """
        of = terms or self.terms
        return Costs.from_decimals(
            maker_fee_bps=self.charges.maker_fee_bps,
            taker_fee_bps=self.charges.taker_fee_bps,
            slippage_bps=self.charges.slippage_bps,
            spread_bps=Decimal(0),
            tick_size=of.tick_size,
            lot_step=of.lot_step,
            minimum_notional=of.minimum_notional,
            minimum_quantity=of.minimum_quantity,
            maintenance_bps=Decimal(0) if of.kind is InstrumentKind.SPOT else MAINTENANCE_BPS,
        )

    @property
    def funding_rate(self) -> float:
        """What a long position pays every eight hours as a fraction of notional; 0 on spot."""
        if self.terms.kind is InstrumentKind.SPOT:
            return 0.0
        return money.float_of(self.charges.funding_bps / 10_000)

    def spec_hash(self) -> str:
        """Return the SHA-256 (hex) of all of it; equal hashes give equal results, byte for byte."""
        said = {
            "strategy": self.definition.slug,
            "release": self.definition.version,
            "code": registry.code_fingerprint(self.definition),
            "parameters": self.params.model_dump(mode="json"),
            **_said_of(self.terms),
            "timeframe": self.timeframe.value,
            "window": [self.window.from_ms, self.window.to_ms],
            "capital": _plain(self.capital),
            "charges": [
                _plain(amount)
                for amount in (
                    self.charges.maker_fee_bps,
                    self.charges.taker_fee_bps,
                    self.charges.slippage_bps,
                    self.charges.funding_bps,
                )
            ],
            "engine": ENGINE_VERSION,
            "data": self.data_version,
        }
        if self.universe:
            said["universe"] = [_said_of(terms) for terms in self.universe]
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _said_of(terms: Terms) -> dict[str, Any]:
    amounts = (
        terms.tick_size,
        terms.lot_step,
        terms.minimum_quantity,
        terms.minimum_notional,
    )
    return {
        "market": terms.market,
        "kind": terms.kind.value,
        "steps": [_plain(amount) for amount in amounts],
    }


def _plain(amount: Decimal) -> str:
    """Return *amount* the same way however many zeros it was written or stored with."""
    return format(money.quantize_money(amount), "f")
