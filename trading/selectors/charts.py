"""Candles with what a deployment did on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from exchanges.selectors import candles
from market.candles import Candles
from market.enums import Side
from market.timeframes import Timeframe, to_milliseconds
from strategies import registry
from strategies.guards import StrategyFailedError
from strategies.shapes import Overlay
from strategies.views import MarketView
from trading.models import Deployment, DeploymentInstrument, Fill
from trading.selectors.deployments import revision_of
from trading.selectors.owners import Owner

#: Bars of history in front of the shown ones, so that lines of indicators begin at the left edge.
_RUN_IN_BARS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Marker:
    """An execution on the chart; ``open_ms`` is the bar in which it happened."""

    open_ms: int
    side: Side
    leg: str
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class PriceChart:
    """The newest bars of a deployment's instrument, with lines and executions."""

    symbol: str
    timeframe: Timeframe
    candles: Candles
    overlays: Sequence[Overlay]
    markers: Sequence[Marker]


def price_chart_for(
    owner: Owner, *, deployment: Deployment, now: datetime, bars: int = 300
) -> PriceChart | None:
    """Return the chart of the last *bars* bars of a deployment of *owner*; None without bars."""
    traded = (
        DeploymentInstrument.objects.filter(owner_id=owner.pk, deployment=deployment)
        .select_related("instrument")
        .order_by("pk")
        .first()
    )
    if traded is None:
        return None
    timeframe = Timeframe(deployment.timeframe)
    end_ms = to_milliseconds(deployment.stopped_at or now) + timeframe.milliseconds
    loaded = candles.load_candles(
        instrument_id=traded.instrument_id,
        timeframe=timeframe,
        from_ms=max(end_ms - (bars + _RUN_IN_BARS) * timeframe.milliseconds, 0),
        to_ms=end_ms,
    )
    if not len(loaded):
        return None
    first = max(len(loaded) - bars, 0)
    shown = loaded.slice(first, len(loaded))
    return PriceChart(
        symbol=traded.instrument.symbol,
        timeframe=timeframe,
        candles=shown,
        overlays=[
            line._replace(values=line.values[first:]) for line in _overlays(deployment, loaded)
        ],
        markers=_markers(owner, deployment, timeframe, from_ms=int(shown.open_time[0])),
    )


def _overlays(deployment: Deployment, loaded: Candles) -> Sequence[Overlay]:
    definition = registry.get_definition(deployment.strategy_version.strategy.slug)
    params = registry.validate_params(definition, revision_of(deployment).parameters)
    try:
        return definition.overlays(MarketView(loaded, Timeframe(deployment.timeframe)), params)
    except StrategyFailedError:
        return ()


def _markers(
    owner: Owner, deployment: Deployment, timeframe: Timeframe, *, from_ms: int
) -> Sequence[Marker]:
    fills = (
        Fill.objects.filter(owner_id=owner.pk, deployment=deployment)
        .select_related("order")
        .order_by("-pk")[:500]
    )
    markers = [
        Marker(
            open_ms=timeframe.open_of(to_milliseconds(fill.venue_at)),
            side=Side(fill.side),
            leg=fill.order.leg,
            quantity=fill.quantity,
            price=fill.price,
        )
        for fill in fills
    ]
    return sorted(
        (marker for marker in markers if marker.open_ms >= from_ms),
        key=lambda marker: marker.open_ms,
    )
