"""All of a person's trading at a glance, for the dashboard."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import reverse

from trading.models import Deployment, DeploymentPosition, Fill
from trading.selectors import holdings, results
from trading.selectors.results import Result
from trading.web import presenters
from trading.web.presenters import DeploymentRow, State


@dataclass(frozen=True, slots=True)
class Earned:
    """What all deployments in one currency have earned together; ``realized`` is after fees."""

    currency: str
    realized: Decimal
    unrealized: Decimal


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """What a deployment holds now."""

    deployment: str
    url: str
    symbol: str
    side: State
    quantity: Decimal
    base: str
    entry_price: Decimal
    last_price: Decimal | None
    tick: Decimal
    unrealized: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class RecentFill:
    """An execution."""

    at: datetime
    deployment: str
    url: str
    symbol: str
    side: State
    quantity: Decimal
    price: Decimal
    tick: Decimal


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything about deployments on the dashboard; ``rows`` are the first of them."""

    running: int
    total: int
    earned: Sequence[Earned]
    rows: Sequence[DeploymentRow]
    positions: Sequence[OpenPosition]
    fills: Sequence[RecentFill]


def present_overview(
    deployments: Sequence[Deployment],
    *,
    shown: int,
    trends: Mapping[int, Sequence[Decimal]],
    fills: Iterable[Fill],
) -> Overview:
    """Return an overview with *shown* lines; *trends* are what last fills earned, by deployment id."""
    return Overview(
        running=sum(each.actual_state not in presenters.ENDED for each in deployments),
        total=len(deployments),
        earned=_earned(deployments),
        rows=[
            presenters.present_row(each, trend=trends.get(each.pk, ()))
            for each in deployments[:shown]
        ],
        positions=[
            _position(deployment, row)
            for deployment in deployments
            for row in holdings.open_positions(deployment)
        ],
        fills=[_fill(fill) for fill in fills],
    )


def _earned(deployments: Iterable[Deployment]) -> list[Earned]:
    """Return one line for each currency: amounts of different ones are never added up."""
    totals: dict[str, Result] = {}
    for deployment in deployments:
        currency = holdings.instrument_of(deployment).settle
        result = results.result_of(deployment.positions.all())
        totals[currency] = totals.get(currency, Result()) + result
    return [
        Earned(currency, total.net_realized, total.unrealized)
        for currency, total in sorted(totals.items())
    ]


def _position(deployment: Deployment, row: DeploymentPosition) -> OpenPosition:
    instrument = row.instrument
    held = holdings.held_quantity(row)
    return OpenPosition(
        deployment=deployment.name,
        url=_url(deployment),
        symbol=instrument.symbol,
        side=State("LONG", "Long") if held > 0 else State("SHORT", "Short"),
        quantity=abs(held),
        base=instrument.base,
        entry_price=row.average_price,
        last_price=row.last_price,
        tick=instrument.tick_size,
        unrealized=results.result_of([row]).unrealized,
        currency=instrument.settle,
    )


def _fill(fill: Fill) -> RecentFill:
    return RecentFill(
        at=fill.venue_at,
        deployment=fill.deployment.name,
        url=_url(fill.deployment),
        symbol=fill.instrument.symbol,
        side=State(fill.side, fill.get_side_display()),
        quantity=fill.quantity,
        price=fill.price,
        tick=fill.instrument.tick_size,
    )


def _url(deployment: Deployment) -> str:
    return reverse("trading:detail", args=[deployment.public_id])
