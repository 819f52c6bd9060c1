"""One wallet over many markets, in parts: what is carried over makes them one run."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.engine import PortfolioResult, WalletState, simulate_portfolio
from market.enums import InstrumentKind
from market.timeframes import HOUR_MS, Timeframe
from strategies.causality import generated_universe
from strategies.registry import Definition, all_definitions
from strategies.signals import Signals
from strategies.views import UniverseView
from tests.backtesting.test_portfolio import CAPITAL, DEAR, wallets

UNIVERSAL = [each for each in all_definitions() if each.requirements(each.params()).needs_universe]


def run_in_parts(
    view: UniverseView, signals: Signals, rules, cuts: Iterable[int], **more
) -> Sequence[PortfolioResult]:
    """Return the runs of the parts between *cuts*, each begun with what the one before it left."""
    bounds = [0, *cuts, len(view)]
    bars = np.where(np.isnan(view.close), -1, np.arange(len(view)))
    last_bars = bars.max(axis=1)
    stored, results = None, []
    for begin, end in pairwise(bounds):
        part = slice(begin, end)
        result = simulate_portfolio(
            part_of(view, part),
            Signals(**{name: each[:, part] for name, each in signals.columns().items()}),
            rules,
            [DEAR] * len(view.symbols),
            capital=CAPITAL,
            state=None if stored is None else WalletState.from_json(json.loads(stored)),
            goes_on=last_bars >= end,
            funding=funding_of(view)[:, part],
            **more,
        )
        stored = json.dumps(result.state.to_json())
        results.append(result)
    return results


def part_of(view: UniverseView, part: slice) -> UniverseView:
    columns = (view.open, view.high, view.low, view.close, view.volume)
    return UniverseView(
        view.symbols,
        view.timeframe,
        view.open_time[part],
        *(np.ascontiguousarray(column[:, part]) for column in columns),
    )


def funding_of(view: UniverseView):
    due = np.where(view.open_time % (8 * HOUR_MS) == 0, 0.0002, 0.0)
    return np.where(np.isnan(view.close), 0.0, due)


def whole_run(view, signals, rules, **more):
    costs = [DEAR] * len(view.symbols)
    more["funding"] = funding_of(view)
    return simulate_portfolio(view, signals, rules, costs, capital=CAPITAL, **more)


def assert_same(parts: Sequence[PortfolioResult], whole: PortfolioResult) -> None:
    """Every kernel record, bit for bit."""
    begins = np.cumsum([0, *(len(part.equity) for part in parts[:-1])]).tolist()
    for row, expected in enumerate(whole.of_market):
        fills = []
        for begin, part in zip(begins, parts, strict=True):
            own = part.of_market[row].fill_columns.copy()
            own["bar"] += begin
            fills.append(own)
        assert np.concatenate(fills).tobytes() == expected.fill_columns.tobytes()
        for name in ("reasons", "position"):
            told = np.concatenate([getattr(part.of_market[row], name) for part in parts])
            assert told.tobytes() == getattr(expected, name).tobytes()
    assert np.concatenate([part.equity for part in parts]).tobytes() == whole.equity.tobytes()
    assert parts[-1].state == whole.state


@settings(max_examples=40, deadline=None)
@given(wallet=wallets(), data=st.data())
def test_a_run_split_in_two_with_the_state_carried_over_is_one_run(wallet, data):
    view, signals, rules = wallet
    cut = data.draw(st.integers(1, len(view) - 1))

    parts = run_in_parts(view, signals, rules, [cut], trade_from_ms=0)

    assert_same(parts, whole_run(view, signals, rules, trade_from_ms=0))


@pytest.mark.parametrize("definition", UNIVERSAL, ids=lambda each: each.slug)
def test_bar_by_bar_with_the_state_through_json_gives_the_same_records(definition: Definition):
    params = definition.default_params()
    warm_up = definition.requirements(params).bars(Timeframe.H1)
    view = generated_universe(warm_up + 400)
    signals = definition.signals(view, params)
    rules = replace(definition.rules(params), max_open_positions=3)
    rules = rules.for_market(InstrumentKind.LINEAR_SWAP, Timeframe.H1)
    start = int(view.open_time[warm_up])

    steps = run_in_parts(view, signals, rules, range(1, len(view)), trade_from_ms=start)

    whole = whole_run(view, signals, rules, trade_from_ms=start)
    assert_same(steps, whole)
    assert len(whole.trades) > 20


def test_a_strategy_that_looks_at_many_markets_is_among_those_that_are_stepped():
    assert UNIVERSAL


def test_positions_of_another_version_are_refused():
    stored = WalletState.fresh(CAPITAL, 2).to_json()
    stored["markets"][1]["version"] = 0

    with pytest.raises(ValueError, match="version 0"):
        WalletState.from_json(stored)
