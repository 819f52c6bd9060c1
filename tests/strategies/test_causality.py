"""No strategy may know the future, and the checks must notice one that does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.errors import InvalidInputError
from market.timeframes import Timeframe
from strategies.causality import (
    Check,
    History,
    MarketHistory,
    check_causality,
    examine,
    generated_candles,
    generated_universe,
)
from strategies.registry import Definition, all_definitions, definition_of, get_definition
from strategies.shapes import Requirements, StrategyParams
from strategies.signals import Signals
from strategies.telling import speaks, telling_history
from tests.strategies import cheats
from tests.strategies.cheats import short_warm_up, tomorrows_close, unclosed_higher_bar

CANDLES = generated_candles(1_200)
HONEST = get_definition("ema-crossover")
CHEATS = [definition_of(module) for module in cheats.ALL]


def history_for(definition: Definition, params: StrategyParams, *, seed: int = 1) -> History:
    """Return generated bars on which it speaks, more than the checks need at least."""
    needs = definition.requirements(params)
    timeframe = Timeframe.H1 if needs.needs_universe else definition.timeframe
    bars = 2 * needs.bars(timeframe) + 600
    return telling_history(definition, params, timeframe, bars=bars, seed=seed)


def strategy_that_says(enter_long):
    """Return a strategy, warm after 50 bars, that goes long where *enter_long(close)* tells."""

    def signals(view, _params):
        said = enter_long(view.candles.close)
        no = np.zeros(len(said), dtype=np.bool_)
        return Signals(said, no, no, no, ~no)

    return replace(HONEST, signals=signals, requirements=lambda _: Requirements(warm_up_bars=50))


def check(definition):
    return check_causality(definition, definition.default_params(), CANDLES, Timeframe.H1)


class TestHonest:
    @pytest.mark.parametrize("definition", all_definitions(), ids=lambda each: each.slug)
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_strategies_of_the_catalogue_are_causal(self, definition, seed):
        params = definition.default_params()
        history = history_for(definition, params, seed=seed)

        findings = examine(definition, params, history)

        assert [each.violation for each in findings if each.violation] == []
        assert speaks(definition, params, history), "Silence shows nothing."

    @pytest.mark.parametrize("definition", CHEATS, ids=lambda each: each.slug)
    def test_the_honest_twin_of_every_cheat_passes_every_check(self, definition):
        params = definition.params(cheats=False)

        findings = examine(definition, params, history_for(definition, params))

        assert [each.check for each in findings] == list(Check)
        assert [each.violation for each in findings if each.violation] == []
        assert all(each.trials for each in findings)


class TestCheats:
    @pytest.mark.parametrize("definition", CHEATS, ids=lambda each: each.slug)
    @pytest.mark.parametrize("seed", [1, 2])
    def test_each_cheat_is_caught_by_its_checks(self, definition, seed):
        params = definition.default_params()

        findings = examine(definition, params, history_for(definition, params, seed=seed))

        caught = tuple(each.check for each in findings if each.violation)
        assert caught == definition.module.CAUGHT_BY

    def test_every_check_catches_some_cheat(self):
        caught = {check for each in CHEATS for check in each.module.CAUGHT_BY}

        assert caught == set(Check)

    def test_the_evidence_names_bar_time_signal_and_what_was_changed(self):
        definition = definition_of(tomorrows_close)
        found = check_causality(definition, definition.default_params(), CANDLES, Timeframe.H1)

        first = found[0]
        assert first.check is Check.PREFIX
        assert first.signal in {"enter_long", "exit_long"}
        assert first.open_time_ms == CANDLES.open_time[first.index]
        assert first.detail == f"the first {first.index + 1:,} bars alone"
        assert {first.expected, first.told} == {"true", "false"}

    def test_the_evidence_of_an_unclosed_bar_names_its_length(self):
        definition = definition_of(unclosed_higher_bar)
        found = check_causality(definition, definition.default_params(), CANDLES, Timeframe.H1)

        [higher] = [each for each in found if each.check is Check.HIGHER]
        assert "rest of the 4h bar that is unclosed" in higher.detail

    def test_the_evidence_of_a_universe_names_the_symbol(self):
        definition = definition_of(cheats.ranks_of_tomorrow)
        params = definition.default_params()

        findings = examine(definition, params, history_for(definition, params))

        symbols = {each.violation.symbol for each in findings if each.violation}
        assert symbols
        assert all(symbol.startswith("COIN") for symbol in symbols)

    def test_the_evidence_of_a_short_warm_up_is_behind_the_warm_up(self):
        definition = definition_of(short_warm_up)
        [found] = check_causality(definition, definition.default_params(), CANDLES, Timeframe.H1)

        start = int(found.detail.rpartition(" ")[2].replace(",", ""))
        assert found.index >= start + 10


def test_a_strategy_that_never_forgets_its_beginning_is_caught_by_the_warm_up_check():
    found = check(strategy_that_says(lambda close: close > close[0]))

    assert [violation.check for violation in found] == [Check.WARM_UP]


def test_a_column_that_comes_and_goes_with_the_history_is_a_difference():
    def signals(view, _params):
        no = np.zeros(len(view.candles), dtype=np.bool_)
        score = np.ones(len(no)) if len(no) == len(CANDLES) else None
        return Signals(no, no, no, no, ~no, score=score)

    found = check(replace(HONEST, signals=signals))

    assert [each.check for each in found] == [Check.PREFIX, Check.WARM_UP]
    assert {each.signal for each in found} == {"score"}
    assert {each.told for each in found} == {"nothing"}


def test_what_is_left_of_a_seed_in_a_price_is_no_difference_and_a_percent_is():
    def levels(share):
        def signals(view, _params):
            no = np.zeros(len(view.candles), dtype=np.bool_)
            stop = view.candles.close * (1 + share * len(no) / len(CANDLES))
            return Signals(no, no, no, no, ~no, stop_price=stop)

        definition = replace(HONEST, signals=signals)
        return {each.check for each in check(definition)}

    assert Check.WARM_UP not in levels(1e-4)
    assert Check.WARM_UP in levels(0.05)


def test_too_little_history_proves_nothing():
    with pytest.raises(InvalidInputError, match="too few") as caught:
        check_causality(HONEST, HONEST.default_params(), generated_candles(201), Timeframe.H1)
    assert caught.value.code == "too_few_bars"


def test_longer_bars_than_any_do_not_apply():
    candles = generated_candles(900, timeframe=Timeframe.W1)

    findings = examine(HONEST, HONEST.default_params(), MarketHistory(candles, Timeframe.W1))

    assert {each.check: each.trials for each in findings}[Check.HIGHER] == 0


def test_progress_rises_to_one_and_may_stop_the_work():
    seen: list[float] = []
    examine(
        HONEST, HONEST.default_params(), MarketHistory(CANDLES, Timeframe.H1), progress=seen.append
    )

    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(
            HONEST, HONEST.default_params(), MarketHistory(CANDLES, Timeframe.H1), progress=stop
        )


class TestHistories:
    def test_generated_candles_are_possible_and_repeatable(self):
        again = generated_candles(1_200)

        assert again.close.tolist() == CANDLES.close.tolist()
        assert (CANDLES.low <= np.minimum(CANDLES.open, CANDLES.close)).all()
        assert (CANDLES.high >= np.maximum(CANDLES.open, CANDLES.close)).all()

    def test_a_generated_universe_has_a_late_listing_and_a_delisting(self):
        universe = generated_universe(90, symbols=4)

        listed = np.isfinite(universe.close)
        assert listed.sum(axis=1).tolist() == [90, 90, 60, 60]

    @settings(max_examples=30)
    @given(start=st.integers(0, 100), length=st.integers(0, 100), factor=st.floats(0.1, 9))
    def test_bending_changes_only_the_bars_that_are_named(self, start, length, factor):
        candles = generated_candles(200)
        stop = start + length
        bent = MarketHistory(candles, Timeframe.H1).bent(start, stop, np.full(length, factor))
        told = bent.candles

        assert told.open_time is candles.open_time
        for one, other in zip(told.columns()[1:], candles.columns()[1:], strict=True):
            np.testing.assert_array_equal(
                np.delete(one, np.s_[start:stop]), np.delete(other, np.s_[start:stop])
            )
            np.testing.assert_allclose(one[start:stop], other[start:stop] * factor)
