"""What a deployment trades and holds, read from the rows that were fetched with it."""

from decimal import Decimal
from typing import TYPE_CHECKING

from trading.domain import sizing
from trading.models import Deployment, DeploymentPosition
from trading.selectors import markets

if TYPE_CHECKING:
    from exchanges.models import Instrument


def instruments_of(deployment: Deployment) -> "list[Instrument]":
    """Return what *deployment* trades, by symbol: one market, or a universe."""
    traded = [row.instrument for row in deployment.instruments.all()]
    return sorted(traded, key=lambda each: each.symbol)


def instrument_of(deployment: Deployment) -> "Instrument":
    """Return what *deployment* trades, the first by symbol of a universe."""
    return instruments_of(deployment)[0]


def is_universe(deployment: Deployment) -> bool:
    """Tell whether *deployment* trades many markets from one wallet."""
    return len(deployment.instruments.all()) > 1


def market_of(deployment: Deployment) -> str:
    """Return what *deployment* trades in a word: a symbol, or how many markets."""
    count = len(deployment.instruments.all())
    return f"{count} markets" if count > 1 else instrument_of(deployment).symbol


def positions_of(deployment: Deployment) -> list[DeploymentPosition]:
    """Return what *deployment* holds by its fills, by symbol, flat ones too."""
    return sorted(deployment.positions.all(), key=lambda each: each.instrument.symbol)


def position_of(
    deployment: Deployment, *, instrument: "Instrument | None" = None
) -> DeploymentPosition | None:
    """Return what *deployment* holds of *instrument*, or of its first one; None without a row."""
    wanted = instrument or instrument_of(deployment)
    held = deployment.positions.all()
    return next((each for each in held if each.instrument_id == wanted.pk), None)


def held_quantity(position: DeploymentPosition | None) -> Decimal:
    """Return the signed quantity of a position, in base units; what is too little to sell is nothing."""
    if position is None:
        return Decimal(0)
    price = position.average_price if position.last_price is None else position.last_price
    steps = markets.steps_of(position.instrument)
    is_open = sizing.is_closable(position.quantity, price=price, steps=steps)
    return position.quantity if is_open else Decimal(0)


def open_positions(deployment: Deployment) -> list[DeploymentPosition]:
    """Return the positions in which more is held than dust, by symbol."""
    return [each for each in positions_of(deployment) if held_quantity(each)]


def is_open(deployment: Deployment) -> bool:
    """Tell whether more is held than dust, in any market."""
    return bool(open_positions(deployment))
