"""How working orders meet the next bar: in backtests, paper trading and the simulator exchange.

A bar says where the price began, how far it went and where it ended, not in which order. Where it
does not say, the worse case for the order's owner is assumed:

* market orders fill at the open, moved against us by slippage and half of the spread;
* a limit fills at its price, or at the open if the bar begins beyond it; a stop triggers at its
  price, or at the open if the bar begins beyond it, and then slips like a market order;
* an entry that fills gets its stop and target at once, anchored on the price that it got and sized
  to what it got; both are reduce-only and one cancels the other;
* what is reached at the open happens first; after it, a stop comes before a target;
* an entry that fills after the open may still be stopped out in the same bar, but not reach its
  target;
* prices are rounded to ticks against us: up for a buyer, down for a seller.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from market.costs import STEP_SLACK, Costs
from market.enums import Leg, Liquidity, OrderType, Side
from market.orders import KernelFill, KernelOrder


class Bar(NamedTuple):
    """One closed bar; ``open_time`` in milliseconds UTC, prices in quote, ``volume`` in base."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0

    @classmethod
    def at_price(cls, open_time: int, price: float) -> "Bar":
        """Return a bar with this one price, for matching against a quote."""
        return cls(open_time, price, price, price, price)


class MatchResult(NamedTuple):
    """What a bar did: fills in their order, what still works, what was canceled or expired."""

    fills: tuple[KernelFill, ...]
    working: tuple[KernelOrder, ...]
    canceled: tuple[KernelOrder, ...]


_NOTHING = MatchResult((), (), ())


def match(working: Sequence[KernelOrder], bar: Bar, costs: Costs) -> MatchResult:
    """Return what *bar* does to the *working* orders of one position.

    Orders rest from the bar after the one at whose close they were created, so *working* holds what
    existed before *bar*.
    """
    if not working:
        return _NOTHING
    meeting = _Meeting(working, bar, costs)
    meeting.meet_the_open()
    meeting.meet_the_rest()
    return meeting.result()


def bracket(
    *,
    entry_side: Side,
    lots: int,
    average_price: float,
    stop_percent: float,
    target_percent: float,
    costs: Costs,
    key: str = "",
) -> tuple[KernelOrder, ...]:
    """Return the stop and the target that protect an entry of *lots* filled at *average_price*.

    Percents are from the average fill price, 0 for none. Levels are rounded away from the entry: a
    loss is never booked smaller and a profit never reached sooner than asked.
    """
    orders = []
    sign = 1 if entry_side is Side.BUY else -1
    exit_side = entry_side.opposite
    if stop_percent > 0:
        level = average_price * (1 - sign * stop_percent / 100)
        ticks = costs.ticks_down(level) if sign > 0 else costs.ticks_up(level)
        if ticks > 0:
            kind = OrderType.STOP_LOSS
            orders.append(
                KernelOrder(
                    Leg.STOP, exit_side, kind, lots, ticks, reduce_only=True, reason="STOP", key=key
                )
            )
    if target_percent > 0:
        level = average_price * (1 + sign * target_percent / 100)
        ticks = costs.ticks_up(level) if sign > 0 else costs.ticks_down(level)
        if ticks > 0:
            kind = OrderType.LIMIT
            orders.append(
                KernelOrder(
                    Leg.TARGET,
                    exit_side,
                    kind,
                    lots,
                    ticks,
                    reduce_only=True,
                    reason="TARGET",
                    key=key,
                )
            )
    return tuple(orders)


class _Meeting:
    """The book of one position while one bar passes over it."""

    def __init__(self, working: Sequence[KernelOrder], bar: Bar, costs: Costs) -> None:
        self._bar = bar
        self._costs = costs
        self._open = bar.open / costs.tick_size
        self._high = bar.high / costs.tick_size
        self._low = bar.low / costs.tick_size
        self._book = list(working)
        self._new: list[KernelOrder] = []
        self._fills: list[KernelFill] = []
        self._canceled: list[KernelOrder] = []

    def meet_the_open(self) -> None:
        """Fill what the first price fills: market orders, then what it has jumped over."""
        for order in self._still_working(kinds={OrderType.MARKET}):
            self._execute(order, self._bar.open, at_open=True)
        for order in self._stops_then_limits(self._book):
            if self._is_reached(order, self._open, self._open):
                self._reach(order, at_open=True)
        # What was attached just now lives through the whole bar.
        self._book += self._new
        self._new = []

    def meet_the_rest(self) -> None:
        """Fill what is reached after the open: exits, stops first; then entries and their stops."""
        exits = [order for order in self._book if order.reduce_only]
        entries = [order for order in self._book if not order.reduce_only]
        for order in (*self._stops_then_limits(exits), *self._stops_then_limits(entries)):
            if order in self._book and self._is_reached(order, self._low, self._high):
                self._reach(order, at_open=False)
        attached = self._new
        self._book += attached
        for order in attached:
            if order.leg is Leg.STOP and self._is_reached(order, self._low, self._high):
                # The bar's open came before the entry, so the stop is met at its own price.
                self._execute(order, self._costs.price_of(order.price_ticks), at_open=False)

    def result(self) -> MatchResult:
        working = []
        fresh = set(map(id, self._new))
        for order in self._book:
            if order.expires_after_bars == 0 or id(order) in fresh:
                working.append(order)
            elif order.expires_after_bars == 1:
                self._canceled.append(order)
            else:
                working.append(order._replace(expires_after_bars=order.expires_after_bars - 1))
        return MatchResult(tuple(self._fills), tuple(working), tuple(self._canceled))

    def _still_working(self, kinds: set[OrderType]) -> Iterable[KernelOrder]:
        for order in tuple(self._book):
            if order.kind in kinds and order in self._book:
                yield order

    def _stops_then_limits(self, orders: Sequence[KernelOrder]) -> Iterable[KernelOrder]:
        wanted = tuple(orders)
        for is_limit in (False, True):
            for order in wanted:
                if (order.kind is OrderType.LIMIT) is is_limit and order in self._book:
                    yield order

    def _is_reached(self, order: KernelOrder, low: float, high: float) -> bool:
        """Tell whether prices from *low* to *high* (in ticks) fill a limit or trigger a stop."""
        slack = order.price_ticks * STEP_SLACK
        buys_low = order.side is Side.BUY
        if order.kind is not OrderType.LIMIT:
            buys_low = not buys_low
        return low <= order.price_ticks + slack if buys_low else high >= order.price_ticks - slack

    def _reach(self, order: KernelOrder, *, at_open: bool) -> None:
        level = self._bar.open if at_open else self._costs.price_of(order.price_ticks)
        if order.kind is OrderType.STOP_LOSS_LIMIT:
            slack = order.limit_ticks * STEP_SLACK
            ticks = level / self._costs.tick_size
            beyond = (
                ticks > order.limit_ticks + slack
                if order.side is Side.BUY
                else ticks < order.limit_ticks - slack
            )
            if beyond:
                # Triggered, and the limit was already passed: from the next bar on it rests as a
                # limit order.
                resting = order._replace(
                    kind=OrderType.LIMIT, price_ticks=order.limit_ticks, limit_ticks=0
                )
                self._book.remove(order)
                self._new.append(resting)
                return
        self._execute(order, level, at_open=at_open)

    def _execute(self, order: KernelOrder, reference: float, *, at_open: bool) -> None:
        """Fill *order* near *reference*, a price before slippage; cancel and attach the rest."""
        self._book.remove(order)
        ticks = self._fill_ticks(order, reference)
        price = self._costs.price_of(ticks)
        liquidity = Liquidity.MAKER if order.kind is OrderType.LIMIT else Liquidity.TAKER
        rate = self._costs.fee_rate(liquidity)
        lots = order.lots
        if order.budget > 0:
            lots = min(lots, self._costs.lots_down(order.budget / (price * (1 + rate))))
        if lots <= 0:
            self._canceled.append(order)
            return
        against = price - reference if order.side is Side.BUY else reference - price
        self._fills.append(
            KernelFill(
                leg=order.leg,
                side=order.side,
                kind=order.kind,
                lots=lots,
                price_ticks=ticks,
                fee=self._costs.notional(lots, price) * rate,
                slippage=self._costs.notional(lots, against),
                liquidity=liquidity,
                open_time_ms=self._bar.open_time,
                at_open=at_open,
                reason=order.reason,
                key=order.key,
            )
        )
        if order.reduce_only:
            self._reduce_twins(lots)
        else:
            self._new += bracket(
                entry_side=order.side,
                lots=lots,
                average_price=price,
                stop_percent=order.stop_percent,
                target_percent=order.target_percent,
                costs=self._costs,
                key=order.key,
            )

    def _fill_ticks(self, order: KernelOrder, reference: float) -> int:
        if order.kind is OrderType.LIMIT:
            price = reference
            limit = order.price_ticks
        else:
            price = self._costs.slipped(reference, order.side)
            limit = order.limit_ticks if order.kind is OrderType.STOP_LOSS_LIMIT else 0
        if order.side is Side.BUY:
            ticks = self._costs.ticks_up(price)
            return min(ticks, limit) if limit else ticks
        # Nothing is sold for nothing, however coarse the tick.
        return max(self._costs.ticks_down(price), limit, 1)

    def _reduce_twins(self, lots: int) -> None:
        for twin in [order for order in self._book if order.reduce_only]:
            position = self._book.index(twin)
            if twin.lots > lots:
                self._book[position] = twin._replace(lots=twin.lots - lots)
            else:
                self._canceled.append(self._book.pop(position))
