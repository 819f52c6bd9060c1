"""One bar of a deployment whose orders go to a venue: the venue has the fills, we watch the levels."""

from market.enums import Leg
from market.matching import Bar
from market.timeframes import to_milliseconds
from strategies.decide import decide
from strategies.reasons import ReasonCode
from strategies.state import PositionState
from trading.domain import kernel
from trading.services.books import Book
from trading.services.frames import BarStep, GroupBar


def step(
    book: Book, *, state: PositionState, each: GroupBar, no_entry: ReasonCode | None
) -> BarStep:
    """Return what follows from the close of a bar; *no_entry* is why nothing may be opened."""
    if not state.awaits_venue:
        stop, target = book.levels
        rests = book.stop_rests
        book.touches_stop |= rests and kernel.touches_stop(each.bar, lots=state.lots, stop=stop)
        reached = kernel.watched_exit(
            _since_entry(book, each.bar),
            lots=state.lots,
            stop=stop,
            target=target,
            stop_rests=rests,
        )
        if reached is not None:
            leg = Leg.TARGET if reached is ReasonCode.TARGET_HIT else Leg.EXIT
            close = kernel.closing_order(state, leg=leg, reason=reached)
            return BarStep(reached, state._replace(awaits_venue=1), (close,), acted=True)
    decision = decide(state, each.signal, each.bar, book.rules, book.costs, no_entry=no_entry)
    return BarStep(decision.reason, decision.state, decision.orders, acted=bool(decision.orders))


def _since_entry(book: Book, bar: Bar) -> Bar:
    """Return the part of *bar* that surely came after the entry: of its first bar only the close."""
    if book.opened_at is not None and to_milliseconds(book.opened_at) > bar.open_time:
        return Bar.at_price(bar.open_time, bar.close)
    return bar
