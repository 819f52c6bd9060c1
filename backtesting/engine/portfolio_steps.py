"""One bar of many markets that share a wallet, for callers that go from bar to bar.

It is the fold of ``simulate_portfolio`` over a single bar, so that steps made here give the same bits
as a whole run.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtesting.engine.portfolio import entering_markets, market_columns, said_columns
from backtesting.engine.wallets import WalletState
from market.costs import Costs, costs_record
from market.kernel.records import FILL
from market.orders import KernelFill
from strategies.decide import fills_of, rules_record
from strategies.reasons import CODES, ReasonCode, number_of
from strategies.rules import Rules
from strategies.signals import Signals
from strategies.state import PositionState
from strategies.views import UniverseView

_FOREVER: Final = np.iinfo(np.int64).max


class PortfolioStep(NamedTuple):
    """What a bar has led to: the wallet after it, and by market what filled and what was decided.

    A market that has no bar then has no reason.
    """

    state: WalletState
    fills: tuple[tuple[KernelFill, ...], ...]
    reasons: tuple[ReasonCode | None, ...]


def step_portfolio(
    view: UniverseView,
    signals: Signals,
    rules: Rules,
    costs: Sequence[Costs],
    *,
    capital: float,
    state: WalletState,
    goes_on: NDArray[np.bool_],
    no_entry: ReasonCode | None = None,
) -> PortfolioStep:
    """Let one bar of all markets meet what waits, and decide at its close.

    Parameters
    ----------
    view, signals
        Of shape ``(symbols, 1)``; NaN where a market has no bar.
    rules, costs, capital
        As ``simulate_portfolio`` takes them.
    state
        What the bars before have left, ``closes`` included.
    goes_on
        Of each market, whether it has bars behind this one, shape ``(symbols,)``; what is held of
        one that has none is sold at its last close.
    no_entry
        Why nothing may be opened; exits go on.
    """
    from backtesting.engine import portfolio_fold  # noqa: PLC0415 - the compiler loads with it

    if len(view) != 1:
        raise ValueError(f"A step is made over one bar, not over {len(view)}.")
    states = np.concatenate([each.to_record() for each in state.markets])
    market = market_columns(view, None, state.closes, goes_on)
    wanted = np.array(state.wanted)
    idle = (number_of(ReasonCode.NO_SIGNAL), number_of(ReasonCode.WARMING_UP))
    reasons = np.where(signals.ready, *idle).astype(np.uint8)
    fills, owners, count = portfolio_fold.run(
        states,
        wanted,
        market,
        said_columns(signals),
        entering_markets(signals, market[6]),
        rules_record(rules),
        np.concatenate([costs_record(each) for each in costs]),
        0 if no_entry is None else _FOREVER,
        number_of(no_entry or ReasonCode.WARMING_UP),
        False,
        capital,
        0,
        1,
        np.zeros(reasons.shape),
        np.zeros(reasons.shape, dtype=np.int64),
        reasons,
        np.zeros(16, dtype=FILL),
        np.zeros(16, dtype=np.int64),
        0,
    )
    rows = range(len(states))
    return PortfolioStep(
        state=WalletState(
            tuple(PositionState.of_record(states[row : row + 1]) for row in rows),
            tuple(wanted.tolist()),
            tuple(market[4][:, 0].tolist()),
        ),
        fills=tuple(fills_of(fills[:count][owners[:count] == row]) for row in rows),
        reasons=tuple(
            CODES[reasons[row, 0]] if present else None for row, present in enumerate(market[6])
        ),
    )
