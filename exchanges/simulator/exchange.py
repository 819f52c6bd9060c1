"""The exchange itself: placing, canceling and filling orders, and moving the money."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from exchanges.simulator import book, errors
from exchanges.simulator.instruments import MAX_OPEN_ORDERS, MAX_STOP_ORDERS, Instrument
from exchanges.simulator.orders import (
    FEE_RATE,
    Account,
    Kind,
    NewOrder,
    Order,
    Permission,
    Status,
    TimeInForce,
    Trade,
)
from exchanges.simulator.prices import SAMPLE_MS, Timeline
from exchanges.simulator.recordings import sample_of
from exchanges.simulator.store import Store
from market.costs import Costs
from market.enums import Liquidity, Side
from market.orders import KernelFill, KernelOrder

_ZERO = Decimal(0)
_QUANTUM = Decimal("0.00000001")

#: At most so many samples are read at once when an exchange wakes up after a long time.
_STRETCH = 4 * 86_400


@dataclass(slots=True)
class Market:
    """One market: its rules, what trading there costs, and its price for all time."""

    instrument: Instrument
    costs: Costs
    timeline: Timeline


@dataclass(slots=True)
class _Watched:
    """An open order and how far along the path it has been followed."""

    order: Order
    kernel: KernelOrder
    seen: int


class Exchange:
    """All markets and accounts. Instants are arguments; prices come from the timelines alone.

    Methods raise ``ApiError`` for what a client did wrong, and commit before they return.
    """

    def __init__(self, store: Store, markets: Iterable[Market]) -> None:
        """Open the exchange; kept orders rest until ``watch_open_orders``."""
        self.store = store
        self.markets = {market.instrument.symbol: market for market in markets}
        self._open: dict[int, _Watched] = {}

    def watch_open_orders(self, *, since_ms: int) -> None:
        """Follow the orders kept in the store, from their creation, but not before *since_ms*.

        What a stopped exchange missed is made up for: prices went on while it was away.
        """
        for order in self.store.open_orders():
            if order.symbol in self.markets:
                self._watch(order, seen=sample_of(max(order.created_ms, since_ms)))

    def market(self, symbol: str) -> Market:
        """Return the market of *symbol*; refuse a symbol that is not listed."""
        market = self.markets.get(symbol)
        if market is None:
            raise errors.invalid_symbol()
        return market

    def price(self, symbol: str, *, now_ms: int) -> Decimal:
        """Return the price of *symbol* at this instant, in quote currency."""
        market = self.market(symbol)
        return market.instrument.price_of(market.timeline.ticks_at(sample_of(now_ms)))

    @property
    def has_open_orders(self) -> bool:
        """Whether the passing of time can do anything."""
        return bool(self._open)

    def open_account(
        self,
        *,
        api_key: str,
        secret: str,
        balances: Mapping[str, Decimal],
        permissions: Sequence[Permission] = (Permission.READ, Permission.TRADE),
    ) -> bool:
        """Create an account with these balances; return False if the key was known.

        A known key keeps its balances and gets the secret and permissions given now.
        """
        with self.store.transaction():
            is_new = self.store.find_account(api_key) is None
            account_id = self.store.save_account(
                api_key=api_key, secret=secret, permissions=permissions
            )
            if is_new:
                for asset, amount in balances.items():
                    self.store.move(account_id, asset, free=amount)
        return is_new

    def place(
        self, account: Account, new: NewOrder, *, now_ms: int
    ) -> tuple[Order, tuple[Trade, ...]]:
        """Accept an order: fill it if it meets the price now, else lock its worth and rest."""
        self.settle(now_ms=now_ms)
        market = self.market(new.symbol)
        sample = sample_of(now_ms)
        ticks = market.timeline.ticks_at(sample)
        order = _draft(account, new, market.instrument, market_ticks=ticks, now_ms=now_ms)
        kernel = book.kernel_order(order, market.instrument)
        fill = book.meet_price(kernel, sample=sample, ticks=ticks, costs=market.costs)
        self._check_acceptable(order, fill)
        with self.store.transaction():
            if fill is not None:
                return self._accept_filled(order, fill, market)
            if order.time_in_force is not TimeInForce.GTC:
                return self._keep(dataclasses.replace(order, status=Status.EXPIRED)), ()
            order = self._accept_resting(order, kernel, market)
        self._watch(order, seen=sample)
        return order, ()

    def cancel(self, order: Order, *, now_ms: int) -> Order:
        """Cancel an open order and release its lock; refuse one that is not open."""
        if order.id not in self._open:
            raise errors.unknown_order()
        with self.store.transaction():
            canceled = dataclasses.replace(
                order, status=Status.CANCELED, locked=_ZERO, updated_ms=now_ms
            )
            self.store.update_order(canceled)
            asset = _locked_asset(order, self.market(order.symbol).instrument)
            self.store.move(order.account_id, asset, free=order.locked, locked=-order.locked)
        del self._open[order.id]
        return canceled

    def settle(self, *, now_ms: int) -> None:
        """Fill every open order that the price has met up to now."""
        now = sample_of(now_ms)
        while any(watched.seen < now for watched in self._open.values()):
            behind = min(watched.seen for watched in self._open.values())
            self._settle_until(min(now, behind + _STRETCH))

    def _settle_until(self, until: int) -> None:
        outcomes: list[tuple[_Watched, book.Outcome]] = []
        for watched in self._open.values():
            if watched.seen >= until:
                continue
            market = self.market(watched.order.symbol)
            ticks = market.timeline.ticks_between(watched.seen, until + 1)
            outcome = book.meet_path(
                watched.kernel, start=watched.seen, ticks=ticks, costs=market.costs
            )
            outcomes.append((watched, outcome))
        eventful = [pair for pair in outcomes if pair[1].trigger_sample is not None]
        if eventful:
            eventful.sort(key=lambda pair: (pair[1].fill_sample or until, pair[0].order.id))
            with self.store.transaction():
                changed = [self._apply(watched, outcome) for watched, outcome in eventful]
            for (watched, _), order in zip(eventful, changed, strict=True):
                watched.order = order
        for watched, outcome in outcomes:
            watched.kernel, watched.seen = outcome.order, until
            if outcome.fill is not None:
                del self._open[watched.order.id]

    def _apply(self, watched: _Watched, outcome: book.Outcome) -> Order:
        order = watched.order
        if outcome.trigger_sample is not None and not order.is_working:
            at_ms = max(outcome.trigger_sample * SAMPLE_MS, order.created_ms)
            order = dataclasses.replace(order, is_working=True, working_ms=at_ms, updated_ms=at_ms)
        if outcome.fill is not None and outcome.fill_sample is not None:
            at_ms = max(outcome.fill_sample * SAMPLE_MS, order.created_ms)
            order, _ = self._execute(order, outcome.fill, at_ms=at_ms)
        self.store.update_order(order)
        return order

    def _check_acceptable(self, order: Order, fill: KernelFill | None) -> None:
        if fill is not None and order.kind is Kind.LIMIT_MAKER:
            raise errors.order_rejected("Order would immediately match and take.")
        if fill is not None and order.kind.is_stop:
            raise errors.order_rejected("Stop price would trigger immediately.")
        mine = [
            watched.order
            for watched in self._open.values()
            if watched.order.account_id == order.account_id and watched.order.symbol == order.symbol
        ]
        if any(other.client_order_id == order.client_order_id for other in mine):
            raise errors.order_rejected("Duplicate order sent.")
        if fill is None and len(mine) >= MAX_OPEN_ORDERS:
            raise errors.filter_failure("MAX_NUM_ORDERS")
        stops = sum(other.kind.is_stop for other in mine)
        if order.kind.is_stop and stops >= MAX_STOP_ORDERS:
            raise errors.filter_failure("MAX_NUM_ALGO_ORDERS")

    def _accept_filled(
        self, order: Order, fill: KernelFill, market: Market
    ) -> tuple[Order, tuple[Trade, ...]]:
        instrument = market.instrument
        if order.side is Side.BUY:
            needed = instrument.price_of(fill.price_ticks) * instrument.quantity_of(fill.lots)
        else:
            needed = instrument.quantity_of(fill.lots)
        order = self._keep(self._lock(order, needed, instrument))
        order, trade = self._execute(order, fill, at_ms=order.created_ms, at_once=True)
        self.store.update_order(order)
        return order, (trade,)

    def _accept_resting(self, order: Order, kernel: KernelOrder, market: Market) -> Order:
        instrument = market.instrument
        needed = order.quantity
        if order.side is Side.BUY:
            needed *= instrument.price_of(book.highest_cost(kernel, market.costs))
        return self._keep(self._lock(order, needed, instrument))

    def _lock(self, order: Order, needed: Decimal, instrument: Instrument) -> Order:
        asset = _locked_asset(order, instrument)
        if self.store.balance(order.account_id, asset).free < needed:
            raise errors.insufficient_balance()
        self.store.move(order.account_id, asset, free=-needed, locked=needed)
        return dataclasses.replace(order, locked=needed)

    def _keep(self, order: Order) -> Order:
        return dataclasses.replace(order, id=self.store.add_order(order))

    def _execute(
        self, order: Order, fill: KernelFill, *, at_ms: int, at_once: bool = False
    ) -> tuple[Order, Trade]:
        """Turn the lock of *order* into what it bought or sold, less the fee."""
        instrument = self.market(order.symbol).instrument
        price, quantity = instrument.price_of(fill.price_ticks), instrument.quantity_of(fill.lots)
        worth = price * quantity
        is_buy = order.side is Side.BUY
        paid = worth if is_buy else quantity
        received = quantity if is_buy else worth
        paid_asset = _locked_asset(order, instrument)
        received_asset = instrument.base if is_buy else instrument.quote
        fee = (received * FEE_RATE).quantize(_QUANTUM, rounding=ROUND_DOWN)
        self.store.move(
            order.account_id, paid_asset, free=order.locked - paid, locked=-order.locked
        )
        self.store.move(order.account_id, received_asset, free=received - fee)
        trade = Trade(
            id=0,
            order_id=order.id,
            account_id=order.account_id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            quote_quantity=worth,
            fee=fee,
            fee_asset=received_asset,
            is_maker=fill.liquidity is Liquidity.MAKER and not at_once,
            at_ms=at_ms,
        )
        trade = dataclasses.replace(trade, id=self.store.add_trade(trade))
        filled = dataclasses.replace(
            order,
            status=Status.FILLED,
            locked=_ZERO,
            executed=quantity,
            quote_executed=worth,
            updated_ms=at_ms,
        )
        return filled, trade

    def _watch(self, order: Order, *, seen: int) -> None:
        kernel = book.kernel_order(order, self.market(order.symbol).instrument)
        self._open[order.id] = _Watched(order, kernel, seen)


def _draft(
    account: Account, new: NewOrder, instrument: Instrument, *, market_ticks: int, now_ms: int
) -> Order:
    """Check *new* against the filters of its market and return the order that it would become."""
    market_price = instrument.price_of(market_ticks)
    quantity = new.quantity
    if quantity is None:
        budget = new.quote_quantity or _ZERO
        quantity = budget / market_price // instrument.lot * instrument.lot
    instrument.lots_of(quantity)
    for price in (new.price, new.stop_price):
        if price is not None:
            instrument.ticks_of(price)
    if new.price is not None:
        instrument.check_price_band(price=new.price, market_price=market_price)
    worth_at = new.price or new.stop_price or market_price
    instrument.check_notional(price=worth_at, quantity=quantity)
    return Order(
        id=0,
        account_id=account.id,
        symbol=new.symbol,
        client_order_id=new.client_order_id,
        side=new.side,
        kind=new.kind,
        time_in_force=new.time_in_force,
        quantity=quantity,
        quote_quantity=new.quote_quantity or _ZERO,
        price=new.price or _ZERO,
        stop_price=new.stop_price or _ZERO,
        status=Status.NEW,
        is_working=not new.kind.is_stop,
        locked=_ZERO,
        executed=_ZERO,
        quote_executed=_ZERO,
        created_ms=now_ms,
        updated_ms=now_ms,
        working_ms=-1 if new.kind.is_stop else now_ms,
    )


def _locked_asset(order: Order, instrument: Instrument) -> str:
    return instrument.quote if order.side is Side.BUY else instrument.base
