"""Deployments that share one wallet among many markets, stepped over the bars of their universe.

As ``stepping`` for one market: everything a decision depends on is read under the deployments' locks.
"""

from collections.abc import Collection, Mapping, Sequence

from billing.selectors import entitlements
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market import money
from market.timeframes import to_milliseconds
from strategies.reasons import ReasonCode
from trading.domain import wallets
from trading.models import ActualState, DeploymentInstrument, DeploymentPosition
from trading.services import (
    entering,
    entry_limits,
    groups,
    intents,
    outcomes,
    universe_books,
    universe_paper,
)
from trading.services.books import Book
from trading.services.frames import GroupBar
from trading.services.members import Member
from trading.services.universe_books import Wallet
from trading.services.universe_frames import MarketStep, UniverseFrame


@transactional
def step_deployments(frame: UniverseFrame, *, deployment_ids: Sequence[int]) -> int:
    """Decide for a batch of deployments at each bar, oldest first; return how many orders follow.

    Raises LeaseLostError, and writes nothing, if somebody else has claimed the group meanwhile.
    """
    groups.require(frame.lease)
    opened = universe_books.open_wallets(
        group_id=frame.lease.group_id,
        instruments=frame.universe.instruments,
        deployment_ids=deployment_ids,
    )
    owners = {wallet.deployment.owner_id for wallet in opened}
    entitled = entitlements.entitled_owners(frame.product, owners, now=frame.now)
    places = [
        entry_limits.place_of(book.deployment, instrument=book.instrument, is_paper=book.is_paper)
        for wallet in opened
        for book in wallet.books
    ]
    refused = entry_limits.look(places, now=frame.now).refused
    changed = [row for wallet in opened for row in _step(wallet, frame, entitled, refused)]
    crashpoint("evaluation.decided")
    every = [book for wallet in opened for book in wallet.books]
    decided = [each for book in every for each in book.decided]
    if decided:
        intents.write(decided, now=frame.now)
        crashpoint("evaluation.intents_written")
        enqueue_on_commit("trading.submit_due_intents")
    DeploymentInstrument.objects.bulk_update(changed, ["marks", "last_bar_close_at"])
    outcomes.write_decisions([row for book in every for row in book.decisions])
    outcomes.begin(
        [
            wallet.deployment.pk
            for wallet in opened
            if wallet.state is not None
            and wallet.is_paper
            and wallet.deployment.actual_state == ActualState.STARTING
        ]
    )
    _note_last_prices(opened, frame)
    return len(decided)


def _step(
    wallet: Wallet,
    frame: UniverseFrame,
    entitled: Collection[int],
    refused: Mapping[tuple[int, int], ReasonCode],
) -> list[DeploymentInstrument]:
    """Step one wallet; return the rows that have to be written."""
    universe = frame.universe
    from_ms = to_milliseconds(wallet.revision.from_bar_at)
    # Rows are only written where something happened: the newest tells how far the wallet is.
    cursors = [book.row.last_bar_close_at for book in wallet.books]
    cursor = max((each for each in cursors if each is not None), default=None)
    last = None
    for index in range(frame.first, frame.end):
        closed_at = universe.closed_at(index)
        if universe.open_ms(index) < from_ms or (cursor is not None and closed_at <= cursor):
            continue
        for row, made in enumerate(_step_bar(wallet, frame, index, entitled, refused)):
            if made is not None:
                _note(wallet.books[row], universe.group_bars(index)[row], made)
        last = closed_at
    if wallet.state is None or last is None:
        return []
    changed = []
    kept = zip(wallet.books, wallet.state.markets, wallet.state.wanted, strict=True)
    for number, (book, state, wanted) in enumerate(kept):
        marks = wallets.marks_of(state, wanted=wanted)
        if number in wallet.touched or book.decided or marks != book.row.marks:
            book.row.marks, book.row.last_bar_close_at = marks, last
            changed.append(book.row)
    return changed


def _step_bar(
    wallet: Wallet,
    frame: UniverseFrame,
    index: int,
    entitled: Collection[int],
    refused: Mapping[tuple[int, int], ReasonCode],
) -> Sequence[MarketStep | None]:
    universe, rows = frame.universe, range(len(wallet.books))
    said = universe.group_bars(index)
    refusals = [
        entering.no_entry(
            Member(book.deployment, book.is_paper, book.deployment.owner.is_active),
            each=said[row],
            timeframe=universe.view.timeframe,
            entitled=entitled,
            now=frame.now,
        )
        or refused.get((book.deployment.pk, book.instrument.pk))
        for row, book in enumerate(wallet.books)
    ]
    # What is refused everywhere is the reason that is given; elsewhere a market is left out.
    everywhere = refusals[0] if len(set(refusals)) == 1 else None
    closed_to = {row for row in rows if refusals[row] is not None and everywhere is None}
    made = universe_paper.step(
        wallet, universe=universe, index=index, no_entry=everywhere, closed_to=closed_to,
        now=frame.now,
    )  # fmt: skip
    return [
        _refused(each, said[row], refusals[row]) if row in closed_to else each
        for row, each in enumerate(made)
    ]


def _refused(
    made: MarketStep | None, each: GroupBar, refusal: ReasonCode | None
) -> MarketStep | None:
    """Return *made* with the refusal as its reason where it would have been an entry."""
    enters = each.reason in {ReasonCode.ENTER_LONG, ReasonCode.ENTER_SHORT}
    if made is None or refusal is None or made.reason is not ReasonCode.NO_SIGNAL or not enters:
        return made
    return made._replace(reason=refusal)


def _note(book: Book, each: GroupBar, made: MarketStep) -> None:
    book.decided += outcomes.decided(
        book.instrument,
        deployment=book.deployment,
        each=each,
        orders=made.orders,
        revision_id=book.revision.pk,
        entry_id=book.entry_id,
        target_step=book.target_step,
    )
    if made.reason is not each.reason:
        own = outcomes.decision(
            book.instrument,
            deployment=book.deployment,
            each=each,
            reason=made.reason,
            revision_id=book.revision.pk,
        )
        book.decisions.append(own)


def _note_last_prices(opened: Sequence[Wallet], frame: UniverseFrame) -> None:
    """Value what is held at the last close of the frame, in one statement for each market held."""
    universe, index = frame.universe, frame.end - 1
    ids = [wallet.deployment.pk for wallet in opened]
    held = DeploymentPosition.objects.filter(deployment_id__in=ids).exclude(quantity=0)
    rows = {instrument.pk: row for row, instrument in enumerate(universe.instruments)}
    changed = []
    for position in held.filter(instrument_id__in=rows).select_for_update().order_by("pk"):
        row = rows[position.instrument_id]
        if universe.is_present(row, index):
            close = universe.bar(row, index).close
            position.last_price = money.quantize_money(money.decimal_of(close))
            position.last_price_at = universe.closed_at(index)
            position.version += 1
            changed.append(position)
    DeploymentPosition.objects.bulk_update(changed, ["last_price", "last_price_at", "version"])
