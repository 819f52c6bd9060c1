"""Entries of the catalogue with all that is shown of them: where they can trade, cost and evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.models import Price
from billing.selectors import products
from market.enums import InstrumentKind
from strategies import registry
from strategies.models import Evidence, Strategy
from strategies.registry import UnknownStrategyError
from strategies.selectors import catalogue


class Market(StrEnum):
    """Where a strategy makes sense."""

    #: Wherever there is a price; it sells short where the market permits it.
    ANY = "ANY"
    #: Where something can be sold short; elsewhere half of it is missing.
    SWAP = "SWAP"


@dataclass(frozen=True, slots=True)
class Entry:
    """A strategy of the catalogue; ``evidence`` of its newest version, the first is for its card."""

    strategy: Strategy
    market: Market
    evidence: Sequence[Evidence]
    prices: Sequence[Price]


def entries_of(strategies: Sequence[Strategy], *, now: datetime) -> list[Entry]:
    """Return *strategies* as entries, in their order, with two queries in all."""
    evidence = catalogue.evidence_of(strategies)
    prices = _prices_of(strategies, now=now)
    return [
        Entry(each, _market_of(each), evidence[each.pk], prices.get(each.product_code, []))
        for each in strategies
    ]


def _prices_of(strategies: Sequence[Strategy], *, now: datetime) -> Mapping[str, Sequence[Price]]:
    return products.prices_in_force([each.product_code for each in strategies], now=now)


def _market_of(strategy: Strategy) -> Market:
    try:
        definition = registry.get_definition(strategy.slug)
    except UnknownStrategyError:
        # The code was taken away and the catalogue was not synchronised yet.
        return Market.ANY
    needs_short = definition.requirements(definition.default_params()).needs_short
    is_for_swaps = needs_short or definition.market is not InstrumentKind.SPOT
    return Market.SWAP if is_for_swaps else Market.ANY
