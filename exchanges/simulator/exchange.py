"""The exchange itself: placing, canceling and filling orders, and moving the money."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Final

from exchanges.simulator import book, errors
from exchanges.simulator.drafts import draft_order, locked_asset
from exchanges.simulator.instruments import MAX_OPEN_ORDERS, MAX_STOP_ORDERS, Instrument
from exchanges.simulator.mishaps import NO_MISHAPS, Mishaps, Pending, ScheduledFill
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

SPOT_PROTOCOL: Final = "spot"

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
        self.pending = Pending(store.database, SPOT_PROTOCOL)
        self._open: dict[int, _Watched] = {}
        #: Orders of which something fills at an instant that a mishap has set.
        self._scheduled: dict[int, tuple[Order, ScheduledFill]] = {}

    def watch_open_orders(self, *, since_ms: int) -> None:
        """Follow the orders kept in the store, from their creation, but not before *since_ms*.

        What a stopped exchange missed is made up for: prices went on while it was away.
        """
        for fill in self.pending.scheduled().values():
            self._scheduled[fill.order_id] = self.store.order(fill.order_id), fill
        for order in self.store.open_orders():
            if order.symbol in self.markets and order.id not in self._scheduled:
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
        return bool(self._open or self._scheduled)

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
        self, account: Account, new: NewOrder, *, now_ms: int, mishaps: Mishaps = NO_MISHAPS
    ) -> tuple[Order, tuple[Trade, ...]]:
        """Accept an order: fill it if it meets the price now, else lock its worth and rest."""
        self.settle(now_ms=now_ms)
        market = self.market(new.symbol)
        sample = sample_of(now_ms)
        ticks = market.timeline.ticks_at(sample)
        order = draft_order(account, new, market.instrument, market_ticks=ticks, now_ms=now_ms)
        kernel = book.kernel_order(order, market.instrument)
        fill = book.meet_price(kernel, sample=sample, ticks=ticks, costs=market.costs)
        self._check_acceptable(order, fill)
        if mishaps.funds_gone:
            raise errors.insufficient_balance()
        trades: tuple[Trade, ...] = ()
        later: ScheduledFill | None = None
        with self.store.transaction():
            if fill is not None:
                order, trades, later = self._accept_filled(order, fill, market, mishaps)
            elif order.time_in_force is not TimeInForce.GTC:
                order = self._keep(dataclasses.replace(order, status=Status.EXPIRED))
            else:
                order = self._accept_resting(order, kernel, market)
            self.pending.hide(order.id, lookups=mishaps.hidden_lookups)
        if later is not None:
            self._scheduled[order.id] = order, later
        elif order.status.is_open:
            self._watch(order, seen=sample)
        return order, trades

    def cancel(
        self,
        order: Order,
        *,
        now_ms: int,
        mishaps: Mishaps = NO_MISHAPS,
        status: Status = Status.CANCELED,
    ) -> Order:
        """Cancel an open order and release its lock; refuse one that is not open."""
        if order.id not in self._open and not (
            order.id in self._scheduled and order.status.is_open
        ):
            raise errors.unknown_order()
        late_ms = mishaps.fills_after_cancel_ms
        self._scheduled.pop(order.id, None)
        with self.store.transaction():
            self.pending.unschedule(order.id)
            if late_ms is None:
                canceled = self._end(order, status, at_ms=now_ms)
            else:
                # What is about to fill after all stays locked until then.
                canceled = dataclasses.replace(order, status=status, updated_ms=now_ms)
                self.store.update_order(canceled)
                price = order.price or self.price(order.symbol, now_ms=now_ms)
                remaining = order.quantity - order.executed
                fill = ScheduledFill(order.id, now_ms + late_ms, remaining, price)
                self.pending.schedule(fill)
                self._scheduled[order.id] = canceled, fill
        self._open.pop(order.id, None)
        return canceled

    def expire_orders(self, symbol: str, *, now_ms: int) -> None:
        """End every open order of a market that takes none any more."""
        for order in self.store.open_orders():
            if order.symbol == symbol:
                self.cancel(order, now_ms=now_ms, status=Status.EXPIRED)

    def _end(self, order: Order, status: Status, *, at_ms: int) -> Order:
        asset = locked_asset(order, self.market(order.symbol).instrument)
        ended = dataclasses.replace(order, status=status, locked=_ZERO, updated_ms=at_ms)
        self.store.update_order(ended)
        self.store.move(order.account_id, asset, free=order.locked, locked=-order.locked)
        return ended

    def settle(self, *, now_ms: int) -> None:
        """Fill every open order that the price has met up to now."""
        due = [pair for pair in self._scheduled.values() if pair[1].at_ms <= now_ms]
        for order, fill in due:
            with self.store.transaction():
                self.pending.unschedule(order.id)
                self._execute(order, fill.price, fill.quantity, at_ms=fill.at_ms, is_maker=False)
            del self._scheduled[order.id]
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
            instrument, fill = self.market(order.symbol).instrument, outcome.fill
            order, _ = self._execute(
                order,
                instrument.price_of(fill.price_ticks),
                instrument.quantity_of(fill.lots),
                at_ms=at_ms,
                is_maker=fill.liquidity is Liquidity.MAKER,
            )
        else:
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
        self, order: Order, fill: KernelFill, market: Market, mishaps: Mishaps
    ) -> tuple[Order, tuple[Trade, ...], ScheduledFill | None]:
        instrument = market.instrument
        price, quantity = instrument.price_of(fill.price_ticks), instrument.quantity_of(fill.lots)
        needed = price * quantity if order.side is Side.BUY else quantity
        order = self._keep(self._lock(order, needed, instrument))
        at_ms, lot = order.created_ms, instrument.lot
        now = quantity
        if mishaps.first_share is not None:
            now = quantity * mishaps.first_share // lot * lot
        elif mishaps.leaves_dust:
            now = quantity - lot
        trades: list[Trade] = []
        if now:
            order, trade = self._execute(
                order, price, now, at_ms=at_ms, is_maker=False, mishaps=mishaps
            )
            trades.append(trade)
        if now == quantity:
            return order, tuple(trades), None
        if mishaps.leaves_dust:
            return self._end(order, Status.EXPIRED, at_ms=at_ms), tuple(trades), None
        later = ScheduledFill(order.id, mishaps.later_at(at_ms), quantity - now, price)
        self.pending.schedule(later)
        return order, tuple(trades), later

    def _accept_resting(self, order: Order, kernel: KernelOrder, market: Market) -> Order:
        instrument = market.instrument
        needed = order.quantity
        if order.side is Side.BUY:
            needed *= instrument.price_of(book.highest_cost(kernel, market.costs))
        return self._keep(self._lock(order, needed, instrument))

    def _lock(self, order: Order, needed: Decimal, instrument: Instrument) -> Order:
        asset = locked_asset(order, instrument)
        if self.store.balance(order.account_id, asset).free < needed:
            raise errors.insufficient_balance()
        self.store.move(order.account_id, asset, free=-needed, locked=needed)
        return dataclasses.replace(order, locked=needed)

    def _keep(self, order: Order) -> Order:
        return dataclasses.replace(order, id=self.store.add_order(order))

    def _execute(
        self,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        *,
        at_ms: int,
        is_maker: bool,
        mishaps: Mishaps = NO_MISHAPS,
    ) -> tuple[Order, Trade]:
        """Turn what *order* has locked into what it bought or sold, less the fee."""
        instrument = self.market(order.symbol).instrument
        worth = price * quantity
        is_buy = order.side is Side.BUY
        paid, received = (worth, quantity) if is_buy else (quantity, worth)
        received_asset = instrument.base if is_buy else instrument.quote
        executed = order.executed + quantity
        is_done = executed == order.quantity
        released = order.locked - paid if is_done else _ZERO
        asset = locked_asset(order, instrument)
        self.store.move(order.account_id, asset, free=released, locked=-paid - released)
        fee_asset, fee = self._fee(order, received_asset, received, worth, mishaps, at_ms)
        self.store.move(order.account_id, received_asset, free=received)
        self.store.move(order.account_id, fee_asset, free=-fee)
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
            fee_asset=fee_asset,
            is_maker=is_maker,
            at_ms=at_ms,
        )
        trade = dataclasses.replace(trade, id=self.store.add_trade(trade))
        filled = dataclasses.replace(
            order,
            status=Status.FILLED if is_done else Status.PARTIALLY_FILLED,
            locked=order.locked - paid - released,
            executed=executed,
            quote_executed=order.quote_executed + worth,
            updated_ms=at_ms,
        )
        self.store.update_order(filled)
        return filled, trade

    def _fee(
        self,
        order: Order,
        received_asset: str,
        received: Decimal,
        worth: Decimal,
        mishaps: Mishaps,
        now_ms: int,
    ) -> tuple[str, Decimal]:
        """Return the asset and the amount of a fee: a third asset's if a mishap wants it so."""
        if mishaps.fee_asset:
            quote = self.market(order.symbol).instrument.quote
            symbol = mishaps.fee_asset + quote
            price = self.price(symbol, now_ms=now_ms) if symbol in self.markets else Decimal(1)
            fee = (worth * mishaps.fee_rate / price).quantize(_QUANTUM, rounding=ROUND_DOWN)
            if self.store.balance(order.account_id, mishaps.fee_asset).free >= fee:
                return mishaps.fee_asset, fee
        return received_asset, (received * FEE_RATE).quantize(_QUANTUM, rounding=ROUND_DOWN)

    def _watch(self, order: Order, *, seen: int) -> None:
        kernel = book.kernel_order(order, self.market(order.symbol).instrument)
        self._open[order.id] = _Watched(order, kernel, seen)
