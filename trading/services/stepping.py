"""Deployments stepped over the bars of their group, a batch in one transaction.

Everything a decision depends on is read under the deployments' locks, so a command or a fill comes
either before a decision or after it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import F

from billing.selectors import entitlements
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market import money
from market.enums import Leg
from market.matching import Bar
from market.orders import KernelOrder
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies.decide import decide, match_position
from strategies.reasons import ReasonCode
from strategies.signals import SignalRow
from strategies.state import PositionState
from trading.domain import kernel, keys, staleness
from trading.models import (
    ActualState,
    Deployment,
    DeploymentDecision,
    DeploymentInstrument,
    DeploymentPosition,
    DesiredState,
    Health,
)
from trading.selectors import markets
from trading.services import books, groups, health, intents, paper
from trading.services.books import Book
from trading.services.groups import GroupLease

if TYPE_CHECKING:
    from exchanges.models import Instrument

_REASONS: Final = {Leg.STOP: ReasonCode.STOP_HIT, Leg.TARGET: ReasonCode.TARGET_HIT}


@dataclass(frozen=True, slots=True)
class GroupBar:
    """A closed bar with what the group's strategy says at its close."""

    bar: Bar
    close_ms: int
    signal: SignalRow
    reason: ReasonCode
    is_newest: bool

    @property
    def closed_at(self) -> datetime:
        """When it closed."""
        return from_milliseconds(self.close_ms)


@dataclass(frozen=True, slots=True)
class Frame:
    """What all deployments of a step have in common; *product* is what gives the right to them."""

    lease: GroupLease
    product: str
    instrument: "Instrument"
    timeframe: Timeframe
    bars: Sequence[GroupBar]
    now: datetime


@transactional
def step_deployments(frame: Frame, *, deployment_ids: Sequence[int]) -> int:
    """Decide for a batch of deployments at each bar, oldest first; return how many orders follow.

    Raises LeaseLostError, and writes nothing, if somebody else has claimed the group meanwhile.
    """
    groups.require(frame.lease)
    opened = books.open_books(
        group_id=frame.lease.group_id, instrument=frame.instrument, deployment_ids=deployment_ids
    )
    owners = {book.deployment.owner_id for book in opened}
    entitled = entitlements.entitled_owners(frame.product, owners, now=frame.now)
    changed = [book.row for book in opened if _step(book, frame, entitled)]
    crashpoint("evaluation.decided")
    decided = [each for book in opened for each in book.decided]
    if decided:
        intents.write(decided, now=frame.now)
        enqueue_on_commit("trading.submit_due_intents")
    DeploymentInstrument.objects.bulk_update(changed, ["marks", "last_bar_close_at"])
    DeploymentDecision.objects.bulk_create(
        [row for book in opened for row in book.decisions], ignore_conflicts=True
    )
    _start_paper(opened)
    _note_last_price(opened, frame)
    for account_id in {book.deployment.account_id for book in opened if book.touches_stop}:
        # The stop has probably filled: ask at once instead of at the next turn.
        enqueue_on_commit("trading.reconcile_account", account_id=account_id)
    return len(decided)


def _step(book: Book, frame: Frame, entitled: Collection[int]) -> bool:
    """Step one deployment; return whether its row has to be written."""
    from_ms = to_milliseconds(book.revision.from_bar_at)
    cursor = book.row.last_bar_close_at
    before = book.row.marks
    acted = False
    for each in frame.bars:
        if each.bar.open_time < from_ms or (cursor is not None and each.closed_at <= cursor):
            continue
        state = book.state or book.begin(each.bar)
        hit = None
        if book.is_paper:
            state, hit = _match(book, state, each, frame)
        no_entry = _no_entry(book, each, frame, entitled)
        reason, state, orders = _decide(book, state, each, frame, no_entry)
        if hit is not None and not reason.acts:
            reason = hit
        book.state = state
        _note_orders(book, each, orders)
        if reason is not each.reason:
            book.decisions.append(_decision(book, each, reason))
        acted = acted or bool(orders) or hit is not None
        book.row.last_bar_close_at = each.closed_at
    if book.state is None:
        return False
    book.row.marks = book.state.memory()
    # A quiet bar costs no write: the group's own cursor tells that it has been seen.
    return acted or book.row.marks != before


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


def _decide(
    book: Book, state: PositionState, each: GroupBar, frame: Frame, no_entry: ReasonCode | None
) -> tuple[ReasonCode, PositionState, tuple[KernelOrder, ...]]:
    if not book.is_paper and not state.awaits_venue:
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
            return reached, state._replace(awaits_venue=1), (close,)
    decision = decide(state, each.signal, each.bar, book.rules, book.costs, no_entry=no_entry)
    if decision.cancels_entry:
        paper.cancel_entry(book.deployment, resting=book.resting(), now=frame.now)
    return decision.reason, decision.state, decision.orders


def _since_entry(book: Book, bar: Bar) -> Bar:
    """Return the part of *bar* that surely came after the entry: of its first bar only the close."""
    if book.opened_at is not None and to_milliseconds(book.opened_at) > bar.open_time:
        return Bar.at_price(bar.open_time, bar.close)
    return bar


def _no_entry(
    book: Book, each: GroupBar, frame: Frame, entitled: Collection[int]
) -> ReasonCode | None:
    """Return why nothing may be opened at this bar; None if it may."""
    deployment = book.deployment
    horizons = settings.HORIZONS
    if not each.is_newest or staleness.is_stale(
        each.closed_at,
        frame.timeframe,
        now=frame.now,
        stale_s=horizons.stale_s,
        cap_s=horizons.stale_timeframe_cap_s,
    ):
        return ReasonCode.DATA_STALE
    if not deployment.owner.is_active:
        return ReasonCode.OWNER_INACTIVE
    if deployment.owner_id not in entitled:
        return ReasonCode.ENTITLEMENT_ENDED
    if deployment.desired_state != DesiredState.RUNNING or _is_unwell(deployment):
        return ReasonCode.ENTRIES_PAUSED
    if deployment.actual_state == ActualState.STARTING and not book.is_paper:
        # Nothing is opened before the account has been compared with the venue once.
        return ReasonCode.ENTRIES_PAUSED
    return None


def _is_unwell(deployment: Deployment) -> bool:
    # Late candles are no reason against the bar that has just ended their absence.
    return deployment.health != Health.OK and deployment.health_code != health.CANDLES_LATE


def _note_orders(book: Book, each: GroupBar, orders: Sequence[KernelOrder]) -> None:
    steps = markets.steps_of(book.instrument)
    for order in orders:
        key = keys.decision_key(
            revision_id=book.revision.pk,
            instrument_id=book.instrument.pk,
            bar_close_ms=each.close_ms,
            leg=order.leg,
        )
        book.decided.append(
            intents.Decided(
                deployment=book.deployment,
                revision_id=book.revision.pk,
                instrument_id=book.instrument.pk,
                key=key,
                values=kernel.to_intent_values(order, steps=steps),
                decided_price=money.decimal_of(each.bar.close),
                bar_close_at=each.closed_at,
                reason=order.reason,
            )
        )


def _decision(book: Book, each: GroupBar, reason: ReasonCode) -> DeploymentDecision:
    return DeploymentDecision(
        owner_id=book.deployment.owner_id,
        deployment=book.deployment,
        revision=book.revision,
        instrument_id=book.instrument.pk,
        bar_close_at=each.closed_at,
        reason=reason.value,
    )


def _start_paper(opened: Sequence[Book]) -> None:
    """A paper deployment runs from its first bar on; there is nothing to compare it with."""
    starting = [
        book.deployment.pk
        for book in opened
        if book.is_paper
        and book.state is not None
        and book.deployment.actual_state == ActualState.STARTING
    ]
    if starting:
        Deployment.objects.filter(pk__in=starting).update(
            actual_state=ActualState.RUNNING, version=F("version") + 1
        )


def _note_last_price(opened: Sequence[Book], frame: Frame) -> None:
    newest = frame.bars[-1]
    DeploymentPosition.objects.filter(
        deployment_id__in=[book.deployment.pk for book in opened], instrument=frame.instrument
    ).exclude(quantity=0).update(
        last_price=money.quantize_money(money.decimal_of(newest.bar.close)),
        last_price_at=newest.closed_at,
        version=F("version") + 1,
    )
