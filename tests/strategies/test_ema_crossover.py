"""The EMA crossover as specified."""

import numpy as np

from market.candles import Candles
from market.timeframes import HOUR_MS, Timeframe
from strategies.definitions import ema_crossover
from strategies.definitions.ema_crossover import Params
from strategies.rules import SizingMode
from strategies.views import MarketView

PARAMS = Params(short_ema_period=2, long_ema_period=5)


def view_of(closes):
    rows = [(i * HOUR_MS, c, c, c, c, 1.0) for i, c in enumerate(map(float, closes))]
    return MarketView(Candles.from_rows(rows), Timeframe.H1)


def test_defaults_and_warm_up_are_the_published_ones():
    params = Params()

    assert params.model_dump() == {
        "short_ema_period": 10,
        "long_ema_period": 20,
        "risk_per_trade_percent": 1.0,
        "stop_loss_percent": 2.0,
        "take_profit_percent": 4.0,
        "direction": "BOTH",
        "leverage": 1,
        "max_trades_per_day": 0,
        "cooldown_bars": 0,
    }
    assert ema_crossover.requirements(params).warm_up_bars == 100


def test_a_cross_up_enters_long_and_leaves_short_and_the_other_way_round():
    signals = ema_crossover.signals(view_of([10, 10, 10, 10, 10, 10, 12, 14, 13, 8, 5, 5]), PARAMS)

    assert np.flatnonzero(signals.enter_long).tolist() == [6]
    assert np.flatnonzero(signals.exit_short).tolist() == [6]
    assert np.flatnonzero(signals.enter_short).tolist() == [9]
    assert np.flatnonzero(signals.exit_long).tolist() == [9]


def test_nothing_is_said_before_both_averages_exist_on_two_bars():
    signals = ema_crossover.signals(view_of([10, 9, 8, 9, 30, 40, 50]), PARAMS)

    assert signals.ready.tolist() == [False] * 5 + [True] * 2
    assert not signals.enter_long[:5].any()


def test_no_candles_no_signals():
    assert len(ema_crossover.signals(view_of([]), PARAMS)) == 0


def test_rules_carry_the_percents_and_size_by_risk():
    rules = ema_crossover.rules(Params(stop_loss_percent=3, risk_per_trade_percent=2))

    assert (rules.stop_percent, rules.target_percent, rules.size) == (3.0, 4.0, 2.0)
    assert rules.sizing is SizingMode.RISK
    assert not rules.compounding


def test_overlays_are_the_two_averages():
    fast, slow = ema_crossover.overlays(view_of(range(1, 9)), PARAMS)

    assert (fast.name, slow.name) == ("EMA 2", "EMA 5")
    assert slow.values[4:].tolist() == [3, 4, 5, 6]
