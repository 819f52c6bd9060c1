"""The simulation against a reference written apart from it, and its own promises."""

import csv
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from backtesting.engine import SimulationStopped, data_fingerprint, simulate
from market.candles import Candles
from market.costs import Costs
from market.enums import Direction, ExitReason, InstrumentKind
from market.matching import Bar
from market.orders import KernelFill
from market.timeframes import HOUR_MS, Timeframe
from strategies.causality import generated_candles
from strategies.decide import decide, match_position
from strategies.reasons import CODES, ReasonCode
from strategies.registry import get_definition, validate_params
from strategies.rules import Rules, SizingMode
from strategies.signals import Signals
from strategies.state import PositionState
from strategies.views import MarketView
from tests.backtesting import reference

EMA = get_definition("ema-crossover")
TICK, STEP = Decimal("0.01"), Decimal("0.00001")
COSTS = Costs(
    maker_fee_bps=2,
    taker_fee_bps=10,
    slippage_bps=5,
    spread_bps=2,
    tick_size=0.01,
    lot_step=0.00001,
    minimum_notional=5,
)
SETTINGS = reference.Settings(maker_bps=Decimal(2), taker_bps=Decimal(10), slip_bps=Decimal(6))
SHIPPED = Path(__file__).parents[2] / "exchanges" / "sample_data" / "binance"


def shipped(symbol, timeframe):
    """Return candles that come with the platform."""
    with (SHIPPED / symbol / f"{timeframe}.csv").open() as lines:
        rows = list(csv.reader(lines))[1:]
    values = np.array([row[1:6] for row in rows], dtype=np.float64)
    times = np.array([row[0] for row in rows], dtype=np.int64)
    return Candles(times, *(np.ascontiguousarray(column) for column in values.T))


def run_ema(candles, kind, costs=COSTS, capital=10_000.0, **params):
    chosen = validate_params(EMA, params)
    first = EMA.requirements(chosen).warm_up_bars
    return simulate(
        candles,
        EMA.signals(MarketView(candles, Timeframe.H1), chosen),
        EMA.rules(chosen).for_market(kind, Timeframe.H1),
        costs,
        capital=capital,
        trade_from_ms=int(candles.open_time[first]),
    )


HISTORIES = {
    "generated, seed 1": lambda: generated_candles(4_000, seed=1),
    "generated, seed 2": lambda: generated_candles(4_000, seed=2),
    "BTC/USDT 4h": lambda: shipped("BTC-USDT", "4h"),
    "SOL/USDT 4h": lambda: shipped("SOL-USDT", "4h"),
    "BTC/USDT 1h": lambda: shipped("BTC-USDT", "1h"),
    "ETH/USDT 5m": lambda: shipped("ETH-USDT", "5m"),
}


class TestAgainstTheReference:
    @pytest.mark.parametrize("name", HISTORIES)
    @pytest.mark.parametrize("kind", [InstrumentKind.SPOT, InstrumentKind.LINEAR_SWAP])
    @pytest.mark.parametrize("stop_and_target", [(2.0, 4.0), (0.3, 0.5), (1.0, 400.0)])
    def test_every_trade_and_the_equity_agree(self, name, kind, stop_and_target):
        candles = HISTORIES[name]()
        stop, target = stop_and_target
        result = run_ema(candles, kind, stop_loss_percent=stop, take_profit_percent=target)

        settings = replace(
            SETTINGS,
            stop=Decimal(str(stop)),
            target=Decimal(str(target)),
            shorts=kind is not InstrumentKind.SPOT,
        )
        rounds, equity = reference.run(candles.rows(), 100, settings)

        trades = result.to_trades(tick=TICK, step=STEP)
        closed = [trade for trade in trades if not trade.is_open]
        assert len(closed) == len(rounds) > 0
        for trade, row, expected in zip(closed, result.trades, rounds, strict=False):
            assert (trade.direction is Direction.LONG) == (expected.sign > 0)
            assert (row.entry_index, row.exit_index) == (expected.entry_bar, expected.exit_bar)
            assert trade.quantity == expected.quantity
            assert (trade.entry_price, trade.exit_price) == (expected.entry, expected.exit)
            assert trade.exit_reason.value == expected.why
            assert float(trade.pnl) == pytest.approx(float(expected.pnl), abs=1e-7)
        assert result.final_equity == pytest.approx(float(equity), abs=1e-6)

    def test_it_trades_each_way_and_ends_for_each_reason(self):
        result = run_ema(generated_candles(4_000, seed=1), InstrumentKind.LINEAR_SWAP)

        assert {trade.direction for trade in result.trades} == set(Direction)
        assert {trade.exit_reason for trade in result.trades} >= {
            ExitReason.STOP,
            ExitReason.TARGET,
            ExitReason.SIGNAL,
        }


class TestPromises:
    def test_the_same_input_gives_the_same_records_bit_for_bit(self):
        candles = generated_candles(2_000)

        one, two = (run_ema(candles, InstrumentKind.LINEAR_SWAP) for _ in range(2))

        assert (one.fills, one.trades, one.state) == (two.fills, two.trades, two.state)
        assert one.equity.tobytes() == two.equity.tobytes()

    def test_later_bars_change_nothing_that_came_before(self):
        candles = generated_candles(1_500)
        whole = run_ema(candles, InstrumentKind.LINEAR_SWAP)

        part = run_ema(candles.slice(0, 900), InstrumentKind.LINEAR_SWAP)

        assert part.equity.tolist() == whole.equity[:900].tolist()
        assert part.reasons.tolist() == whole.reasons[:900].tolist()
        assert part.fills == whole.fills[: len(part.fills)]

    def test_one_bar_at_a_time_with_the_state_through_json_gives_the_same_records(self):
        candles = generated_candles(1_500)
        params = EMA.default_params()
        rules = EMA.rules(params).for_market(InstrumentKind.LINEAR_SWAP, Timeframe.H1)
        whole = run_ema(candles, InstrumentKind.LINEAR_SWAP)
        signals = EMA.signals(MarketView(candles, Timeframe.H1), params)

        stored = PositionState.fresh(10_000.0).to_json()
        fills: list[KernelFill] = []
        for index, row in enumerate(candles.rows()):
            bar, state = Bar(*row), PositionState.from_json(stored)
            state, filled = match_position(state, bar, rules, COSTS)
            fills += filled
            early = ReasonCode.WARMING_UP if index < 100 else None
            decision = decide(state, signals.row(index), bar, rules, COSTS, no_entry=early)
            assert decision.reason is CODES[whole.reasons[index]]
            stored = decision.state.to_json()

        assert tuple(fills) == whole.fills
        assert PositionState.from_json(stored) == whole.state

    def test_nothing_is_entered_during_warm_up(self):
        candles = generated_candles(1_000)

        result = run_ema(candles, InstrumentKind.LINEAR_SWAP)

        assert result.start_index == 100
        assert not result.position[:101].any()
        assert result.equity[:101].tolist() == [10_000.0] * 101

    def test_equity_is_what_trades_earned_plus_what_is_open(self):
        for seed in range(5):
            result = run_ema(generated_candles(1_000, seed=seed), InstrumentKind.LINEAR_SWAP)

            earned = sum(trade.pnl for trade in result.trades)
            assert result.final_equity == pytest.approx(10_000 + earned, abs=1e-7)

    def test_a_spot_run_is_never_short_and_never_spends_what_it_does_not_have(self):
        candles = generated_candles(4_000, seed=7)
        costs = replace(COSTS, slippage_bps=50)

        result = run_ema(
            candles, InstrumentKind.SPOT, costs, risk_per_trade_percent=10, stop_loss_percent=0.5
        )

        cash = result.equity - result.position * costs.lot_step * candles.close
        assert result.position.min() == 0
        assert cash.min() >= -1e-6


def flat_signals(count, **bars):
    columns = {
        name: np.zeros(count, dtype=np.bool_)
        for name in ("enter_long", "enter_short", "exit_long", "exit_short")
    }
    for name, indexes in bars.items():
        columns[name][indexes] = True
    return Signals(**columns, ready=np.ones(count, dtype=np.bool_))


def candles_of(*bars):
    return Candles.from_rows([(i * HOUR_MS, *bar, 1.0) for i, bar in enumerate(bars)])


class TestTrades:
    FREE = replace(COSTS, maker_fee_bps=0, taker_fee_bps=0, slippage_bps=0, spread_bps=0)
    RULES = Rules(
        stop_percent=10, target_percent=20, sizing=SizingMode.FIXED_BASE, size=1, short_allowed=True
    )

    def simulate(self, candles, signals, costs=FREE, **more):
        return simulate(
            candles, signals, self.RULES, costs, capital=1_000.0, trade_from_ms=0, **more
        )

    def test_a_signal_fills_at_the_next_open(self):
        candles = candles_of((99, 99, 99, 99), (100, 102, 98, 101), (101, 106, 97, 105))

        (trade,) = self.simulate(candles, flat_signals(3, enter_long=[0])).trades

        assert (trade.entry_index, trade.entry_price) == (1, pytest.approx(100))

    def test_a_trade_open_at_the_end_is_marked_and_listed(self):
        candles = candles_of((99, 99, 99, 99), (100, 102, 98, 101), (101, 106, 97, 105))
        costs = replace(self.FREE, taker_fee_bps=10)

        result = self.simulate(candles, flat_signals(3, enter_long=[0]), costs)

        (trade,) = result.to_trades(tick=TICK, step=STEP)
        assert trade.is_open
        assert trade.exit_reason is ExitReason.END_OF_DATA
        assert (trade.exit_price, trade.fees, trade.pnl) == (105, Decimal("0.1"), Decimal("4.9"))
        assert result.final_equity == pytest.approx(1_004.9)
        assert result.state.lots == 100_000

    def test_excursions_leave_out_what_came_after_the_exit(self):
        candles = candles_of(
            (99, 99, 99, 99), (100, 104, 97, 101), (101, 108, 99, 105), (103, 200, 50, 60)
        )

        result = self.simulate(candles, flat_signals(4, enter_long=[0], exit_long=[2]))

        (trade,) = result.trades
        assert trade.exit_price == pytest.approx(103)
        assert trade.adverse_excursion == pytest.approx(0.03)
        assert trade.favorable_excursion == pytest.approx(0.08)
        assert (trade.bars, trade.duration_ms) == (2, 2 * HOUR_MS)

    def test_a_reversal_is_two_trades_in_one_bar(self):
        candles = candles_of(*[(100, 100, 100, 100)] * 4)
        signals = flat_signals(4, enter_long=[0], enter_short=[1], exit_long=[1])

        result = self.simulate(candles, signals)

        assert [(t.direction, t.entry_index, t.exit_index) for t in result.trades] == [
            (Direction.LONG, 1, 2),
            (Direction.SHORT, 2, 3),
        ]
        assert [CODES[number] for number in result.reasons] == [
            ReasonCode.ENTER_LONG,
            ReasonCode.REVERSE,
            ReasonCode.HOLD,
            ReasonCode.HOLD,
        ]

    def test_no_bars_is_no_trade(self):
        result = self.simulate(Candles.empty(), flat_signals(0))

        assert (result.trades, result.final_equity) == ((), 1_000.0)

    def test_progress_is_told_and_a_stop_is_obeyed(self):
        candles = candles_of(*[(100, 100, 100, 100)] * 300)
        told: list[float] = []

        self.simulate(candles, flat_signals(300), progress=told.append)

        assert told == sorted(told)
        assert (told[0], told[-1]) == (0, 1)
        with pytest.raises(SimulationStopped):
            self.simulate(candles, flat_signals(300), should_stop=lambda: len(told) > 0)

    @pytest.mark.parametrize("capital", [0.0, -1.0, float("nan")])
    def test_capital_must_be_there(self, capital):
        with pytest.raises(ValueError, match="capital"):
            simulate(
                Candles.empty(),
                flat_signals(0),
                self.RULES,
                COSTS,
                capital=capital,
                trade_from_ms=0,
            )

    def test_signals_must_be_as_many_as_bars(self):
        with pytest.raises(ValueError, match="as many signals"):
            self.simulate(candles_of((1, 1, 1, 1)), flat_signals(2))


class TestDataFingerprint:
    def test_it_follows_every_value(self):
        candles = generated_candles(50)
        changed = Candles.from_rows([*candles.rows()[:-1], (0, 1.0, 1.0, 1.0, 1.0, 1.0)])

        assert data_fingerprint(candles) == data_fingerprint(generated_candles(50))
        assert data_fingerprint(candles) != data_fingerprint(candles.slice(0, 49))
        assert data_fingerprint(candles) != data_fingerprint(changed)

    def test_it_never_changes(self):
        candles = Candles.from_rows([(0, 1.0, 2.0, 0.5, 1.5, 10.0)])

        assert data_fingerprint(candles) == (
            "583ca98178899c1d7d52ad56492e0d64c82b6841dab72ca2d85093cbe33e6082"
        )
