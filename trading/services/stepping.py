"""Deployments stepped over the bars of their group, a batch in one transaction.

Everything a decision depends on is read under the deployments' locks, so a command or a fill comes
either before a decision or after it.
"""

from collections.abc import Collection, Sequence

from django.conf import settings
from django.db.models import F

from billing.selectors import entitlements
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market import money
from market.enums import Leg
from market.orders import KernelOrder
from market.timeframes import to_milliseconds
from strategies.reasons import ReasonCode
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
from trading.services import books, groups, health, intents, live_stepping, paper_stepping
from trading.services.books import Book
from trading.services.frames import Frame, GroupBar


@transactional
def step_deployments(frame: Frame, *, deployment_ids: Sequence[int]) -> int:
    """Decide for a batch of deployments at each bar, oldest first; return how many orders follow.

    Raises LeaseLostError, and writes nothing, if somebody else has claimed the group meanwhile.
    """
    groups.require(frame.lease)
    opened = books.open_books(
        group_id=frame.lease.group_id, instrument=frame.instrument, deployment_ids=deployment_ids
    )
    live_stepping.prepare(opened)
    owners = {book.deployment.owner_id for book in opened}
    entitled = entitlements.entitled_owners(frame.product, owners, now=frame.now)
    changed = [book.row for book in opened if _step(book, frame, entitled)]
    crashpoint("evaluation.decided")
    decided = [each for book in opened for each in book.decided]
    if decided:
        intents.write(decided, now=frame.now)
        crashpoint("evaluation.intents_written")
        enqueue_on_commit("trading.submit_due_intents")
    DeploymentInstrument.objects.bulk_update(changed, ["marks", "last_bar_close_at"])
    DeploymentDecision.objects.bulk_create(
        [row for book in opened for row in book.decisions], ignore_conflicts=True
    )
    live_stepping.finish(opened, frame=frame)
    start_paper([book for book in opened if book.state is not None])
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
        no_entry = no_entry_reason(book, each, frame, entitled)
        if book.is_paper:
            done = paper_stepping.step(book, state=state, each=each, frame=frame, no_entry=no_entry)
        else:
            done = live_stepping.step(book, state=state, each=each, frame=frame, no_entry=no_entry)
        book.state = done.state
        note_orders(book, each, done.orders)
        if done.reason is not each.reason:
            book.decisions.append(decision_of(book, each, done.reason))
        acted = acted or done.acted
        book.row.last_bar_close_at = each.closed_at
    if book.state is None:
        return False
    book.row.marks = book.state.memory()
    # A quiet bar costs no write: the group's own cursor tells that it has been seen.
    return acted or book.row.marks != before


def no_entry_reason(
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


def note_orders(book: Book, each: GroupBar, orders: Sequence[KernelOrder]) -> None:
    """Add *orders* that follow from a bar to what *book* has decided."""
    steps = markets.steps_of(book.instrument)
    for order in orders:
        step = book.target_step if order.leg is Leg.TARGET else 0
        key = keys.decision_key(
            revision_id=book.revision.pk,
            instrument_id=book.instrument.pk,
            bar_close_ms=each.close_ms,
            leg=order.leg,
            step=step,
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
                entry_id=book.entry_id if order.reduce_only else None,
                step=step,
            )
        )


def decision_of(book: Book, each: GroupBar, reason: ReasonCode) -> DeploymentDecision:
    """Return the row that says why a deployment did something else than its group says."""
    return DeploymentDecision(
        owner_id=book.deployment.owner_id,
        deployment=book.deployment,
        revision=book.revision,
        instrument_id=book.instrument.pk,
        bar_close_at=each.closed_at,
        reason=reason.value,
    )


def start_paper(stepped: Sequence[Book]) -> None:
    """Let paper deployments run from their first bar on: there is nothing to compare them with."""
    starting = [
        book.deployment.pk
        for book in stepped
        if book.is_paper and book.deployment.actual_state == ActualState.STARTING
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
