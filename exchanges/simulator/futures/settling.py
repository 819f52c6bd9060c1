"""Letting time pass in the futures: what happens to each account, in the order in which it happens.

An account is a row of events, each a function of the prices alone: funding, fills, triggers, late
fills, liquidation, a dead man's switch. The earliest one happens, and the rest is looked at anew.
When anybody looks has no influence, and a restart goes on from the last event that was kept.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

import numpy as np

from exchanges.simulator import book
from exchanges.simulator.errors import ApiError
from exchanges.simulator.futures.contracts import SETTLE, Contract, sample_after
from exchanges.simulator.futures.executing import Executor, kernel_order
from exchanges.simulator.futures.margin import BRACKETS
from exchanges.simulator.futures.records import (
    FuturesKind,
    FuturesOrder,
    FuturesStatus,
    FuturesTimeInForce,
    HeldPosition,
    IncomeKind,
    StopOrder,
    StopStatus,
    WorkingType,
)
from exchanges.simulator.futures.state import AccountState
from exchanges.simulator.mishaps import ScheduledFill
from exchanges.simulator.prices import SAMPLE_MS
from market.enums import Side

_ZERO: Final = Decimal(0)
_QUANTUM: Final = Decimal("0.00000001")
_STRETCH: Final = 4 * 86_400
_FLOORS: Final = np.array([float(bracket.floor) for bracket in BRACKETS])
_RATES: Final = np.array([float(bracket.rate) for bracket in BRACKETS])
_AMOUNTS: Final = np.array([float(bracket.amount) for bracket in BRACKETS])


class _Event(NamedTuple):
    """What happens next: the earliest sample counts, then the rank, then the number."""

    sample: int
    rank: int
    number: int
    subject: "FuturesOrder | StopOrder | ScheduledFill | str"


_FUNDING, _SCHEDULED, _FILL, _TRIGGER, _LIQUIDATION, _COUNTDOWN = range(6)


class Settler:
    """Moves accounts forward in time; everything that it changes, it writes."""

    def __init__(self, executor: Executor) -> None:
        """Go on where the accounts of the ledger were left."""
        self.executor = executor
        self.ledger, self.contracts = executor.ledger, executor.contracts
        self._states: dict[int, AccountState] = {}
        for account_id, seen, funded_ms in self.ledger.accounts():
            state = self._states[account_id] = AccountState(account_id, seen, funded_ms)
            self.reload(state)

    def reload(self, state: AccountState) -> None:
        """Read what is open for an account from the ledger."""
        account_id = state.account_id
        state.orders = {order.id: order for order in self.ledger.open_orders(account_id)}
        state.stops = {stop.id: stop for stop in self.ledger.open_stops(account_id)}
        found = self.ledger.positions.select("account_id = ?", account_id)
        state.positions = {position.symbol: position for position in found}
        state.countdowns = self.ledger.countdowns(account_id)
        scheduled = self.executor.pending.scheduled()
        mine = self.ledger.orders.select("account_id = ?", account_id) if scheduled else []
        state.scheduled = {o.id: scheduled[o.id] for o in mine if o.id in scheduled}

    @property
    def has_work(self) -> bool:
        """Whether the passing of time can do anything."""
        return any(not state.is_idle for state in self._states.values())

    def settle(self, until: int) -> None:
        """Let everything happen that happens up to the sample *until*."""
        for state in self._states.values():
            self._advance(state, until)

    def states(self) -> list[AccountState]:
        """Return every account that ever traded."""
        return list(self._states.values())

    def state(self, account_id: int, until: int) -> AccountState:
        """Return an account, settled up to the sample *until*."""
        state = self._states.get(account_id)
        if state is None:
            state = AccountState(account_id, until, until * SAMPLE_MS)
            self._states[account_id] = state
        self._advance(state, until)
        return state

    # --- the passing of time -------------------------------------------------------------------

    def _advance(self, state: AccountState, until: int) -> None:
        while state.seen < until:
            if state.is_idle:
                state.seen = until
                return
            stop = min(until, state.seen + _STRETCH)
            event = min(self._events(state, stop), default=None, key=lambda found: found[:3])
            if event is None:
                state.seen = stop
                continue
            # What else happens in the same sample is still to be seen.
            state.seen = event.sample - 1
            with self.ledger.database.transaction():
                self._happen(state, event)
                self.executor.keep(state)

    def _events(self, state: AccountState, stop: int) -> Iterator[_Event]:
        """Yield the next event of each kind within the samples ``(seen, stop]``."""
        for scheduled in state.scheduled.values():
            sample = max(sample_after(scheduled.at_ms), state.seen + 1)
            if sample <= stop:
                yield _Event(sample, _SCHEDULED, scheduled.order_id, scheduled)
        for symbol, at_ms in state.countdowns.items():
            sample = max(sample_after(at_ms), state.seen + 1)
            if sample <= stop:
                yield _Event(sample, _COUNTDOWN, 0, symbol)
        for order in state.orders.values():
            if order.id not in state.scheduled:
                yield from self._fill_of(order, state.seen, stop)
        for waiting in state.stops.values():
            yield from self._trigger_of(waiting, state.seen, stop)
        if state.held:
            # What fell due while nothing was held is not paid later.
            paid_ms = max(state.funded_ms, state.seen * SAMPLE_MS)
            funding_ms = self.contracts.next_funding_ms(paid_ms)
            sample = max(sample_after(funding_ms), state.seen + 1)
            if sample <= stop:
                yield _Event(sample, _FUNDING, funding_ms, "")
            yield from self._liquidations(state, stop)

    def _fill_of(self, order: FuturesOrder, seen: int, stop: int) -> Iterator[_Event]:
        contract = self.contracts.get(order.symbol)
        ticks = contract.ticks_between(seen, stop + 1)
        kernel = kernel_order(order, contract)
        outcome = book.meet_path(kernel, start=seen, ticks=ticks, costs=contract.costs)
        if outcome.fill_sample is not None:
            yield _Event(outcome.fill_sample, _FILL, order.id, order)

    def _trigger_of(self, waiting: StopOrder, seen: int, stop: int) -> Iterator[_Event]:
        contract = self.contracts.get(waiting.symbol)
        touched = touches(waiting, watched_prices(waiting, contract, seen + 1, stop + 1))
        if touched.any():
            yield _Event(seen + 1 + int(np.argmax(touched)), _TRIGGER, waiting.id, waiting)

    def _liquidations(self, state: AccountState, stop: int) -> Iterator[_Event]:
        wallet = self.ledger.wallets(state.account_id).get(SETTLE, _ZERO)
        aside = sum((position.isolated_wallet for position in state.held), _ZERO)
        first, last = state.seen + 1, stop + 1
        backing = np.full(last - first, float(wallet - aside))
        needed = np.zeros(last - first)
        is_crossed = False
        for position in state.held:
            marks = self.contracts.get(position.symbol).marks_between(first, last)
            earned = float(position.quantity) * (marks - float(position.entry_price))
            notional = abs(float(position.quantity)) * marks
            place = np.searchsorted(_FLOORS, notional, side="right") - 1
            needs = notional * _RATES[place] - _AMOUNTS[place]
            if position.is_isolated:
                broken = float(position.isolated_wallet) + earned <= needs
                if broken.any():
                    yield _Event(first + int(np.argmax(broken)), _LIQUIDATION, 0, position.symbol)
            else:
                is_crossed = True
                backing += earned
                needed += needs
        broken = backing <= needed
        if is_crossed and broken.any():
            yield _Event(first + int(np.argmax(broken)), _LIQUIDATION, 0, "")

    def _happen(self, state: AccountState, event: _Event) -> None:
        at_ms = event.sample * SAMPLE_MS
        subject = event.subject
        if isinstance(subject, StopOrder):
            self._trigger(state, subject, event.sample)
        elif isinstance(subject, FuturesOrder):
            price = subject.price
            self._fill_resting(state, subject, price, subject.remaining, True, at_ms)
        elif isinstance(subject, ScheduledFill):
            del state.scheduled[subject.order_id]
            self.executor.pending.unschedule(subject.order_id)
            found = self.ledger.orders.find("id = ?", subject.order_id)
            if found is not None:
                self._fill_resting(state, found, subject.price, subject.quantity, False, at_ms)
        elif event.rank == _FUNDING:
            self._fund(state, event.number, event.sample)
        elif event.rank == _COUNTDOWN:
            del state.countdowns[subject]
            self.ledger.set_countdown(state.account_id, subject, None)
            self.executor.cancel_all(state, subject, at_ms=at_ms)
        else:
            self._liquidate(state, subject, event.sample)

    def _fill_resting(
        self,
        state: AccountState,
        order: FuturesOrder,
        price: Decimal,
        quantity: Decimal,
        is_maker: bool,
        at_ms: int,
    ) -> None:
        quantity = min(quantity, self.executor.fillable(state, order))
        if quantity:
            order, _ = self.executor.execute(
                state, order, price, quantity, is_maker=is_maker, at_ms=at_ms
            )
        if order.status.is_open:
            self.executor.end(state, order, FuturesStatus.EXPIRED, at_ms=at_ms)

    def _trigger(self, state: AccountState, stop: StopOrder, sample: int) -> None:
        at_ms = sample * SAMPLE_MS
        draft = FuturesOrder(
            id=0,
            account_id=stop.account_id,
            symbol=stop.symbol,
            client_order_id=stop.client_order_id,
            side=stop.side,
            kind=FuturesKind.LIMIT if stop.kind.has_limit else FuturesKind.MARKET,
            time_in_force=stop.time_in_force,
            quantity=abs(self.executor.position(state, stop.symbol).quantity)
            if stop.close_position
            else stop.quantity,
            price=stop.price,
            reduce_only=stop.reduce_only or stop.close_position,
            close_position=stop.close_position,
            status=FuturesStatus.NEW,
            executed=_ZERO,
            quote_executed=_ZERO,
            stop_id=stop.id,
            created_ms=at_ms,
            updated_ms=at_ms,
        )
        if not self.executor.fillable(state, draft):
            self.executor.end_stop(state, stop, StopStatus.EXPIRED, at_ms=at_ms)
            return
        triggered = replace(stop, triggered_ms=at_ms)
        triggered = self.executor.end_stop(state, triggered, StopStatus.TRIGGERED, at_ms=at_ms)
        try:
            order, _ = self.executor.send(state, draft, sample)
        except ApiError:
            self.executor.end_stop(state, triggered, StopStatus.REJECTED, at_ms=at_ms)
            return
        ended = StopStatus.TRIGGERED if order.status.is_open else StopStatus.FINISHED
        self.ledger.stops.update(replace(triggered, order_id=order.id, status=ended))

    def _fund(self, state: AccountState, funding_ms: int, sample: int) -> None:
        state.funded_ms = funding_ms
        for position in state.held:
            rate = self.contracts.rate_at(position.symbol, funding_ms)
            mark = self.contracts.get(position.symbol).mark_at(sample)
            paid = (position.quantity * mark * rate).quantize(_QUANTUM, rounding=ROUND_HALF_UP)
            kind = IncomeKind.FUNDING_FEE
            self.executor.credit(state.account_id, position.symbol, kind, -paid, funding_ms)

    def _liquidate(self, state: AccountState, symbol: str, sample: int) -> None:
        """Close at the mark price what can no longer be backed; nobody pays more than there is."""
        at_ms = sample * SAMPLE_MS
        self.executor.cancel_all(state, symbol, at_ms=at_ms)
        for position in state.held:
            taken = position.symbol == symbol if symbol else not position.is_isolated
            if not taken:
                continue
            contract = self.contracts.get(position.symbol)
            before = self.ledger.wallets(state.account_id)[SETTLE]
            tick = contract.instrument.tick
            price = max(contract.mark_at(sample) // tick * tick, tick)
            order = self.ledger.add_order(_closing(position, at_ms))
            self.executor.execute(
                state, order, price, abs(position.quantity), is_maker=False, at_ms=at_ms
            )
            lost = before - self.ledger.wallets(state.account_id)[SETTLE]
            if position.is_isolated and lost > position.isolated_wallet:
                missing = lost - position.isolated_wallet
                kind = IncomeKind.INSURANCE_CLEAR
                self.executor.credit(state.account_id, position.symbol, kind, missing, at_ms)
        left = self.ledger.wallets(state.account_id)[SETTLE]
        if left < 0 and not state.held:
            self.executor.credit(state.account_id, symbol, IncomeKind.INSURANCE_CLEAR, -left, at_ms)


def touches(
    stop: StopOrder, prices: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell for each price whether it wakes *stop*."""
    trigger = float(stop.trigger_price)
    waits_for_rise = (stop.side is Side.BUY) != stop.kind.takes_profit
    return prices >= trigger if waits_for_rise else prices <= trigger


def watched_prices(
    stop: StopOrder, contract: Contract, first: int, last: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the prices that *stop* watches in the samples ``[first, last)``."""
    if stop.working_type is WorkingType.MARK_PRICE:
        return contract.marks_between(first, last)
    ticks = contract.ticks_between(first, last)
    return np.asarray(ticks * float(contract.instrument.tick), dtype=np.float64)


def _closing(position: HeldPosition, at_ms: int) -> FuturesOrder:
    return FuturesOrder(
        id=0,
        account_id=position.account_id,
        symbol=position.symbol,
        client_order_id=f"autoclose-{at_ms}",
        side=Side.SELL if position.quantity > 0 else Side.BUY,
        kind=FuturesKind.MARKET,
        time_in_force=FuturesTimeInForce.IOC,
        quantity=abs(position.quantity),
        price=_ZERO,
        reduce_only=True,
        close_position=False,
        status=FuturesStatus.NEW,
        executed=_ZERO,
        quote_executed=_ZERO,
        stop_id=0,
        created_ms=at_ms,
        updated_ms=at_ms,
    )
