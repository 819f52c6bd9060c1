"""What an order does to an account of the futures: it fills, rests or ends."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from exchanges.simulator import book
from exchanges.simulator.futures import errors, margin
from exchanges.simulator.futures.contracts import SETTLE, Contract, Contracts
from exchanges.simulator.futures.ledger import Ledger
from exchanges.simulator.futures.margin import AccountFigures
from exchanges.simulator.futures.records import (
    FIRST_LEVERAGE,
    MAKER_RATE,
    TAKER_RATE,
    FuturesOrder,
    FuturesStatus,
    FuturesTimeInForce,
    FuturesTrade,
    HeldPosition,
    Income,
    IncomeKind,
    StopOrder,
    StopStatus,
)
from exchanges.simulator.futures.state import AccountState
from exchanges.simulator.mishaps import NO_MISHAPS, Mishaps, Pending, ScheduledFill
from market.enums import Leg, OrderType, Side
from market.orders import KernelOrder

_ZERO: Final = Decimal(0)
_QUANTUM: Final = Decimal("0.00000001")


class Executor:
    """Changes accounts and writes what it changes; the caller commits."""

    def __init__(self, ledger: Ledger, contracts: Contracts, pending: Pending) -> None:
        self.ledger = ledger
        self.contracts = contracts
        self.pending = pending

    def keep(self, state: AccountState) -> None:
        """Remember up to where an account is settled; part of each change of it."""
        self.ledger.mark_seen(state.account_id, seen=state.seen, funded_ms=state.funded_ms)

    def position(self, state: AccountState, symbol: str) -> HeldPosition:
        """Return the position in a market, a flat one if there was none."""
        flat = HeldPosition(state.account_id, symbol, _ZERO, _ZERO, FIRST_LEVERAGE, False, _ZERO, 0)
        return state.positions.get(symbol, flat)

    def figures(
        self, state: AccountState, sample: int, *, more: FuturesOrder | None = None
    ) -> AccountFigures:
        """Work out an account at the marks of a sample, as if *more* were among its orders."""
        orders = state.orders_by_market()
        positions = dict(state.positions)
        for symbol in orders:
            positions.setdefault(symbol, self.position(state, symbol))
        if more is not None:
            orders.setdefault(more.symbol, []).append(more)
            positions.setdefault(more.symbol, self.position(state, more.symbol))
        marks = {symbol: self.contracts.get(symbol).mark_at(sample) for symbol in positions}
        wallet = self.ledger.wallets(state.account_id).get(SETTLE, _ZERO)
        return margin.figure(wallet, positions.values(), orders, marks)

    def send(
        self, state: AccountState, order: FuturesOrder, sample: int, mishaps: Mishaps = NO_MISHAPS
    ) -> tuple[FuturesOrder, list[FuturesTrade]]:
        """Let a new order meet the price of *sample*: it fills, rests or ends. Raise ApiError."""
        contract = self.contracts.get(order.symbol)
        kernel = kernel_order(order, contract)
        ticks = int(contract.ticks_between(sample, sample + 1)[0])
        fill = book.meet_price(kernel, sample=sample, ticks=ticks, costs=contract.costs)
        policy = order.time_in_force
        if fill is not None and policy is FuturesTimeInForce.GTX:
            raise errors.post_only_refused()
        if fill is None and policy is FuturesTimeInForce.FOK:
            raise errors.fill_or_kill_refused()
        self._check_margin(state, order, sample)
        if mishaps.funds_gone:
            raise errors.insufficient_margin()
        order = self.ledger.add_order(order)
        state.orders[order.id] = order
        self.pending.hide(order.id, lookups=mishaps.hidden_lookups)
        self.keep(state)
        if fill is None:
            if policy is FuturesTimeInForce.IOC:
                order = self.end(state, order, FuturesStatus.EXPIRED, at_ms=order.created_ms)
            return order, []
        price = contract.instrument.price_of(fill.price_ticks)
        return self._fill_now(state, order, price, mishaps, contract)

    def _fill_now(
        self,
        state: AccountState,
        order: FuturesOrder,
        price: Decimal,
        mishaps: Mishaps,
        contract: Contract,
    ) -> tuple[FuturesOrder, list[FuturesTrade]]:
        at_ms, lot = order.created_ms, contract.instrument.lot
        now = self.fillable(state, order)
        if mishaps.first_share is not None:
            now = now * mishaps.first_share // lot * lot
        elif mishaps.leaves_dust:
            now = max(now - lot, _ZERO)
        trades = []
        if now:
            order, trade = self.execute(state, order, price, now, is_maker=False, at_ms=at_ms)
            trades.append(trade)
        if order.status.is_open and mishaps.first_share is not None:
            fill = ScheduledFill(order.id, mishaps.later_at(at_ms), order.remaining, price)
            self.pending.schedule(fill)
            state.scheduled[order.id] = fill
        elif order.status.is_open:
            order = self.end(state, order, FuturesStatus.EXPIRED, at_ms=at_ms)
        return order, trades

    def fillable(self, state: AccountState, order: FuturesOrder) -> Decimal:
        """Return how much of an order may fill: a reducing one no more than there is."""
        if not order.reduce_only:
            return order.remaining
        quantity = self.position(state, order.symbol).quantity
        opposite = (quantity > 0) == (order.side is Side.SELL)
        return min(order.remaining, abs(quantity)) if quantity and opposite else _ZERO

    def execute(
        self,
        state: AccountState,
        order: FuturesOrder,
        price: Decimal,
        quantity: Decimal,
        *,
        is_maker: bool,
        at_ms: int,
    ) -> tuple[FuturesOrder, FuturesTrade]:
        """Fill a part of an order: the position, the wallet, the order and the trade."""
        symbol, account_id = order.symbol, order.account_id
        held, realized = margin.fill_position(
            self.position(state, symbol),
            side=order.side,
            quantity=quantity,
            price=price,
            at_ms=at_ms,
        )
        worth = price * quantity
        rate = MAKER_RATE if is_maker else TAKER_RATE
        fee = (worth * rate).quantize(_QUANTUM, rounding=ROUND_HALF_UP)
        trade = FuturesTrade(
            0, order.id, account_id, symbol, order.side, price, quantity, worth, fee, SETTLE,
            realized, is_maker, at_ms,
        )  # fmt: skip
        trade = replace(trade, id=self.ledger.trades.add(trade))
        if realized:
            self.credit(account_id, symbol, IncomeKind.REALIZED_PNL, realized, at_ms)
        self.credit(account_id, symbol, IncomeKind.COMMISSION, -fee, at_ms)
        self.ledger.positions.put(held)
        state.positions[symbol] = held
        executed = order.executed + quantity
        is_done = executed == order.quantity
        order = replace(
            order,
            executed=executed,
            quote_executed=order.quote_executed + worth,
            status=FuturesStatus.FILLED if is_done else FuturesStatus.PARTIALLY_FILLED,
            updated_ms=at_ms,
        )
        self._write(state, order)
        return order, trade

    def end(
        self, state: AccountState, order: FuturesOrder, status: FuturesStatus, *, at_ms: int
    ) -> FuturesOrder:
        """Let an open order work no more."""
        ended = replace(order, status=status, updated_ms=at_ms)
        if state.scheduled.pop(order.id, None) is not None:
            self.pending.unschedule(order.id)
        self._write(state, ended)
        return ended

    def end_stop(
        self, state: AccountState, stop: StopOrder, status: StopStatus, *, at_ms: int
    ) -> StopOrder:
        """Let a stop wait no more."""
        ended = replace(stop, status=status, updated_ms=at_ms)
        self.ledger.stops.update(ended)
        state.stops.pop(stop.id, None)
        return ended

    def _write(self, state: AccountState, order: FuturesOrder) -> None:
        self.ledger.orders.update(order)
        if order.status.is_open:
            state.orders[order.id] = order
            return
        state.orders.pop(order.id, None)
        stop = self.ledger.stops.find("id = ?", order.stop_id) if order.stop_id else None
        if stop is not None and stop.status is StopStatus.TRIGGERED:
            finished = replace(stop, status=StopStatus.FINISHED, updated_ms=order.updated_ms)
            self.ledger.stops.update(finished)

    def credit(
        self, account_id: int, symbol: str, kind: IncomeKind, amount: Decimal, at_ms: int
    ) -> None:
        """Add to the wallet of an account, or take from it."""
        self.ledger.credit(Income(0, account_id, symbol, kind, amount, SETTLE, at_ms))

    def _check_margin(self, state: AccountState, order: FuturesOrder, sample: int) -> None:
        if order.reduce_only:
            return
        before = self.figures(state, sample)
        after = self.figures(state, sample, more=order)
        if after.initial - before.initial > before.available:
            raise errors.insufficient_margin()

    def cancel_all(
        self,
        state: AccountState,
        symbol: str,
        *,
        at_ms: int,
        status: FuturesStatus = FuturesStatus.CANCELED,
    ) -> None:
        """End the orders of a market, stops included; of all markets if *symbol* is empty."""
        for order in list(state.orders.values()):
            if symbol in {"", order.symbol}:
                self.end(state, order, status, at_ms=at_ms)
        for stop in list(state.stops.values()):
            if symbol in {"", stop.symbol}:
                self.end_stop(state, stop, StopStatus(status.value), at_ms=at_ms)


def kernel_order(order: FuturesOrder, contract: Contract) -> KernelOrder:
    """Return what is left of *order* in whole lots and ticks."""
    instrument = contract.instrument
    has_limit = order.kind.has_limit
    return KernelOrder(
        leg=Leg.ENTRY,
        side=order.side,
        kind=OrderType.LIMIT if has_limit else OrderType.MARKET,
        lots=int(order.remaining / instrument.lot),
        price_ticks=int(order.price / instrument.tick) if has_limit else 0,
        limit_ticks=0,
    )
