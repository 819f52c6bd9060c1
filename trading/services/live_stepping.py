"""One bar of a deployment whose orders go to a venue: the venue has the fills, we watch the levels.

What real fills have made is put into the state that the kernel decides from, so that entries that
rest, the ladder, targets taken in part and stops that follow the price are decided as in a backtest.
"""

from collections.abc import Sequence
from typing import Final

from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction
from market.enums import Leg, OrderStatus, OrderType, Side
from market.matching import Bar
from market.orders import WORKING, KernelOrder
from market.timeframes import from_milliseconds, to_milliseconds
from strategies.decide import decide
from strategies.reasons import ReasonCode
from strategies.state import PositionState
from trading.domain import brackets, kernel
from trading.domain.brackets import TargetLevel
from trading.models import Fill, Order, OrderIntent
from trading.services import exits, paper, protection, protective_orders, trades
from trading.services.books import Book
from trading.services.frames import BarStep, Frame, GroupBar

#: An entry that fills this soon after a bar's open has filled at its open, as on paper.
_AT_OPEN_MS: Final = 5_000

_REASONS: Final = {Leg.STOP: ReasonCode.STOP_HIT, Leg.TARGET: ReasonCode.TARGET_HIT}

_LEVELS: Final = (
    "stop_ticks",
    "stop_trails",
    "target_ticks",
    "targets_done",
    "last_target_ticks",
    "first_target_ticks",
    "ladder_base",
    "ladder_step",
    "ladder_ticks",
    "ladder_lots",
)


@part_of_transaction
def prepare(opened: Sequence[Book]) -> None:
    """Read the trades behind the open positions of live deployments, all at once."""
    positions = [
        book.position
        for book in opened
        if not book.is_paper and book.position is not None and book.position.quantity
    ]
    if not positions:
        return
    found = trades.of_positions(positions)
    for book in opened:
        if book.position is not None:
            book.trade = found.get(book.position.pk)


@part_of_transaction
def step(
    book: Book,
    *,
    state: PositionState,
    each: GroupBar,
    frame: Frame,
    no_entry: ReasonCode | None,
) -> BarStep:
    """Return what follows from the close of a bar; *no_entry* is why nothing may be opened."""
    hit = None
    if book.state is None:
        state, hit = _with_fills(book, _with_rows(book, state, each), each)
    if not state.awaits_venue:
        book.touches_stop |= book.stop_rests and kernel.touches_stop(
            each.bar, lots=state.lots, stop=book.levels[0]
        )
        reached = _reached(book, state, each)
        if reached is not None:
            return reached
        state = _pass_targets(book, state, each)
        state = _age_remainder(book, state, frame)
    decision = decide(state, each.signal, each.bar, book.rules, book.costs, no_entry=no_entry)
    leaves = any(order.leg is Leg.EXIT for order in decision.orders)
    if decision.cancels_entry:
        _cancel(book, frozenset({Leg.ENTRY}), frame, why="the entry is no longer wanted")
    elif leaves:
        _cancel(book, protection.OPENING, frame, why="the position is being closed")
    reason = decision.reason if hit is None or decision.reason.acts else hit
    return BarStep(reason, decision.state, decision.orders, acted=bool(decision.orders))


@part_of_transaction
def finish(opened: Sequence[Book], *, frame: Frame) -> None:
    """Move the stops that have followed the price, once what was decided is stored."""
    for book in opened:
        state, position = book.state, book.position
        if book.is_paper or state is None or position is None or not state.lots:
            continue
        was = book.bracket_state
        if was is None or (state.stop_ticks, state.targets_done) == (
            was.stop_ticks,
            was.targets_done,
        ):
            continue
        protection.follow(book.deployment, instrument_id=book.instrument.pk, now=frame.now)
        enqueue_on_commit("trading.submit_due_intents")


def _with_rows(book: Book, state: PositionState, each: GroupBar) -> PositionState:
    """Return *state* with what rows tell of protection and of the entry that rests."""
    state = state._replace(awaits_venue=int(_awaits_venue(book)))
    if not state.lots:
        state = brackets.without_protection(state)
        entries = [order for order in book.resting() if order.leg == Leg.ENTRY]
        waiting = {Leg(order.leg): book.to_kernel(order) for order in entries}
        return paper.with_orders(
            state, waiting=waiting, costs=book.costs, leverage=book.rules.leverage
        )
    if book.position is None or book.trade is None:
        return state
    bracket = trades.bracket_of(
        book.deployment, position=book.position, trade=book.trade, marks=book.row.marks
    )
    book.targets = bracket.targets
    levels = {name: getattr(bracket.state, name) for name in _LEVELS}
    state = state._replace(**levels, entered_inside=int(_entered_inside(book, each.bar)))
    book.bracket_state = state
    return state


def _with_fills(
    book: Book, state: PositionState, each: GroupBar
) -> tuple[PositionState, ReasonCode | None]:
    """Return *state* knowing of a trade that ended inside the bar, and which level closed first."""
    row, opened_at = book.position, from_milliseconds(each.bar.open_time)
    if row is None or row.last_price_at is None or row.last_price_at <= opened_at:
        return state, None
    found = Fill.objects.filter(
        deployment=book.deployment,
        instrument=book.instrument,
        order__reduce_only=True,
        venue_at__gte=opened_at,
    )
    closing = list(found.order_by("pk").values_list("order__leg", "order__intent__entry_id"))
    ended = [entry_id for _, entry_id in closing if not state.lots or entry_id != row.entry_id]
    hits = [_REASONS[Leg(leg)] for leg, _ in closing if Leg(leg) in _REASONS]
    return state._replace(was_closed=int(bool(ended))), next(iter(hits), None)


def _awaits_venue(book: Book) -> bool:
    """Tell whether an entry or an exit is on its way; what rests is part of the state."""
    rests = {order.pk for order in book.resting() if order.leg == Leg.ENTRY}
    works = [
        order
        for order in book.orders
        if OrderStatus(order.status) in WORKING and order.pk not in rests
    ]
    rows: list[OrderIntent | Order] = [*book.waiting, *works]
    at_once = book.position is None or not exits.targets_rest(book.position)
    return any(
        row.leg in {Leg.ENTRY, Leg.EXIT}
        or (row.leg == Leg.TARGET and (at_once or row.order_type == OrderType.MARKET))
        for row in rows
    )


def _entered_inside(book: Book, bar: Bar) -> bool:
    """Tell whether the entry filled in the middle of *bar*: what came before it does not count."""
    if book.opened_at is None or book.trade is None:
        return False
    if book.trade.entry.intent.order_type == OrderType.MARKET:
        return False
    return to_milliseconds(book.opened_at) > bar.open_time + _AT_OPEN_MS


def _reached(book: Book, state: PositionState, each: GroupBar) -> BarStep | None:
    """Return the exit at a level that the bar reached and that does not rest at the venue."""
    bar = _since_entry(book, each.bar)
    stop = kernel.watched_exit(
        bar, lots=state.lots, stop=book.levels[0], target=0.0, stop_rests=book.stop_rests
    )
    if stop is not None:
        close = kernel.closing_order(state, leg=Leg.EXIT, reason=stop)
        return BarStep(stop, state._replace(awaits_venue=1), (close,), acted=True)
    passed = [target for target in _watched(book, state, bar) if target.lots]
    if not passed:
        return None
    order = _target_order(book, state, passed, bar)
    book.target_step = passed[-1].step
    return BarStep(ReasonCode.TARGET_HIT, state._replace(awaits_venue=1), (order,), acted=True)


def _watched(book: Book, state: PositionState, bar: Bar) -> list[TargetLevel]:
    """Return the targets that *bar* reached and for which no order stands at the venue."""
    if not state.lots:
        return []
    best = bar.high if state.lots > 0 else bar.low
    standing = {
        each.intent.step
        for each in (book.trade.of_leg(Leg.TARGET) if book.trade is not None else ())
        if each.is_alive
    }
    return [
        target
        for target in book.targets
        if target.step not in standing
        and target.step >= state.targets_done
        and brackets.is_reached(target.ticks, best=best, lots=state.lots, costs=book.costs)
    ]


def _target_order(
    book: Book, state: PositionState, passed: Sequence[TargetLevel], bar: Bar
) -> KernelOrder:
    """Return the order that takes the profit of the targets *passed*.

    At the last one's price or better while the price is still there; what has come back since is
    sold at the market, as a watched level can do no better.
    """
    ticks = passed[-1].ticks
    still_there = brackets.is_reached(ticks, best=bar.close, lots=state.lots, costs=book.costs)
    at_price = still_there and book.position is not None and not exits.targets_rest(book.position)
    return KernelOrder(
        Leg.TARGET,
        Side.SELL if state.lots > 0 else Side.BUY,
        OrderType.LIMIT if at_price else OrderType.MARKET,
        min(sum(target.lots for target in passed), abs(state.lots)),
        price_ticks=ticks if at_price else 0,
        reduce_only=True,
        reason=ReasonCode.TARGET_HIT.value,
    )


def _pass_targets(book: Book, state: PositionState, each: GroupBar) -> PositionState:
    """Go past targets whose part is too little to be sold: reaching them moves the stop all the same."""
    passed = _watched(book, state, _since_entry(book, each.bar))
    if not passed:
        return state
    return state._replace(targets_done=passed[-1].step + 1)


def _age_remainder(book: Book, state: PositionState, frame: Frame) -> PositionState:
    """Count down what is left of an entry that has filled in part, and take it back in time."""
    rests = any(order.leg == Leg.ENTRY for order in book.resting())
    if not state.lots or not rests or not state.entry_bars_left:
        return state
    if state.entry_bars_left == 1:
        _cancel(book, frozenset({Leg.ENTRY}), frame, why="the entry has rested long enough")
    return state._replace(entry_bars_left=state.entry_bars_left - 1)


def _cancel(book: Book, legs: frozenset[Leg], frame: Frame, *, why: str) -> None:
    ids = [order.pk for order in book.resting() if order.leg in legs]
    if ids:
        protective_orders.cancel(book.deployment, order_ids=ids, now=frame.now, why=why)
        enqueue_on_commit("trading.submit_due_intents")


def _since_entry(book: Book, bar: Bar) -> Bar:
    """Return the part of *bar* that surely came after an entry in it: the close alone."""
    since_open_ms = 0
    if book.opened_at is not None:
        since_open_ms = to_milliseconds(book.opened_at) - bar.open_time
    if since_open_ms > _AT_OPEN_MS:
        return Bar.at_price(bar.open_time, bar.close)
    return bar
