"""The futures exchange: taking orders and stops, canceling them, and the settings of an account.

Instants are arguments; prices come from the contracts alone. Methods raise ``ApiError`` for what a
client did wrong, and commit before they return.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Final

from exchanges.simulator.errors import ApiError, unknown_order
from exchanges.simulator.exchange import Exchange
from exchanges.simulator.futures import errors, margin
from exchanges.simulator.futures.contracts import Contract, Contracts
from exchanges.simulator.futures.executing import Executor
from exchanges.simulator.futures.ledger import Ledger
from exchanges.simulator.futures.margin import AccountFigures
from exchanges.simulator.futures.records import (
    HIGHEST_LEVERAGE,
    FuturesOrder,
    FuturesStatus,
    FuturesTrade,
    HeldPosition,
    NewFuturesOrder,
    StopOrder,
    StopStatus,
)
from exchanges.simulator.futures.settling import Settler, touches, watched_prices
from exchanges.simulator.futures.state import AccountState
from exchanges.simulator.instruments import (
    HIGHEST_PRICE_RATIO,
    LOWEST_PRICE_RATIO,
    MAX_OPEN_ORDERS,
    MAX_STOP_ORDERS,
)
from exchanges.simulator.mishaps import NO_MISHAPS, Mishaps, Pending, ScheduledFill
from exchanges.simulator.recordings import sample_of
from market.enums import Side

_ZERO: Final = Decimal(0)
FUTURES_PROTOCOL: Final = "futures"


class FuturesExchange:
    """All contracts and the accounts that trade them."""

    def __init__(self, spot: Exchange, *, funding_ms: int) -> None:
        """Open the futures on the prices and in the file of *spot*."""
        database = spot.store.database
        self.spot = spot
        self.ledger = Ledger(database)
        self.pending = Pending(database, FUTURES_PROTOCOL)
        self.contracts = Contracts(spot, self.ledger, funding_ms=funding_ms)
        self._executor = Executor(self.ledger, self.contracts, self.pending)
        self._settler = Settler(self._executor)

    @property
    def has_work(self) -> bool:
        """Whether the passing of time can do anything."""
        return self._settler.has_work

    def settle(self, *, now_ms: int) -> None:
        """Let everything happen that happens up to now."""
        self._settler.settle(sample_of(now_ms))

    def fund(self, account_id: int, balances: Mapping[str, Decimal], *, now_ms: int) -> None:
        """Give a new account its first balances."""
        with self.ledger.database.transaction():
            for asset, amount in balances.items():
                self.ledger.deposit(account_id, asset, amount, at_ms=now_ms)

    def figures(self, account_id: int, *, now_ms: int) -> AccountFigures:
        """Return what an account has and needs now."""
        sample = sample_of(now_ms)
        return self._executor.figures(self._settler.state(account_id, sample), sample)

    def place(
        self, account_id: int, new: NewFuturesOrder, *, now_ms: int, mishaps: Mishaps = NO_MISHAPS
    ) -> tuple[FuturesOrder, list[FuturesTrade]]:
        """Accept an order: it fills now, rests or is refused."""
        sample = sample_of(now_ms)
        state = self._settler.state(account_id, sample)
        contract = self._checked(state, new, sample)
        order = FuturesOrder(
            id=0,
            account_id=account_id,
            symbol=new.symbol,
            client_order_id=new.client_order_id,
            side=new.side,
            kind=new.kind,
            time_in_force=new.time_in_force,
            quantity=new.quantity or _ZERO,
            price=new.price,
            reduce_only=new.reduce_only,
            close_position=False,
            status=FuturesStatus.NEW,
            executed=_ZERO,
            quote_executed=_ZERO,
            stop_id=0,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        if order.reduce_only and not self._executor.fillable(state, order):
            raise errors.reduce_only_refused()
        if any(o.client_order_id == order.client_order_id for o in state.orders.values()):
            raise errors.duplicate_client_id()
        if sum(o.symbol == contract.symbol for o in state.orders.values()) >= MAX_OPEN_ORDERS:
            raise errors.too_many_orders()
        with self._changing(state):
            return self._executor.send(state, order, sample, mishaps)

    def place_stop(
        self, account_id: int, new: NewFuturesOrder, *, now_ms: int, mishaps: Mishaps = NO_MISHAPS
    ) -> StopOrder:
        """Accept a conditional order; refuse one whose trigger the price has passed."""
        sample = sample_of(now_ms)
        state = self._settler.state(account_id, sample)
        contract = self._checked(state, new, sample)
        if mishaps.funds_gone:
            raise errors.insufficient_margin()
        stop = StopOrder(
            id=0,
            account_id=account_id,
            symbol=new.symbol,
            client_order_id=new.client_order_id,
            side=new.side,
            kind=new.kind,
            time_in_force=new.time_in_force,
            quantity=new.quantity or _ZERO,
            price=new.price,
            trigger_price=new.trigger_price,
            working_type=new.working_type,
            reduce_only=new.reduce_only,
            close_position=new.close_position,
            status=StopStatus.NEW,
            order_id=0,
            created_ms=now_ms,
            updated_ms=now_ms,
            triggered_ms=0,
        )
        now = watched_prices(stop, contract, sample, sample + 1)
        if touches(stop, now).any():
            raise errors.would_trigger()
        if any(o.client_order_id == stop.client_order_id for o in state.stops.values()):
            raise errors.duplicate_client_id()
        if sum(o.symbol == contract.symbol for o in state.stops.values()) >= MAX_STOP_ORDERS:
            raise errors.too_many_orders()
        with self._changing(state):
            stop = replace(stop, id=self.ledger.stops.add(stop))
            self.pending.hide(-stop.id, lookups=mishaps.hidden_lookups)
            state.stops[stop.id] = stop
        return stop

    def cancel(
        self, order: FuturesOrder, *, now_ms: int, mishaps: Mishaps = NO_MISHAPS
    ) -> FuturesOrder:
        """Cancel an open order; refuse one that is not open."""
        sample = sample_of(now_ms)
        state = self._settler.state(order.account_id, sample)
        if order.id not in state.orders:
            raise unknown_order()
        with self._changing(state):
            canceled = self._executor.end(
                state, state.orders[order.id], FuturesStatus.CANCELED, at_ms=now_ms
            )
            if mishaps.fills_after_cancel_ms is not None:
                contract = self.contracts.get(order.symbol)
                price = order.price or contract.price_at(sample)
                at_ms = now_ms + mishaps.fills_after_cancel_ms
                fill = ScheduledFill(order.id, at_ms, canceled.remaining, price)
                self.pending.schedule(fill)
                state.scheduled[order.id] = fill
        return canceled

    def cancel_stop(self, stop: StopOrder, *, now_ms: int) -> StopOrder:
        """Cancel a stop that waits; refuse one that does not."""
        state = self._settler.state(stop.account_id, sample_of(now_ms))
        if stop.id not in state.stops:
            raise unknown_order()
        with self._changing(state):
            return self._executor.end_stop(state, stop, StopStatus.CANCELED, at_ms=now_ms)

    def expire_orders(self, symbol: str, *, now_ms: int) -> None:
        """End every open order of a contract that takes none any more."""
        for state in self._settler.states():
            with self._changing(state):
                self._executor.cancel_all(state, symbol, at_ms=now_ms, status=FuturesStatus.EXPIRED)

    def set_countdown(self, account_id: int, symbol: str, *, wait_ms: int, now_ms: int) -> None:
        """Cancel the orders of a market after *wait_ms* unless this is called again; 0 disarms."""
        self.contracts.get(symbol)
        state = self._settler.state(account_id, sample_of(now_ms))
        with self._changing(state):
            at_ms = now_ms + wait_ms if wait_ms else None
            self.ledger.set_countdown(account_id, symbol, at_ms)
        state.countdowns.pop(symbol, None)
        if at_ms is not None:
            state.countdowns[symbol] = at_ms

    def set_leverage(self, account_id: int, symbol: str, leverage: int, *, now_ms: int) -> Decimal:
        """Set the leverage of a market; return the largest notional that it allows."""
        if not 1 <= leverage <= HIGHEST_LEVERAGE:
            raise errors.bad_leverage(leverage)
        sample = sample_of(now_ms)
        contract = self.contracts.get(symbol)
        state = self._settler.state(account_id, sample)
        position = self._executor.position(state, symbol)
        notional = abs(position.quantity) * contract.mark_at(sample)
        if leverage > margin.bracket_of(notional).leverage:
            raise errors.leverage_too_high()
        if position.quantity and position.is_isolated and leverage < position.leverage:
            raise errors.lower_leverage_refused()
        self._set(state, replace(position, leverage=leverage))
        return max(b.cap for b in margin.BRACKETS if b.leverage >= leverage)

    def set_margin_type(self, account_id: int, symbol: str, *, isolated: bool, now_ms: int) -> None:
        """Let a market use the whole wallet, or only what is set aside for its position."""
        self.contracts.get(symbol)
        state = self._settler.state(account_id, sample_of(now_ms))
        position = self._executor.position(state, symbol)
        if position.is_isolated == isolated:
            raise errors.no_change_of_margin()
        if any(order.symbol == symbol for order in state.orders.values()):
            raise errors.margin_with_orders()
        if position.quantity:
            raise errors.margin_with_position()
        self._set(state, replace(position, is_isolated=isolated))

    def fix_funding_rate(self, symbol: str, rate: Decimal) -> None:
        """Pay this rate from now on instead of the one that is made up."""
        self.contracts.get(symbol)
        with self.ledger.database.transaction():
            self.ledger.fix_rate(symbol, rate)

    def _set(self, state: AccountState, position: HeldPosition) -> None:
        with self._changing(state):
            self.ledger.positions.put(position)
        state.positions[position.symbol] = position

    @contextmanager
    def _changing(self, state: AccountState) -> Iterator[None]:
        """Commit one change of an account, or take it back as a whole."""
        try:
            with self.ledger.database.transaction():
                self._executor.keep(state)
                yield
        except BaseException:
            self._settler.reload(state)
            raise

    def _checked(self, state: AccountState, new: NewFuturesOrder, sample: int) -> Contract:
        contract = self.contracts.get(new.symbol)
        instrument = contract.instrument
        if not instrument.is_listed:
            raise errors.contract_closed()
        price = contract.price_at(sample)
        for given in (new.price, new.trigger_price):
            if given:
                _refuse_as(errors.off_tick(), instrument.ticks_of, given)
        if new.price and not LOWEST_PRICE_RATIO <= new.price / price <= HIGHEST_PRICE_RATIO:
            raise errors.price_out_of_band()
        if new.quantity is None:
            return contract
        _refuse_as(errors.off_step(), instrument.lots_of, new.quantity)
        worth = new.quantity * (new.price or new.trigger_price or price)
        if not new.reduce_only and worth < instrument.smallest_notional:
            raise errors.too_small(instrument.smallest_notional)
        position = self._executor.position(state, new.symbol)
        signed = new.quantity if new.side is Side.BUY else -new.quantity
        notional = abs(position.quantity + signed) * price
        if not new.reduce_only and position.leverage > margin.bracket_of(notional).leverage:
            raise errors.leverage_too_high()
        return contract


def _refuse_as(refusal: ApiError, read: Callable[[Decimal], int], number: Decimal) -> None:
    """Raise *refusal* for a number that does not lie on the grid that *read* knows."""
    try:
        read(number)
    except ApiError:
        raise refusal from None
