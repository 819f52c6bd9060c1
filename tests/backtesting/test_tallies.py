"""Trials of a sweep are counted together; each is what a whole run comes to, to the last bit."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.domain.backtest import run_backtest
from backtesting.domain.objectives import FIGURES, figures_row
from backtesting.domain.specification import Charges, Specification, Terms
from backtesting.domain.sweep import evaluate
from backtesting.domain.windows import Window
from backtesting.engine import SimulationStopped, tally_fold
from market.candles import Candles
from market.enums import InstrumentKind
from market.errors import PlatformError
from market.timeframes import MINUTE_MS, Timeframe
from strategies import kernel
from strategies.causality import generated_candles
from strategies.definitions import ema_crossover
from strategies.registry import all_definitions, get_definition
from strategies.views import MarketView

SPOT, SWAP = InstrumentKind.SPOT, InstrumentKind.LINEAR_SWAP
EMA = get_definition("ema-crossover")
OF_ONE_MARKET = {
    each.slug: each
    for each in all_definitions()
    if not each.requirements(each.default_params()).needs_universe
}


def specification(definition, candles, *, kind=SPOT, timeframe=Timeframe.H1, **more):
    """Return a run over all of *candles*."""
    terms = Terms(
        instrument_id=1,
        venue="binance",
        symbol="BTC/USDT",
        kind=kind,
        tick_size=Decimal("0.01"),
        lot_step=Decimal("0.00001"),
        minimum_quantity=Decimal(0),
        minimum_notional=Decimal(5),
    )
    first, last = int(candles.open_time[0]), int(candles.open_time[-1])
    return Specification(
        definition=definition,
        params=definition.default_params(),
        terms=terms,
        window=Window(timeframe, first, first, timeframe.close_of(last)),
        capital=Decimal(10_000),
        charges=Charges(Decimal(2), Decimal(10), Decimal(5), Decimal(1)),
        data_version="1",
        **more,
    )


def one_by_one(asked, combinations, candles, **more):
    """Return the figures of an ordinary backtest with each of *combinations*."""
    rows = []
    for params in combinations:
        try:
            done = run_backtest(replace(asked, params=params), candles, **more)
            rows.append(figures_row(done.metrics))
        except PlatformError:
            rows.append(np.full(len(FIGURES), np.nan))
    return np.array(rows)


def same_bits(one, other):
    return np.where(np.isnan(one), 0, one).tobytes() == np.where(
        np.isnan(other), 0, other
    ).tobytes() and np.array_equal(np.isnan(one), np.isnan(other))


def bits_of(signals):
    """Return what *signals* say, bit by bit."""
    columns = (
        (signals.enter_long, kernel.ENTER_LONG),
        (signals.enter_short, kernel.ENTER_SHORT),
        (signals.exit_long, kernel.EXIT_LONG),
        (signals.exit_short, kernel.EXIT_SHORT),
        (~signals.ready, kernel.NOT_READY),
    )
    assert len(signals.columns()) == len(columns)
    return sum(column.astype(np.uint8) * bit for column, bit in columns)


def minutes_within(candles, *, bars):
    """Return the minutes of the first *bars* of *candles*: a walk between their prices."""
    part = candles.slice(0, bars)
    random = np.random.default_rng(5)
    inner = generated_candles(60 * bars, seed=9)
    low, high = np.repeat(part.low, 60), np.repeat(part.high, 60)
    at = np.round(low + random.random(60 * bars) * (high - low), 2)
    opens = at.copy()
    opens[::60], at[59::60] = part.open, part.close
    times = np.repeat(part.open_time, 60) + np.tile(np.arange(60) * MINUTE_MS, bars)
    return replace(
        inner,
        open_time=times,
        open=opens,
        close=at,
        high=np.maximum(opens, at),
        low=np.minimum(opens, at),
    )


class TestTheSameFigures:
    @pytest.mark.parametrize("slug", OF_ONE_MARKET)
    @pytest.mark.parametrize("kind", [SPOT, SWAP])
    def test_of_every_strategy_for_one_market(self, slug, kind):
        definition = OF_ONE_MARKET[slug]
        timeframe = definition.timeframe
        warm_up_bars = definition.requirements(definition.default_params()).bars(timeframe)
        candles = generated_candles(warm_up_bars + 1_500, seed=3, timeframe=timeframe)
        asked = specification(definition, candles, kind=kind, timeframe=timeframe)
        params = definition.default_params()
        combinations = [
            params,
            params.model_copy(update={"direction": "LONG"}),
            params.model_copy(update={"cooldown_bars": 3, "leverage": 3}),
        ]

        found = evaluate(asked, combinations, candles)

        assert np.isfinite(found[:, 0]).all()
        assert same_bits(found, one_by_one(asked, combinations, candles))

    @given(
        pairs=st.lists(st.tuples(st.integers(2, 30), st.integers(31, 200)), min_size=1, max_size=8),
        stop=st.floats(0.1, 5),
        target=st.floats(0.1, 5),
        seed=st.integers(0, 50),
        kind=st.sampled_from([SPOT, SWAP]),
    )
    @settings(max_examples=25, deadline=None)
    def test_of_any_averages_stops_and_targets(self, pairs, stop, target, seed, kind):
        candles = generated_candles(900, seed=seed)
        asked = specification(EMA, candles, kind=kind)
        combinations = [
            ema_crossover.Params(
                short_ema_period=fast,
                long_ema_period=slow,
                stop_loss_percent=stop,
                take_profit_percent=target,
            )
            for fast, slow in pairs
        ]

        found = evaluate(asked, combinations, candles, threads=2)

        assert same_bits(found, one_by_one(asked, combinations, candles))

    def test_where_minutes_inside_the_bars_decide(self):
        candles = generated_candles(400, seed=4)
        asked = specification(EMA, candles, kind=SWAP)
        minutes = minutes_within(candles, bars=300)
        combinations = [
            ema_crossover.Params(stop_loss_percent=stop, take_profit_percent=0.7)
            for stop in (0.5, 0.7)
        ]

        found = evaluate(asked, combinations, candles, detail=minutes)

        assert same_bits(found, one_by_one(asked, combinations, candles, detail=minutes))
        assert not same_bits(found, evaluate(asked, combinations, candles))

    @pytest.mark.parametrize("timeframe", [Timeframe.D1, Timeframe.W1, Timeframe.M15])
    def test_of_other_bars_with_a_hole_in_them(self, timeframe):
        whole = generated_candles(900, seed=6, timeframe=timeframe)
        candles = Candles.concatenate([whole.slice(0, 300), whole.slice(420, 900)])
        asked = specification(EMA, candles, timeframe=timeframe)
        combinations = [ema_crossover.Params(long_ema_period=slow) for slow in (20, 90, 150, 200)]

        found = evaluate(asked, combinations, candles)

        assert same_bits(found, one_by_one(asked, combinations, candles))
        assert np.isnan(found[3]).all()


class TestTheWork:
    def test_a_combination_without_enough_bars_has_no_figures(self):
        candles = generated_candles(150)
        combinations = [ema_crossover.Params(long_ema_period=slow) for slow in (20, 40)]

        found = evaluate(specification(EMA, candles), combinations, candles)

        assert np.isfinite(found[0, 0])
        assert np.isnan(found[1]).all()

    @pytest.mark.parametrize("threads", [1, 3])
    def test_it_tells_how_far_it_is_and_stops_when_asked(self, threads):
        candles = generated_candles(300)
        combinations = [ema_crossover.Params(short_ema_period=fast) for fast in range(2, 18)]
        told: list[int] = []

        def ask():
            return len(told) == 3

        with pytest.raises(SimulationStopped):
            evaluate(
                specification(EMA, candles),
                combinations,
                candles,
                threads=threads,
                progress=told.append,
                should_stop=ask,
            )

        assert len(told) == 3
        assert told[0] == 0

    @pytest.mark.parametrize("slug", [s for s, d in OF_ONE_MARKET.items() if d.says_of_many])
    def test_the_faster_way_says_what_the_signals_say(self, slug):
        definition = OF_ONE_MARKET[slug]
        assert definition.says_of_many is not None
        candles = generated_candles(600)
        view = MarketView(candles, Timeframe.H1)
        params = definition.default_params()

        (said,) = definition.says_of_many(view, [params])

        assert said.tolist() == bits_of(definition.signals(view, params)).tolist()


@given(count=st.integers(0, 3_000), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_sums_are_rounded_as_numpy_rounds_them(count, seed):
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, count) * 10.0 ** random.integers(-8, 8, count)

    assert tally_fold.sum_of(values, count) == values.sum()
