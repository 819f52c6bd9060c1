"""The order book of the venue that lives in this process: orders, fills, balances and prices."""

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from exchanges.adapters.memory_swaps import Swaps, is_swap
from exchanges.adapters.protocol import (
    BalanceReport,
    FillReport,
    InstrumentReport,
    OrderReport,
    OrderRequest,
)
from market.enums import Liquidity, OrderStatus, OrderType, Side

FEE_RATE: Final = Decimal("0.001")

_ZERO: Final = Decimal(0)
_WORKING: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


@dataclass(slots=True)
class MemoryOrder:
    """An order at the venue; ``hidden_for`` look-ups do not find it yet."""

    account: str
    venue_order_id: str
    request: OrderRequest
    status: OrderStatus
    placed_at: datetime
    locked_currency: str
    locked: Decimal
    filled: Decimal = _ZERO
    paid: Decimal = _ZERO
    is_awake: bool = True
    hidden_for: int = 0

    @property
    def is_working(self) -> bool:
        """Whether the order may still fill."""
        return self.status in _WORKING

    @property
    def remaining(self) -> Decimal:
        """The quantity that has not filled."""
        return self.request.quantity - self.filled

    def report(self) -> OrderReport:
        """Return what the venue says of the order."""
        return OrderReport(
            client_order_id=self.request.client_order_id,
            venue_order_id=self.venue_order_id,
            symbol=self.request.symbol,
            side=self.request.side,
            status=self.status,
            quantity=self.request.quantity,
            filled_quantity=self.filled,
            average_price=self.paid / self.filled if self.filled else None,
            venue_at=self.placed_at,
        )


@dataclass(slots=True)
class _Holding:
    free: Decimal = _ZERO
    used: Decimal = _ZERO


@dataclass(slots=True)
class Book:
    """Everything the venue knows. Fees of a tenth of a percent are taken in the asset that is received; swaps settle.

    An order for a swap locks margin until it fills; then its position alone is what the account holds.
    """

    instruments: dict[str, InstrumentReport] = field(default_factory=dict)
    prices: dict[str, Decimal] = field(default_factory=dict)
    orders: list[MemoryOrder] = field(default_factory=list)
    fills: list[tuple[str, FillReport]] = field(default_factory=list)
    swaps: Swaps = field(default_factory=Swaps)
    #: What the venue takes for the time.
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _holdings: defaultdict[tuple[str, str], _Holding] = field(
        default_factory=lambda: defaultdict(_Holding)
    )
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def deposit(self, account: str, currency: str, amount: Decimal) -> None:
        """Add to what an account holds."""
        self._holdings[account, currency].free += amount

    def balances(self, account: str) -> list[BalanceReport]:
        """Return what an account holds."""
        return [
            BalanceReport(currency, holding.free, holding.used)
            for (holder, currency), holding in sorted(self._holdings.items())
            if holder == account and (holding.free or holding.used)
        ]

    def covers(self, account: str, request: OrderRequest) -> bool:
        """Tell whether the free balance suffices for an order."""
        currency, amount = self._needed(account, request)
        return self._holdings[account, currency].free >= amount

    def would_trigger_at_once(self, request: OrderRequest) -> bool:
        """Tell whether a stop is already touched by the price."""
        return request.trigger_price is not None and self._is_touched(request)

    def would_open_although_reducing(self, account: str, request: OrderRequest) -> bool:
        """Tell whether an order for a swap that may only reduce would do more."""
        is_checked = request.reduce_only and is_swap(self.instruments[request.symbol])
        return is_checked and not self.swaps.reduces(account, request)

    def place(self, account: str, request: OrderRequest) -> MemoryOrder:
        """Take an order and lock what it needs; it does not fill yet."""
        currency, amount = self._needed(account, request)
        holding = self._holdings[account, currency]
        holding.free -= amount
        holding.used += amount
        order = MemoryOrder(
            account=account,
            venue_order_id=str(next(self._numbers)),
            request=request,
            status=OrderStatus.ACCEPTED,
            placed_at=self.clock(),
            locked_currency=currency,
            locked=amount,
            is_awake=request.trigger_price is None,
        )
        self.orders.append(order)
        return order

    def cancel(self, order: MemoryOrder) -> None:
        """End an order and free what it still locked."""
        freed = self._unlock(order, order.remaining)
        self._holdings[order.account, order.locked_currency].free += freed
        order.status = OrderStatus.CANCELED

    def move_price(self, symbol: str, price: Decimal) -> None:
        """Set the price, wake the stops that it touches and fill the limits that it reaches."""
        self.prices[symbol] = price
        for order in self.orders:
            if order.is_working and order.request.symbol == symbol:
                self.match(order)

    def match(self, order: MemoryOrder, *, parts: int = 1) -> None:
        """Fill an order if the price allows it now, in so many equal executions."""
        request = order.request
        order.is_awake = order.is_awake or self._is_touched(request)
        if not order.is_awake or not self._is_reached(request):
            return
        if request.reduce_only and is_swap(self.instruments[request.symbol]):
            held = self.swaps.reducible(order.account, request)
            if held < order.remaining:
                # What only reduces never turns a position around.
                if held:
                    self.fill(order, quantity=held, price=self.prices[request.symbol])
                self.cancel(order)
                return
        lots = int(order.remaining / self.instruments[request.symbol].lot_step)
        for part in range(min(parts, lots)):
            is_last = part == min(parts, lots) - 1
            step = self.instruments[request.symbol].lot_step
            quantity = order.remaining if is_last else lots // parts * step
            self.fill(order, quantity=quantity, price=self.prices[request.symbol])

    def fill(self, order: MemoryOrder, *, quantity: Decimal, price: Decimal) -> FillReport:
        """Execute *quantity* of an order at *price*, and move the money."""
        request, rules = order.request, self.instruments[order.request.symbol]
        received, fee = self._exchange(order, rules, quantity, price)
        order.filled += quantity
        order.paid += quantity * price
        is_done = order.filled == request.quantity
        order.status = OrderStatus.FILLED if is_done else OrderStatus.PARTIALLY_FILLED
        is_taker = request.order_type is not OrderType.LIMIT
        report = FillReport(
            venue_trade_id=str(next(self._numbers)),
            venue_order_id=order.venue_order_id,
            symbol=request.symbol,
            side=request.side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_currency=received,
            liquidity=Liquidity.TAKER if is_taker else Liquidity.MAKER,
            venue_at=self.clock(),
        )
        self.fills.append((order.account, report))
        if is_swap(rules):
            settled = self.swaps.book(order.account, report)
            self._holdings[order.account, rules.settle].free += settled
        return report

    def _exchange(
        self, order: MemoryOrder, rules: InstrumentReport, quantity: Decimal, price: Decimal
    ) -> tuple[str, Decimal]:
        """Give what an execution gives, and return its fee with the currency."""
        unlocked = self._unlock(order, quantity)
        is_buy = order.request.side is Side.BUY
        if is_swap(rules):
            self._holdings[order.account, rules.settle].free += unlocked
            return rules.settle, quantity * price * FEE_RATE
        received = rules.base if is_buy else rules.quote
        gross = quantity if is_buy else quantity * price
        fee = gross * FEE_RATE
        self._holdings[order.account, received].free += gross - fee
        if is_buy:
            self._holdings[order.account, rules.quote].free += unlocked - quantity * price
        return received, fee

    def _unlock(self, order: MemoryOrder, quantity: Decimal) -> Decimal:
        """Take what *quantity* of an order had locked out of use, and return it."""
        share = order.locked * quantity / order.request.quantity
        self._holdings[order.account, order.locked_currency].used -= share
        return share

    def _needed(self, account: str, request: OrderRequest) -> tuple[str, Decimal]:
        rules = self.instruments[request.symbol]
        price = request.price or request.trigger_price or self.prices[request.symbol]
        if is_swap(rules):
            return self.swaps.margin_of(account, request, rules, price=price)
        if request.side is Side.SELL:
            return rules.base, request.quantity
        return rules.quote, request.quantity * price

    def _is_touched(self, request: OrderRequest) -> bool:
        price, trigger = self.prices[request.symbol], request.trigger_price
        if trigger is None:
            return True
        return price >= trigger if request.side is Side.BUY else price <= trigger

    def _is_reached(self, request: OrderRequest) -> bool:
        price, limit = self.prices[request.symbol], request.price
        if limit is None:
            return True
        return price <= limit if request.side is Side.BUY else price >= limit
