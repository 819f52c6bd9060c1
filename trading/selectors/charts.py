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
from strategies.registry import Definition
from strategies.shapes import Overlay, StrategyParams
from strategies.views import MarketView
from trading.models import Deployment, DeploymentInstrument, Fill
from trading.selectors.deployments import revision_of
from trading.selectors.owners import Owner

#: Most bars of history in front of the shown ones. With its strategy's warm-up there every line
#: begins at the left edge; more than this would make people wait.
_MAXIMUM_RUN_IN_BARS: Final = 10_000


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
    owner: Owner, *, deployment: Deployment, symbol: str = "", now: datetime, bars: int = 300
) -> PriceChart | None:
    """Return the chart of the last *bars* bars of a deployment of *owner*; None without bars.

    Of a universe it is that of the market *symbol*, or of the first by symbol.
    """
    every = DeploymentInstrument.objects.filter(owner_id=owner.pk, deployment=deployment)
    every = every.select_related("instrument").order_by("instrument__symbol")
    traded = every.filter(instrument__symbol=symbol).first() or every.first()
    if traded is None:
        return None
    timeframe = Timeframe(deployment.timeframe)
    definition = registry.get_definition(deployment.strategy_version.strategy.slug)
    params = registry.validate_params(definition, revision_of(deployment).parameters)
    run_in = _run_in(definition, params, timeframe)
    end_ms = to_milliseconds(deployment.stopped_at or now) + timeframe.milliseconds
    loaded = candles.load_candles(
        instrument_id=traded.instrument_id,
        timeframe=timeframe,
        from_ms=max(end_ms - (bars + run_in) * timeframe.milliseconds, 0),
        to_ms=end_ms,
    )
    if not len(loaded):
        return None
    first = max(len(loaded) - bars, 0)
    shown = loaded.slice(first, len(loaded))
    lines = _overlays(definition, params, MarketView(loaded, timeframe))
    return PriceChart(
        symbol=traded.instrument.symbol,
        timeframe=timeframe,
        candles=shown,
        overlays=[line._replace(values=line.values[first:]) for line in lines],
        markers=_markers(owner, traded, timeframe, from_ms=int(shown.open_time[0])),
    )


def _run_in(definition: Definition, params: StrategyParams, timeframe: Timeframe) -> int:
    try:
        warm_up_bars = definition.requirements(params).bars(timeframe)
    except StrategyFailedError:
        return 0
    return min(warm_up_bars, _MAXIMUM_RUN_IN_BARS)


def _overlays(
    definition: Definition, params: StrategyParams, view: MarketView
) -> Sequence[Overlay]:
    try:
        return definition.overlays(view, params)
    except StrategyFailedError:
        return ()


def _markers(
    owner: Owner, traded: DeploymentInstrument, timeframe: Timeframe, *, from_ms: int
) -> Sequence[Marker]:
    fills = (
        Fill.objects.filter(
            owner_id=owner.pk,
            deployment_id=traded.deployment_id,
            instrument_id=traded.instrument_id,
        )
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
