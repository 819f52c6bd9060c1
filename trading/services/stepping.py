"""Deployments stepped over the bars of their group: some shards of it in one transaction.

Everything a decision depends on is read under the deployments' locks, so a command or a fill comes
either before a decision or after it. The shards' cursors move in the same transaction: whatever a
process has not committed when it dies is stepped by the next one, and nothing twice.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Final

from django.db import OperationalError, connection, transaction

from billing.selectors import entitlements
from exchanges.selectors import instruments
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from market import money
from market.timeframes import Timeframe, to_milliseconds
from strategies.reasons import ReasonCode
from trading.models import ActualState, DeploymentDecision, DesiredState
from trading.selectors import usage
from trading.services import (
    books,
    entering,
    entry_limits,
    frames,
    groups,
    health,
    intents,
    live_stepping,
    market_triggers,
    members,
    outcomes,
    paper_books,
    paper_stepping,
)
from trading.services.books import Book
from trading.services.frames import Frame, GroupBar
from trading.services.groups import ShardBehind
from trading.services.intents import Decided
from trading.services.members import Member
from trading.services.outcomes import Remembered
from trading.services.paper_ledger import PaperLedger

#: The sign, because of what the planner knows of quantities themselves it takes it that hardly anybody
#: holds anything, and goes through all prices for each who does.
_NOTE_PRICES: Final = """
    UPDATE trading_deploymentposition SET last_price = newest.price, last_price_at = newest.at,
           version = version + 1
    FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[], %s::timestamptz[])
         AS newest(deployment_id, instrument_id, price, at)
    WHERE trading_deploymentposition.deployment_id = newest.deployment_id
      AND trading_deploymentposition.instrument_id = newest.instrument_id AND sign(quantity) <> 0
"""


_MayEnter = Callable[[Member, GroupBar], ReasonCode | None]
_MayAdd = Callable[[Member], bool]

#: Under these nothing is added to a position either.
_HALTS: Final = frozenset({ReasonCode.TRADING_HALTED, ReasonCode.TRADING_REDUCED})


@dataclass(slots=True)
class _Outcome:
    """What a transaction's steps have led to, to be written for all of them together."""

    decided: list[Decided] = field(default_factory=list)
    decisions: list[DeploymentDecision] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)
    accounts_to_ask: set[int] = field(default_factory=set)
    live: list[tuple[Frame, list[Book]]] = field(default_factory=list)


class UnsteppableError(Exception):
    """Something of ours broke while shards were stepped; nothing of it was kept.

    Which shards these were, and which of their deployments had been taken.
    """

    def __init__(self, shard_ids: Sequence[int], deployment_ids: Collection[int]) -> None:
        super().__init__(list(shard_ids))
        self.shard_ids = shard_ids
        self.deployment_ids = sorted(deployment_ids)


def _everybody(_: int) -> bool:
    return True


@transactional
def step_some(
    *,
    group_ids: Sequence[int],
    most: int,
    now: datetime,
    but: Collection[int] = (),
    takes: Callable[[int], bool] = _everybody,
    is_trial: bool = False,
) -> int | None:
    """Step at most so many shards, *but* those; return how many orders follow, None if none is behind.

    Only deployments that *takes* accepts are stepped; a trial leaves nothing behind. Raises
    UnsteppableError.
    """
    behind = groups.lock_shards_behind(group_ids=group_ids, most=most, but=but)
    if not behind:
        return None
    found: Mapping[int, Sequence[Member]] = {}
    try:
        to_step = _frames_of(behind, now=now)
        found = members.lock_members(to_step, takes=takes)
        orders = _step(to_step, found, now=now)
        groups.shards_are_at(
            [shard.shard_id for shard in behind], to=[shard.seen_to for shard in behind]
        )
    except OperationalError:
        # The database is away, or has chosen another one: what follows would fare no better.
        raise
    except Exception as error:
        taken = {each.deployment.pk for here in found.values() for each in here}
        raise UnsteppableError([shard.shard_id for shard in behind], taken) from error
    if is_trial:
        transaction.set_rollback(True)
    return orders


def _step(to_step: Sequence[Frame], found: Mapping[int, Sequence[Member]], *, now: datetime) -> int:
    entitled = _entitled(to_step, found, now=now)
    for frame in to_step:
        market_triggers.note_move(frame, now=now)
    refused = _refused(to_step, found, now=now)
    outcome = _Outcome()
    may_enter = [partial(_no_entry, each, entitled[each.product], refused) for each in to_step]
    may_add = [partial(_may_add, each, refused) for each in to_step]
    on_paper = [
        (frame, [each for each in found.get(place, ()) if each.is_paper])
        for place, frame in enumerate(to_step)
    ]
    _step_paper(on_paper, may_enter, may_add, outcome, now=now)
    for place, frame in enumerate(to_step):
        at_venue = [each for each in found.get(place, ()) if not each.is_paper]
        _step_live(frame, at_venue, may_enter[place], outcome)
    crashpoint("evaluation.decided")
    _write(outcome, now=now)
    _note_last_prices(to_step, found)
    for each in {each.deployment.pk: each for here in found.values() for each in here}.values():
        if each.deployment.health_code == health.BROKEN:
            health.recover(each.deployment, codes={health.BROKEN}, now=now)
    return len(outcome.decided)


def _frames_of(behind: Sequence[ShardBehind], *, now: datetime) -> list[Frame]:
    """Return what each shard has to be stepped over, by instrument."""
    known = instruments.in_bulk({each["instrument"] for one in behind for each in one.pending})
    found = []
    for shard in behind:
        since_ms = 0 if shard.stepped_to is None else to_milliseconds(shard.stepped_to)
        bars: dict[int, list[GroupBar]] = {}
        for data in shard.pending:
            if since_ms < data["close_ms"] <= to_milliseconds(shard.seen_to):
                bars.setdefault(data["instrument"], []).append(frames.from_json(data))
        found += [
            Frame(
                group_id=shard.group_id,
                shard_id=shard.shard_id,
                product=usage.product_code(shard.strategy),
                instrument=known[instrument_id],
                timeframe=Timeframe(shard.timeframe),
                bars=part,
                now=now,
            )
            for instrument_id, part in sorted(bars.items())
        ]
    return found


def _entitled(
    to_step: Sequence[Frame], found: Mapping[int, Sequence[Member]], *, now: datetime
) -> dict[str, set[int]]:
    """Return by product who has a right to it now; asked only where somebody might enter."""
    owners: dict[str, set[int]] = {frame.product: set() for frame in to_step}
    for place, frame in enumerate(to_step):
        owners[frame.product] |= {each.deployment.owner_id for each in found.get(place, ())}
    return {
        product: entitlements.entitled_owners(product, ids, now=now) if ids else set()
        for product, ids in owners.items()
    }


def _refused(
    to_step: Sequence[Frame], found: Mapping[int, Sequence[Member]], *, now: datetime
) -> Mapping[tuple[int, int], ReasonCode]:
    """Return by deployment and market why trading states and limits forbid entries."""
    places = [
        entry_limits.place_of(each.deployment, instrument=frame.instrument, is_paper=each.is_paper)
        for at, frame in enumerate(to_step)
        for each in found.get(at, ())
    ]
    return entry_limits.look(places, now=now).refused


def _step_paper(
    places: Sequence[tuple[Frame, Sequence[Member]]],
    may_enter: Sequence[_MayEnter],
    may_add: Sequence[_MayAdd],
    outcome: _Outcome,
    *,
    now: datetime,
) -> None:
    ledger = PaperLedger(now=now)
    opened = paper_books.open_paper_books(places)
    for place, (frame, _) in enumerate(places):
        paper_stepping.step(
            frame,
            opened=opened[place],
            no_entry=may_enter[place],
            may_add=may_add[place],
            ledger=ledger,
        )
    ledger.write()
    for book in chain.from_iterable(opened):
        outcome.decided += book.decided
        outcome.decisions += book.decisions
        if book.state is None:
            continue
        marks = book.memory()
        # A quiet bar costs no write: the shard's own cursor tells that it has been seen.
        if book.has_acted or marks != book.marks:
            outcome.remembered.append(Remembered(book.row_id, marks, book.cursor))
        if book.deployment.actual_state == ActualState.STARTING:
            # It runs from its first bar on; there is nothing to compare it with.
            outcome.begun.append(book.deployment.pk)


def _step_live(
    frame: Frame,
    here: Sequence[Member],
    may_enter: _MayEnter,
    outcome: _Outcome,
) -> None:
    if not here:
        return
    by_id = {each.deployment.pk: each for each in here}
    opened = books.open_books(
        group_id=frame.group_id, instrument=frame.instrument, deployment_ids=sorted(by_id)
    )
    live_stepping.prepare(opened)
    outcome.live.append((frame, opened))
    for book in opened:
        before = book.row.marks
        acted = _step_book(book, frame, by_id[book.deployment.pk], may_enter, outcome)
        if book.touches_stop:
            outcome.accounts_to_ask.add(book.deployment.account_id)
        if book.state is None:
            continue
        marks = book.state.memory()
        if acted or marks != before:
            outcome.remembered.append(Remembered(book.row.pk, marks, book.row.last_bar_close_at))


def _step_book(
    book: Book,
    frame: Frame,
    member: Member,
    may_enter: _MayEnter,
    outcome: _Outcome,
) -> bool:
    """Step a deployment at a venue; return whether it has acted."""
    from_ms = to_milliseconds(book.revision.from_bar_at)
    cursor = book.row.last_bar_close_at
    acted = False
    for each in frame.bars:
        if each.bar.open_time < from_ms or (cursor is not None and each.closed_at <= cursor):
            continue
        state = book.state or book.begin(each.bar)
        done = live_stepping.step(
            book, state=state, each=each, frame=frame, no_entry=may_enter(member, each)
        )
        book.state = done.state
        outcome.decided += outcomes.decided(
            frame.instrument,
            deployment=book.deployment,
            each=each,
            orders=done.orders,
            revision_id=book.revision.pk,
            entry_id=book.entry_id,
            target_step=book.target_step,
        )
        if done.reason is not each.reason:
            own = outcomes.decision(
                frame.instrument,
                deployment=book.deployment,
                each=each,
                reason=done.reason,
                revision_id=book.revision.pk,
            )
            outcome.decisions.append(own)
        acted = acted or done.acted
        book.row.last_bar_close_at = each.closed_at
    return acted


def _no_entry(
    frame: Frame,
    entitled: Collection[int],
    refused: Mapping[tuple[int, int], ReasonCode],
    member: Member,
    each: GroupBar,
) -> ReasonCode | None:
    if each is not frame.bars[-1]:
        return ReasonCode.DATA_STALE
    usual = entering.no_entry(
        member, each=each, timeframe=frame.timeframe, entitled=entitled, now=frame.now
    )
    return usual or refused.get((member.deployment.pk, frame.instrument.pk))


def _may_add(frame: Frame, refused: Mapping[tuple[int, int], ReasonCode], member: Member) -> bool:
    """Tell whether a position may be added to: not while the deployment is paused or halted."""
    if member.deployment.desired_state != DesiredState.RUNNING:
        return False
    return refused.get((member.deployment.pk, frame.instrument.pk)) not in _HALTS


@part_of_transaction
def _write(outcome: _Outcome, *, now: datetime) -> None:
    if outcome.decided:
        intents.write(outcome.decided, now=now)
        crashpoint("evaluation.intents_written")
        enqueue_on_commit("trading.submit_due_intents")
    outcomes.remember(outcome.remembered)
    outcomes.write_decisions(outcome.decisions)
    for frame, opened in outcome.live:
        live_stepping.finish(opened, frame=frame)
    outcomes.begin(outcome.begun)
    for account_id in sorted(outcome.accounts_to_ask):
        # The stop has probably filled: ask at once instead of at the next turn.
        enqueue_on_commit("trading.reconcile_account", account_id=account_id)


def _note_last_prices(to_step: Sequence[Frame], found: Mapping[int, Sequence[Member]]) -> None:
    """Value what is held at the newest close, by one statement for all of it."""
    rows = [
        (
            each.deployment.pk,
            frame.instrument.pk,
            money.quantize_money(money.decimal_of(frame.bars[-1].bar.close)),
            frame.bars[-1].closed_at,
        )
        for place, frame in enumerate(to_step)
        for each in found.get(place, ())
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE_PRICES, [list(column) for column in zip(*rows, strict=True)])
