"""Bars of deployments on paper: each bar meets their orders first, then decisions are made.

All deployments of a shard that meet a bar are stepped by one call of the compiled code that a
backtest folds over.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from foundation.transactions import part_of_transaction
from market.costs import Costs
from market.enums import Leg
from market.orders import WORKING
from strategies.decide import BarOfMany
from strategies.reasons import ReasonCode
from strategies.state import PositionState
from trading.domain.sizing import TradingSteps
from trading.selectors import markets
from trading.services import outcomes, paper
from trading.services.frames import Frame, GroupBar
from trading.services.members import Member
from trading.services.paper_books import PaperBook, PaperOrder, to_kernel_order
from trading.services.paper_ledger import PaperLedger

_REASONS: Final = {Leg.STOP: ReasonCode.STOP_HIT, Leg.TARGET: ReasonCode.TARGET_HIT}


@part_of_transaction
def step(
    frame: Frame,
    *,
    opened: Sequence[PaperBook],
    no_entry: Callable[[Member, GroupBar], ReasonCode | None],
    may_add: Callable[[Member], bool],
    ledger: PaperLedger,
) -> None:
    """Step the books over the bars of their frame; what fills is booked in the *ledger*.

    *no_entry* says why a deployment may open nothing at a bar, if it may not. While it is paused or
    halted it has not *may_add* either: the order of a ladder is off the market until that is over.
    """
    costs = markets.costs_for(frame.instrument, frame.instrument.venue)
    steps = markets.steps_of(frame.instrument)
    for each in frame.bars:
        meeting = [book for book in opened if book.meets(each)]
        if not meeting:
            continue
        met = [book.met_by(each.bar) for book in meeting]
        before = [
            _before(book, orders, each, costs=costs, steps=steps)
            for book, orders in zip(meeting, met, strict=True)
        ]
        many = BarOfMany(
            [
                state if may_add(book.member) else _without_ladder(state)
                for book, state in zip(meeting, before, strict=True)
            ],
            signal=each.signal,
            bar=each.bar,
            rules=[book.rules for book in meeting],
            costs=costs,
            no_entry=[no_entry(book.member, each) for book in meeting],
            awaits=[
                _awaits(book, orders.values()) for book, orders in zip(meeting, met, strict=True)
            ],
        )
        for place, (book, orders) in enumerate(zip(meeting, met, strict=True)):
            state = _follow(book, frame, each, many=many, place=place, met=orders, ledger=ledger)
            book.state = _with_ladder_of(before[place], state)


def _before(
    book: PaperBook,
    met: dict[Leg, PaperOrder],
    each: GroupBar,
    *,
    costs: Costs,
    steps: TradingSteps,
) -> PositionState:
    state = book.state or book.begin(each.bar, steps=steps)
    waiting = {leg: to_kernel_order(order, steps=steps) for leg, order in met.items()}
    return paper.with_orders(state, waiting=waiting, costs=costs, leverage=book.rules.leverage)


def _without_ladder(state: PositionState) -> PositionState:
    return state._replace(ladder_ticks=0, ladder_lots=0)


def _with_ladder_of(before: PositionState, after: PositionState) -> PositionState:
    """Return *after* with the order of the ladder that was there before, if nothing has filled since."""
    is_same = (after.lots, after.targets_done) == (before.lots, before.targets_done)
    if after.ladder_ticks or not is_same:
        return after
    return after._replace(ladder_ticks=before.ladder_ticks, ladder_lots=before.ladder_lots)


def _awaits(book: PaperBook, met: Iterable[PaperOrder]) -> bool:
    """Tell whether entries or exits other than those that the bar has *met* may still fill."""
    left_out = {order.client_order_id for order in met}
    return book.is_awaited or any(
        order.client_order_id not in left_out
        and order.status in WORKING
        and order.leg is not Leg.STOP
        for order in book.orders
    )


def _follow(
    book: PaperBook,
    frame: Frame,
    each: GroupBar,
    *,
    many: BarOfMany,
    place: int,
    met: dict[Leg, PaperOrder],
    ledger: PaperLedger,
) -> PositionState:
    """Take over what a bar and the decision at its close have come to for one deployment; return its state."""
    made = many.fills(place)
    if made or met:
        rests = {leg: many.rests(place, leg) for leg in met}
        ledger.book(book, each=each, made=made, met=met, rests=rests)
    decision = many.decision(place)
    if decision.cancels_entry:
        ledger.cancel_entry(book)
    hit = next((_REASONS[fill.leg] for fill in made if fill.leg in _REASONS), None)
    reason = decision.reason if hit is None or decision.reason.acts else hit
    book.cursor = each.closed_at
    book.has_acted |= bool(decision.orders) or hit is not None
    book.decided += outcomes.decided(
        frame.instrument,
        deployment=book.deployment,
        each=each,
        orders=decision.orders,
        revision_id=book.revision_id,
        entry_id=book.entry_id,
    )
    if reason is not each.reason:
        own = outcomes.decision(
            frame.instrument,
            deployment=book.deployment,
            each=each,
            reason=reason,
            revision_id=book.revision_id,
        )
        book.decisions.append(own)
    return decision.state
