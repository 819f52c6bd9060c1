"""Deployments as the lists and the dashboard show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.urls import reverse

from trading.models import IDLE_STATES, Deployment, DeploymentPosition, ExternalOrder, Health
from trading.selectors import holdings, results

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount


#: Nothing happens in these.
ENDED: Final[frozenset[str]] = frozenset(IDLE_STATES)


@dataclass(frozen=True, slots=True)
class State:
    """A stored word and how people read it."""

    code: str
    label: str


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """One line of a list; ``quantity`` is signed and in ``base``, ``net`` is in ``currency``."""

    name: str
    url: str
    strategy: str
    symbol: str
    timeframe: str
    account: str
    badge: State
    is_unverified: bool
    desired: State
    actual: State
    is_changing: bool
    health: State
    needs_attention: bool
    quantity: Decimal
    base: str
    net: Decimal
    currency: str
    trend: tuple[Decimal, ...] = ()


def present_row(deployment: Deployment, *, trend: Sequence[Decimal] = ()) -> DeploymentRow:
    """Return *deployment* as a line of a list; *trend* is what its last fills earned."""
    instrument = holdings.instrument_of(deployment)
    quantity = holdings.held_quantity(holdings.position_of(deployment))
    unit = instrument.base
    if holdings.is_universe(deployment):
        # Of many markets it says in how many something is held.
        quantity, unit = Decimal(len(holdings.open_positions(deployment))), "open"
    return DeploymentRow(
        name=deployment.name,
        url=reverse("trading:detail", args=[deployment.public_id]),
        strategy=deployment.strategy_version.strategy.name,
        symbol=holdings.market_of(deployment),
        timeframe=deployment.timeframe,
        account=deployment.account.label,
        badge=account_badge(deployment.account),
        is_unverified=deployment.account.is_unverified,
        desired=desired_state(deployment),
        actual=actual_state(deployment),
        is_changing=is_changing(deployment),
        health=State(deployment.health, deployment.get_health_display()),
        needs_attention=needs_attention(deployment),
        quantity=quantity,
        base=unit,
        net=results.result_of(deployment.positions.all()).net,
        currency=instrument.settle,
        trend=tuple(trend),
    )


@dataclass(frozen=True, slots=True)
class PositionRow:
    """What a deployment holds, as a line of a list; amounts in ``currency``."""

    name: str
    url: str
    account: str
    symbol: str
    side: str
    quantity: Decimal
    base: str
    tick: Decimal
    entry_price: Decimal
    last_price: Decimal | None
    stop_price: Decimal | None
    target_price: Decimal | None
    unrealized: Decimal
    currency: str
    opened_at: datetime | None
    is_idle: bool


def present_position(row: DeploymentPosition) -> PositionRow:
    """Return what a deployment holds as a line of a list."""
    deployment, instrument = row.deployment, row.instrument
    return PositionRow(
        name=deployment.name,
        url=reverse("trading:detail", args=[deployment.public_id]),
        account=deployment.account.label,
        symbol=instrument.symbol,
        side="Long" if row.quantity > 0 else "Short",
        quantity=abs(row.quantity),
        base=instrument.base,
        tick=instrument.tick_size,
        entry_price=row.average_price,
        last_price=row.last_price,
        stop_price=row.stop_price,
        target_price=row.target_price,
        unrealized=results.result_of([row]).unrealized,
        currency=instrument.settle,
        opened_at=row.opened_at,
        is_idle=deployment.actual_state in ENDED,
    )


def desired_state(deployment: Deployment) -> State:
    """Return what the person asked for."""
    return State(deployment.desired_state, deployment.get_desired_state_display())


def actual_state(deployment: Deployment) -> State:
    """Return what is true."""
    return State(deployment.actual_state, deployment.get_actual_state_display())


def is_changing(deployment: Deployment) -> bool:
    """Tell whether what was asked for is still on its way."""
    return (
        deployment.actual_state != deployment.desired_state and deployment.actual_state not in ENDED
    )


def needs_attention(deployment: Deployment) -> bool:
    """Tell whether something keeps a deployment that has not ended from its work."""
    return deployment.health != Health.OK and deployment.actual_state not in ENDED


def account_badge(account: "ExchangeAccount") -> State:
    """Say whether orders stay here, go to a simulation, or move real money."""
    if account.kind == "PAPER":
        return State("PAPER", "Paper")
    return State("LIVE", "Live") if account.venue.real_money else State("SIMULATOR", "Simulator")


@dataclass(frozen=True, slots=True)
class ExternalView:
    """An order that was not made here."""

    first_seen_at: datetime
    account: str
    symbol: str
    side: State
    status: State
    filled: Decimal
    quantity: Decimal
    venue_order_id: str
    gone_at: datetime | None


def present_external(order: ExternalOrder) -> ExternalView:
    """Return an order of somebody else's as a line of a list."""
    return ExternalView(
        first_seen_at=order.first_seen_at,
        account=order.account.label,
        symbol=order.instrument.symbol,
        side=State(order.side, order.get_side_display()),
        status=State(order.status, order.get_status_display()),
        filled=order.filled_quantity,
        quantity=order.quantity,
        venue_order_id=order.venue_order_id,
        gone_at=order.gone_at,
    )
