"""One bar of a wallet on paper: every market's bar meets its orders, then all of them are decided on.

It is one step of the fold that a backtest of the universe is made of; the rows follow its fills.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from backtesting.engine import PortfolioStep, WalletState, step_portfolio
from foundation.transactions import part_of_transaction
from market.enums import Leg
from market.matching import Bar
from market.orders import KernelFill
from market.timeframes import to_milliseconds
from strategies.decide import ENTERING, Matched, orders_decided
from strategies.reasons import ReasonCode
from strategies.state import PositionState
from trading.models import Order
from trading.services import paper
from trading.services.books import Book
from trading.services.universe_bars import UniverseBars
from trading.services.universe_books import Wallet
from trading.services.universe_frames import MarketStep, without_entries

_REASONS: Final = {Leg.STOP: ReasonCode.STOP_HIT, Leg.TARGET: ReasonCode.TARGET_HIT}


@part_of_transaction
def step(
    wallet: Wallet,
    *,
    universe: UniverseBars,
    index: int,
    no_entry: ReasonCode | None,
    closed_to: Collection[int],
    now: datetime,
) -> list[MarketStep | None]:
    """Return what follows in each market from a bar and its close, None where it has no bar.

    *no_entry* is why nothing may be opened at all; in the markets of *closed_to* nothing is either.
    """
    bars = [universe.bar(row, index) for row in range(len(wallet.books))]
    before = wallet.state or wallet.begin(bars, universe.closes_before(index))
    met = [_met(book, bar) for book, bar in zip(wallet.books, bars, strict=True)]
    before = before._replace(
        markets=tuple(
            state._replace(awaits_venue=int(bool(book.pending(but=orders))))
            for book, state, orders in zip(wallet.books, before.markets, met, strict=True)
        ),
        closes=universe.closes_before(index),
    )
    view, signals = universe.at(index)
    step = step_portfolio(
        view,
        without_entries(signals, rows=closed_to),
        wallet.rules,
        [book.costs for book in wallet.books],
        capital=wallet.capital,
        state=before,
        goes_on=universe.goes_on(index),
        no_entry=no_entry,
    )
    wallet.state = step.state
    return [
        _market_step(
            wallet, row, universe=universe, bar=bars[row], before=before, step=step, met=met[row],
            now=now,
        )
        for row in range(len(wallet.books))
    ]  # fmt: skip


def _market_step(
    wallet: Wallet,
    row: int,
    *,
    universe: UniverseBars,
    bar: Bar,
    before: WalletState,
    step: PortfolioStep,
    met: list[Order],
    now: datetime,
) -> MarketStep | None:
    book, state = wallet.books[row], step.state.markets[row]
    reason, filled = step.reasons[row], step.fills[row]
    enters = reason in ENTERING
    if filled or (met and reason is not None):
        _book(book, bar, universe, state, enters=enters, filled=filled, met=met, now=now)
    if filled:
        wallet.touched.add(row)
    if reason is None:
        return None
    # A market exit fills at the next bar that there is, so what waits after one has just been made.
    orders = orders_decided(
        state, exits=bool(state.exit_lots), enters=enters, bar=bar, rules=wallet.rules,
        costs=book.costs,
    )  # fmt: skip
    hit = next((_REASONS[fill.leg] for fill in filled if fill.leg in _REASONS), None)
    return MarketStep(reason if hit is None or reason.acts else hit, orders)


def _book(
    book: Book,
    bar: Bar,
    universe: UniverseBars,
    state: PositionState,
    *,
    enters: bool,
    filled: tuple[KernelFill, ...],
    met: list[Order],
    now: datetime,
) -> None:
    # Of what met the bar, this is left: an entry that is as it was, and no exit.
    left = state._replace(entry_side=0 if enters else state.entry_side, exit_lots=0)
    paper.book(
        book.deployment,
        matching=paper.Matching(bar, universe.view.timeframe, Matched(left, filled), met),
        instrument=book.instrument,
        revision_id=book.revision.pk,
        now=now,
    )


def _met(book: Book, bar: Bar) -> list[Order]:
    """Return the orders that rested before *bar* opened."""
    return [
        order
        for order in book.resting()
        if order.intent.bar_close_at is not None
        and to_milliseconds(order.intent.bar_close_at) <= bar.open_time
    ]
