"""One bar of a deployment on paper: the bar meets its orders first, then the decision is made."""

from typing import Final

from market.enums import Leg
from market.timeframes import to_milliseconds
from strategies.decide import decide, match_position
from strategies.reasons import ReasonCode
from strategies.state import PositionState
from trading.services import paper
from trading.services.books import Book
from trading.services.frames import BarStep, Frame, GroupBar

_REASONS: Final = {Leg.STOP: ReasonCode.STOP_HIT, Leg.TARGET: ReasonCode.TARGET_HIT}


def step(
    book: Book,
    *,
    state: PositionState,
    each: GroupBar,
    frame: Frame,
    no_entry: ReasonCode | None,
) -> BarStep:
    """Return what follows from a bar and its close; *no_entry* is why nothing may be opened."""
    state, hit = _match(book, state, each, frame)
    decision = decide(state, each.signal, each.bar, book.rules, book.costs, no_entry=no_entry)
    if decision.cancels_entry:
        paper.cancel_entry(book.deployment, resting=book.resting(), now=frame.now)
    reason = decision.reason if hit is None or decision.reason.acts else hit
    acted = bool(decision.orders) or hit is not None
    return BarStep(reason, decision.state, decision.orders, acted)


def _match(
    book: Book, state: PositionState, each: GroupBar, frame: Frame
) -> tuple[PositionState, ReasonCode | None]:
    """Let the bar meet the paper orders that were there before it, and book what fills."""
    met = [
        order
        for order in book.resting()
        if order.intent.bar_close_at is not None
        and to_milliseconds(order.intent.bar_close_at) <= each.bar.open_time
    ]
    waiting = {Leg(order.leg): book.to_kernel(order) for order in met}
    state = paper.with_orders(
        state, waiting=waiting, costs=book.costs, leverage=book.rules.leverage
    )
    matched = match_position(state, each.bar, book.rules, book.costs)
    state = matched.state
    if matched.fills or met:
        paper.book(
            book.deployment,
            matching=paper.Matching(each.bar, frame.timeframe, matched, met),
            instrument=book.instrument,
            revision_id=book.revision.pk,
            now=frame.now,
        )
    hit = next((_REASONS[fill.leg] for fill in matched.fills if fill.leg in _REASONS), None)
    return state._replace(awaits_venue=int(bool(book.pending(but=met)))), hit
