"""The catalogue as pages show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from billing.web.presenters import Offer
from market.timeframes import DAY_MS, Timeframe
from strategies import parameters, registry
from strategies.models import Evidence, Strategy, StrategyVersion
from strategies.selectors.entries import Entry, Market
from strategies.web.forms import words

_RISK_TONES: Final = {"LOW": "gain", "MEDIUM": "neutral", "HIGH": "warning"}
_MARKETS: Final = {
    Market.ANY: "Spot and perpetual swaps",
    Market.SWAP: "Perpetual swaps; long only on spot",
}

#: What a parameter without bounds may be.
_FREE: Final = {"boolean": "on, off", "text": "as described"}


@dataclass(frozen=True, slots=True)
class EvidenceCard:
    """What a backtest showed, with what it stands on; fractions, bps and quote currency.

    ``chart`` is what the script that draws lines reads.
    """

    market: str
    currency: str
    timeframe: str
    from_at: datetime
    to_at: datetime
    bar_count: int
    capital: Decimal
    maker_fee_bps: Decimal
    taker_fee_bps: Decimal
    slippage_bps: Decimal
    values: Mapping[str, Any]
    equity: Sequence[float]
    chart: Mapping[str, Any]
    version: int
    engine_version: str
    data_fingerprint: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class StrategyCard:
    """One strategy in the list."""

    slug: str
    name: str
    summary: str
    category: str
    risk: str
    risk_tone: str
    market: str
    suggested_timeframe: str
    is_featured: bool
    is_retired: bool
    offer: Offer | None
    evidence: EvidenceCard | None


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One parameter in the table."""

    name: str
    title: str
    help: str
    default: Any  # of whatever type the parameter is
    bounds: str
    unit: str
    is_choice: bool
    affects_signal: bool


@dataclass(frozen=True, slots=True)
class StrategyPage:
    """Everything on the page of one strategy."""

    card: StrategyCard
    paragraphs: Sequence[str]
    version: int
    released_at: datetime
    code_fingerprint: str
    warm_up_bars: int
    warm_up_days: int
    evidence: Sequence[EvidenceCard]
    parameters: Sequence[ParameterRow]


def present_list(entries: Sequence[Entry], offers: Mapping[str, Offer]) -> Sequence[StrategyCard]:
    """Return a card for each of *entries*; *offers* are by product code."""
    return [_card(entry, offers.get(entry.strategy.product_code)) for entry in entries]


def present_strategy(entry: Entry, version: StrategyVersion, offer: Offer | None) -> StrategyPage:
    """Return the page of a strategy in its newest version."""
    definition = registry.get_definition(version.strategy.slug)
    requirements = definition.requirements(definition.default_params())
    suggested = Timeframe(version.strategy.suggested_timeframe)
    return StrategyPage(
        card=_card(entry, offer),
        paragraphs=_paragraphs(version.strategy),
        version=version.number,
        released_at=version.created_at,
        code_fingerprint=version.code_fingerprint,
        warm_up_bars=requirements.bars(suggested),
        warm_up_days=-(-requirements.bars(suggested) * suggested.milliseconds // DAY_MS),
        evidence=[_evidence(row) for row in entry.evidence],
        parameters=[
            ParameterRow(
                name=info.name,
                title=info.title,
                help=info.help,
                default=info.shown(info.default),
                bounds=info.bounds or _FREE.get(info.kind, ""),
                unit=info.unit,
                is_choice=info.kind == "choice",
                affects_signal=info.affects_signal,
            )
            for info in parameters.describe(version.parameters_schema)
        ],
    )


def _card(entry: Entry, offer: Offer | None) -> StrategyCard:
    strategy = entry.strategy
    return StrategyCard(
        slug=strategy.slug,
        name=strategy.name,
        summary=strategy.summary,
        category=words(strategy.category),
        risk=words(strategy.risk),
        risk_tone=_RISK_TONES.get(strategy.risk, "neutral"),
        market=_MARKETS[entry.market],
        suggested_timeframe=strategy.suggested_timeframe,
        is_featured=strategy.is_featured,
        is_retired=not strategy.is_offered,
        offer=offer,
        evidence=_evidence(entry.evidence[0]) if entry.evidence else None,
    )


def _paragraphs(strategy: Strategy) -> list[str]:
    parts = strategy.description.replace("\r\n", "\n").split("\n\n")
    return [" ".join(part.split()) for part in parts if part.strip()]


def _evidence(row: Evidence) -> EvidenceCard:
    instrument = row.instrument
    many = row.metrics.get("universe", {}).get("markets", ())
    return EvidenceCard(
        market=f"{f'{len(many)} markets' if many else instrument.symbol} at {instrument.venue.name}",
        currency=instrument.settle or instrument.quote,
        timeframe=row.timeframe,
        from_at=row.effective_from_at,
        to_at=row.to_at,
        bar_count=row.bar_count,
        capital=row.capital,
        maker_fee_bps=row.maker_fee_bps,
        taker_fee_bps=row.taker_fee_bps,
        slippage_bps=row.slippage_bps,
        values=row.metrics["values"],
        equity=[point[1] for point in row.curve],
        chart=_chart(row.curve),
        version=row.version.number,
        engine_version=row.engine_version,
        data_fingerprint=row.data_fingerprint,
        recorded_at=row.recorded_at,
    )


def _chart(curve: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {
        "series": [
            {
                "name": name,
                "kind": kind,
                "points": [
                    {"time": int(point[0]) // 1_000, "value": point[column]} for point in curve
                ],
            }
            for name, kind, column in (("Equity", "equity", 1), ("Buy and hold", "benchmark", 2))
        ]
    }
