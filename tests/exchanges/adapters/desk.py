"""Where acceptance cards are played: an account at a venue under test, and what cards do with it again and again."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any, TypeVar

from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.packs import pack_of
from exchanges.adapters.protocol import InstrumentReport, OrderRequest, Outcome
from market.enums import InstrumentKind, OrderType, Side
from tests.exchanges.adapters.contract import make_order

T = TypeVar("T")

PATIENCE_S = 10.0
#: Orders are worth this many times the least that the venue takes.
TIMES_THE_MINIMUM = Decimal(3)


class Desk(ABC):
    """An account at a venue under test, with enough of both currencies, or of the one that swaps settle in."""

    code: str
    symbol: str
    #: A market of which one lot is worth less than the venue takes.
    cheap_symbol: str

    @abstractmethod
    def run(self, ask: Callable[[CcxtVenueClient], Awaitable[T]]) -> T:
        """Ask one thing."""

    @abstractmethod
    def with_wrong_secret(self, ask: Callable[[CcxtVenueClient], Awaitable[T]]) -> T:
        """Ask one thing with a secret that is not the key's."""

    @property
    def is_swap(self) -> bool:
        return pack_of(self.code).kind is not InstrumentKind.SPOT

    def rules(self, symbol: str = "") -> InstrumentReport:
        reports = self.run(lambda c: c.instruments())
        return next(report for report in reports if report.symbol == (symbol or self.symbol))

    def price(self, factor: str = "1", *, symbol: str = "") -> Decimal:
        """Return a multiple of the last price, on a tick."""
        last = self.run(lambda c: c.last_price(symbol or self.symbol)) * Decimal(factor)
        tick = self.rules(symbol).tick_size
        return (last / tick).to_integral_value(rounding=ROUND_DOWN) * tick

    def quantity(self) -> Decimal:
        """Return a small quantity that the venue takes, on a lot."""
        rules = self.rules()
        worth = max(rules.minimum_notional, Decimal(5)) * TIMES_THE_MINIMUM / self.price()
        least = max(worth, rules.minimum_quantity)
        return (least / rules.lot_step).to_integral_value(rounding=ROUND_UP) * rules.lot_step

    def order(self, **fields: Any) -> OrderRequest:
        """Return a market order to buy a small quantity, with a fresh client order id."""
        return make_order(**({"symbol": self.symbol, "quantity": self.quantity()} | fields))

    def resting(self, **fields: Any) -> OrderRequest:
        """Return a limit order to buy far below the price."""
        limit = {"order_type": OrderType.LIMIT, "price": self.price("0.8")}
        return self.order(**(limit | fields))

    def submit(self, order: OrderRequest) -> Outcome:
        return self.run(lambda c: c.submit(order, timeout_s=PATIENCE_S))

    def cancel(self, order: OrderRequest, venue_order_id: str = "") -> Outcome:
        return self.run(
            lambda c: c.cancel(
                symbol=order.symbol,
                client_order_id=order.client_order_id,
                venue_order_id=venue_order_id,
                timeout_s=PATIENCE_S,
            )
        )

    def find(self, order: OrderRequest) -> Any:
        return self.run(
            lambda c: c.find_order(symbol=order.symbol, client_order_id=order.client_order_id)
        )

    def held(self) -> Decimal:
        """Return the position in the swap, or what is held of the base currency."""
        if self.is_swap:
            found = self.run(lambda c: c.positions())
            return sum((p.quantity for p in found if p.symbol == self.symbol), Decimal(0))
        base = self.rules().base
        return sum(
            (b.free + b.used for b in self.run(lambda c: c.balances()) if b.currency == base),
            Decimal(0),
        )

    def on_lots(self, quantity: Decimal) -> Decimal:
        """Return a quantity cut to whole lots: fees may have left part of one."""
        step = self.rules().lot_step
        return (quantity / step).to_integral_value(rounding=ROUND_DOWN) * step

    def flatten(self) -> None:
        """Close what earlier cards have left of the swap; they share the account of a practice market."""
        held = self.held()
        if self.is_swap and held:
            side = Side.SELL if held > 0 else Side.BUY
            self.submit(self.order(side=side, quantity=abs(held), reduce_only=True))
