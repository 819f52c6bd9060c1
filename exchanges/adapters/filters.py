"""The rules of an instrument that an order must keep, for venues that live in this process."""

from dataclasses import dataclass
from decimal import Decimal

from exchanges.adapters.protocol import InstrumentReport, OrderRequest, Outcome, OutcomeKind
from market.enums import InstrumentKind, OrderType, Side


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an order is not taken, as an outcome's kind, code and text."""

    kind: OutcomeKind
    code: str
    message: str

    def outcome(self) -> Outcome:
        """Return the outcome of an order that met this objection."""
        return Outcome(self.kind, code=self.code, message=self.message)


def find_objection(
    request: OrderRequest, rules: InstrumentReport | None, *, price: Decimal
) -> Objection | None:
    """Return the first rule that *request* breaks, or None; *price* is the last one, which values an order that names none.

    As with a real venue's client, what is already known to be wrong here is not sent.
    """
    if rules is None or not rules.is_active:
        message = f"{request.symbol} is not listed."
        return Objection(OutcomeKind.NOT_SENT, "unknown_symbol", message)
    if not keeps_steps(request, rules):
        message = f"Lots are {rules.lot_step}, ticks are {rules.tick_size}."
        return Objection(OutcomeKind.NOT_SENT, "off_step", message)
    if request.post_only and request.order_type is not OrderType.LIMIT:
        message = "Only a limit order can be kept from taking."
        return Objection(OutcomeKind.NOT_SENT, "unsupported_order_type", message)
    if request.quantity < rules.minimum_quantity:
        message = f"The smallest quantity is {rules.minimum_quantity} {rules.base}."
        return Objection(OutcomeKind.REJECTED, "order_too_small", message)
    notional = request.quantity * (request.price or request.trigger_price or price)
    # Contracts of any worth may be closed.
    only_closes = request.reduce_only and rules.kind is not InstrumentKind.SPOT
    if notional < rules.minimum_notional and not only_closes:
        message = f"An order is worth at least {rules.minimum_notional} {rules.quote}."
        return Objection(OutcomeKind.REJECTED, "order_too_small", message)
    if request.post_only and would_take(request, price=price):
        message = "The order would take at once."
        return Objection(OutcomeKind.REJECTED, "post_only_would_cross", message)
    return None


def would_take(request: OrderRequest, *, price: Decimal) -> bool:
    """Tell whether a limit order is met at once where everything trades at *price*."""
    if request.price is None:
        return True
    is_bought = request.side is Side.BUY
    return request.price >= price if is_bought else request.price <= price


def keeps_steps(request: OrderRequest, rules: InstrumentReport) -> bool:
    """Tell whether every amount of *request* is positive and a whole number of the instrument's steps."""
    amounts = (
        (request.quantity, rules.lot_step),
        (request.price, rules.tick_size),
        (request.trigger_price, rules.tick_size),
    )
    return all(amount is None or (amount > 0 and not amount % step) for amount, step in amounts)
