"""No strategy may know the future, and the checks must notice one that does."""

from dataclasses import replace

import numpy as np
import pytest

from market.timeframes import Timeframe
from strategies.causality import Check, check_causality, generated_candles
from strategies.registry import all_definitions, get_definition
from strategies.shapes import Requirements
from strategies.signals import Signals

CANDLES = generated_candles(1_200)
HONEST = get_definition("ema-crossover")


def check(definition):
    return check_causality(definition, definition.default_params(), CANDLES, Timeframe.H1)


def strategy_that_says(enter_long):
    """Return a strategy, warm after 50 bars, that goes long where *enter_long(close)* tells."""

    def signals(view, _params):
        said = enter_long(view.candles.close)
        no = np.zeros(len(said), dtype=np.bool_)
        return Signals(said, no, no, no, ~no)

    return replace(HONEST, signals=signals, requirements=lambda _: Requirements(warm_up_bars=50))


@pytest.mark.parametrize("definition", all_definitions(), ids=lambda each: each.slug)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_strategies_of_the_catalogue_are_causal(definition, seed):
    params = definition.default_params()
    candles = generated_candles(1_200, seed=seed)

    assert check_causality(definition, params, candles, Timeframe.H1) == ()


def test_a_strategy_that_looks_at_the_whole_history_is_caught_by_every_check():
    found = check(strategy_that_says(lambda close: close > close.mean()))

    assert [violation.check for violation in found] == list(Check)
    assert {violation.signal for violation in found} == {"enter_long"}


def test_a_strategy_that_peeks_one_bar_ahead_is_caught_at_the_bar_before_the_cut():
    def rises_next(close):
        return np.append(close[1:] > close[:-1], False)

    found = check(strategy_that_says(rises_next))

    assert [violation.check for violation in found] == [Check.PREFIX, Check.FUTURE]
    first = found[0]
    assert first.open_time_ms == CANDLES.open_time[first.index]
    assert rises_next(CANDLES.close)[first.index]


def test_a_strategy_that_never_forgets_its_beginning_is_caught_by_the_warm_up_check():
    found = check(strategy_that_says(lambda close: close > close[0]))

    assert [violation.check for violation in found] == [Check.WARM_UP]


def test_too_little_history_proves_nothing():
    with pytest.raises(ValueError, match="too few"):
        check_causality(HONEST, HONEST.default_params(), generated_candles(201), Timeframe.H1)


def test_a_strategy_that_does_not_speak_about_every_bar_is_refused():
    silent = strategy_that_says(lambda close: close[:-1] > 0)

    with pytest.raises(ValueError, match="1200 bars got 1199 signals"):
        check(silent)


def test_generated_candles_are_possible_and_repeatable():
    again = generated_candles(1_200)

    assert again.close.tolist() == CANDLES.close.tolist()
    assert (CANDLES.low <= np.minimum(CANDLES.open, CANDLES.close)).all()
    assert (CANDLES.high >= np.maximum(CANDLES.open, CANDLES.close)).all()
