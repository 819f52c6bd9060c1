"""A deployment's life again, through the engine of the backtests: the same bars, parameters and capital.

Each revision is a piece: its rules and its signals, computed since the same anchor, from its first bar to
its last; the position goes on into the next piece. Where a piece ends because the deployment was stopped,
what the replay still holds is valued at the last close: how it was closed is no decision of the strategy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.universes import view_of
from backtesting.engine import SimulationResult, WalletState, simulate, simulate_portfolio
from exchanges.selectors import candles as stored
from market import money
from market.candles import Candles
from market.enums import Side
from market.errors import UnprocessableError
from market.orders import KernelFill
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.rules import Rules
from strategies.selectors import catalogue
from strategies.signals import Signals
from strategies.state import PositionState
from strategies.views import MarketView, UniverseView
from trading.domain import kernel
from trading.domain.drift_trades import Execution
from trading.models import Deployment, DeploymentRevision
from trading.selectors import holdings, markets

if TYPE_CHECKING:
    from exchanges.models import Instrument


class HistoryNotHeldError(UnprocessableError):
    """Candles that the deployment decided on are not stored any more, or not yet."""

    code = "history_not_held"

    def __init__(self, symbol: str, timeframe: Timeframe, *, from_ms: int, to_ms: int) -> None:
        begin, end = (f"{from_milliseconds(each):%Y-%m-%d %H:%M}" for each in (from_ms, to_ms))
        super().__init__(
            f"A replay needs the {timeframe} candles of {symbol} from {begin} to {end} UTC, "
            "and they are not all stored."
        )


class NothingToReplayError(UnprocessableError):
    """No bar has closed since the deployment was started."""

    code = "nothing_to_replay"

    def __init__(self) -> None:
        super().__init__("No bar has closed yet since it was started.")


class CodeChangedError(UnprocessableError):
    """The strategy has other code by now; it would not decide what it decided then."""

    code = "strategy_changed"

    def __init__(self, name: str) -> None:
        super().__init__(f"“{name}” has a new version since: what ran cannot be replayed with it.")


@dataclass(slots=True)
class Replay:
    """What a replay came to: executions, and equity and closes at each bar's close.

    ``closes`` has a row for each of ``symbols``; the last of it are the prices at ``end_ms``.
    """

    symbols: tuple[str, ...]
    begin_ms: int
    end_ms: int = 0
    is_over: bool = False
    executions: list[Execution] = field(default_factory=list)
    times: list[NDArray[np.int64]] = field(default_factory=list)
    equity: list[NDArray[np.float64]] = field(default_factory=list)
    opens: list[NDArray[np.float64]] = field(default_factory=list)
    closes: list[NDArray[np.float64]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Piece:
    revision: DeploymentRevision
    instruments: "Sequence[Instrument]"
    timeframe: Timeframe
    rules: Rules
    view: UniverseView
    signals: Signals
    first: int
    last: int

    @property
    def end_ms(self) -> int:
        return self.timeframe.close_of(int(self.view.open_time[self.last - 1]))


def replay(deployment: Deployment) -> Replay:
    """Return what the bars of *deployment* come to in the engine, up to the last one decided on.

    Raises HistoryNotHeldError, NothingToReplayError or CodeChangedError.
    """
    slug = deployment.strategy_version.strategy.slug
    definition = registry.get_definition(slug)
    if catalogue.version_of_code(definition).pk != deployment.strategy_version_id:
        raise CodeChangedError(deployment.strategy_version.strategy.name)
    instruments = holdings.instruments_of(deployment)
    revisions = [
        each
        for each in DeploymentRevision.objects.filter(deployment=deployment)
        .select_related("group")
        .order_by("number")
        if each.to_bar_at is None or each.to_bar_at > each.from_bar_at
    ]
    pieces = [
        piece
        for revision in revisions
        if (piece := _piece(revision, instruments, slug, Timeframe(deployment.timeframe)))
    ]
    if not pieces:
        raise NothingToReplayError
    done = Replay(
        tuple(each.symbol for each in instruments), to_milliseconds(pieces[0].revision.from_bar_at)
    )
    state: Any = None
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        state = _run(deployment, piece, state, done)
        goes_on = piece.revision.to_bar_at is None or (
            following is not None
            and to_milliseconds(following.revision.from_bar_at) <= piece.end_ms
        )
        state = _renewed(state) if goes_on else _settled(deployment, piece, state, done)
    done.end_ms = pieces[-1].end_ms
    done.is_over = pieces[-1].revision.to_bar_at is not None
    return done


def _piece(
    revision: DeploymentRevision,
    instruments: "Sequence[Instrument]",
    slug: str,
    timeframe: Timeframe,
) -> _Piece | None:
    """Return the bars of a revision with their signals; None if none of them has closed."""
    group = revision.group
    end_at = revision.to_bar_at or group.last_bar_close_at or group.anchor_at
    anchor_ms, end_ms = to_milliseconds(group.anchor_at), to_milliseconds(end_at)
    from_ms = to_milliseconds(revision.from_bar_at)
    if timeframe.close_of(from_ms) > end_ms:
        return None
    histories = [_history(each, timeframe, anchor_ms, from_ms, end_ms) for each in instruments]
    view = view_of([each.symbol for each in instruments], histories, timeframe)
    definition = registry.get_definition(slug)
    params = registry.validate_params(definition, revision.parameters)
    if definition.requirements(params).needs_universe:
        signals = definition.signals(view, params)
    else:
        alone = definition.signals(MarketView(histories[0], timeframe), params)
        signals = Signals(**{name: column[None] for name, column in alone.columns().items()})
    first = int(np.searchsorted(view.open_time, from_ms))
    last = int(np.searchsorted(timeframe.closes_of(view.open_time), end_ms, side="right"))
    if first >= last:
        return None
    rules = kernel.rules_from_json(revision.rules)
    return _Piece(revision, instruments, timeframe, rules, view, signals, first, last)


def _history(
    instrument: "Instrument", timeframe: Timeframe, anchor_ms: int, from_ms: int, end_ms: int
) -> Candles:
    found = stored.load_candles(
        instrument_id=instrument.pk, timeframe=timeframe, from_ms=anchor_ms, to_ms=end_ms
    )
    begins_ms = anchor_ms
    if instrument.listed_at is not None:
        begins_ms = max(begins_ms, to_milliseconds(instrument.listed_at))
    is_short = not len(found) or int(found.open_time[0]) > timeframe.close_of(begins_ms)
    if is_short or timeframe.close_of(int(found.open_time[-1])) < min(end_ms, from_ms):
        raise HistoryNotHeldError(instrument.symbol, timeframe, from_ms=anchor_ms, to_ms=end_ms)
    return found


def _run(deployment: Deployment, piece: _Piece, state: Any, done: Replay) -> Any:
    """Simulate a piece from *state* on; add what it came to to *done* and return the state after it."""
    part = slice(piece.first, piece.last)
    capital = money.float_of(deployment.capital)
    costs = [markets.costs_for(each, deployment.account.venue) for each in piece.instruments]
    columns = [
        np.ascontiguousarray(each[:, part])
        for each in (
            piece.view.open, piece.view.high, piece.view.low, piece.view.close, piece.view.volume
        )
    ]  # fmt: skip
    said = {
        name: np.ascontiguousarray(each[:, part]) for name, each in piece.signals.columns().items()
    }
    times = piece.view.open_time[part]
    if len(piece.instruments) == 1:
        candles = Candles(times, *(each[0] for each in columns))
        alone = Signals(**{name: each[0] for name, each in said.items()})
        result = simulate(
            candles, alone, piece.rules, costs[0], capital=capital, trade_from_ms=0, state=state
        )
        of_market: Sequence[SimulationResult] = (result,)
        equity = result.equity
        after: PositionState | WalletState = result.state
    else:
        view = UniverseView(piece.view.symbols, piece.timeframe, times, *columns)
        together = simulate_portfolio(
            view, Signals(**said), piece.rules, costs, capital=capital, trade_from_ms=0,
            state=state, goes_on=np.ones(len(costs), dtype=np.bool_),
        )  # fmt: skip
        of_market, equity, after = together.of_market, together.equity, together.state
    made = [
        _execution(instrument, fill, piece.timeframe)
        for instrument, one in zip(piece.instruments, of_market, strict=True)
        for fill in one.fills
    ]
    done.executions += sorted(made, key=lambda each: each.at_ms)
    done.times.append(piece.timeframe.closes_of(times))
    done.equity.append(equity)
    done.opens.append(columns[0])
    done.closes.append(columns[3])
    return after


def _execution(instrument: "Instrument", fill: KernelFill, timeframe: Timeframe) -> Execution:
    quantity = money.from_lots(fill.lots, step=instrument.lot_step)
    return Execution(
        symbol=instrument.symbol,
        at_ms=fill.open_time_ms if fill.at_open else timeframe.close_of(fill.open_time_ms),
        side=fill.side,
        quantity=quantity,
        price=money.from_ticks(fill.price_ticks, tick=instrument.tick_size),
        fee=money.quantize_money(money.decimal_of(fill.fee)),
        decided_ms=fill.open_time_ms,
        order=f"{fill.open_time_ms} {fill.leg} {fill.step}",
        ordered=quantity,
    )


def _renewed(state: Any) -> Any:
    """Return *state* without the entries that waited: a new revision takes them back."""
    if isinstance(state, WalletState):
        return state._replace(markets=tuple(_without_entry(each) for each in state.markets))
    return _without_entry(state)


def _without_entry(state: PositionState) -> PositionState:
    return state._replace(entry_side=0)


def _settled(deployment: Deployment, piece: _Piece, state: Any, done: Replay) -> Any:
    """Close what the replay holds at the last close, for nothing, and return the state of flat hands."""
    held = state.markets if isinstance(state, WalletState) else (state,)
    capital = money.float_of(deployment.capital)
    flat = []
    for row, (instrument, market) in enumerate(zip(piece.instruments, held, strict=True)):
        known = piece.view.close[row, : piece.last]
        close = float(known[~np.isnan(known)][-1])
        quantity = money.from_lots(abs(market.lots), step=instrument.lot_step)
        if market.lots:
            done.executions.append(
                Execution(
                    symbol=instrument.symbol,
                    at_ms=piece.end_ms,
                    side=Side.SELL if market.lots > 0 else Side.BUY,
                    quantity=quantity,
                    price=money.decimal_of(close),
                    fee=Decimal(0),
                    decided_ms=piece.end_ms,
                    order=f"{piece.end_ms} end",
                    ordered=quantity,
                )
            )
        worth = market.cash + money.float_of(instrument.lot_step) * market.lots * close
        flat.append(PositionState.fresh(capital)._replace(cash=worth))
    if isinstance(state, WalletState):
        return state._replace(markets=tuple(flat))
    return flat[0]
