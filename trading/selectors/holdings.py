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


def position_of(deployment: Deployment) -> DeploymentPosition | None:
    """Return what *deployment* holds by its fills, if it has a row for that."""
    return next(iter(deployment.positions.all()), None)


def open_quantity(deployment: Deployment) -> Decimal:
    """Return the signed quantity that is held, in base units; what is too little to sell is nothing."""
    position = position_of(deployment)
    if position is None:
        return Decimal(0)
    price = position.average_price if position.last_price is None else position.last_price
    steps = markets.steps_of(instrument_of(deployment))
    is_open = sizing.is_tradable(position.quantity, price=price, steps=steps)
    return position.quantity if is_open else Decimal(0)
