"""One wallet over many markets: ranking, limits, delistings, and money that adds up."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.engine import SimulationStopped, simulate, simulate_portfolio
from market.candles import Candles
from market.costs import Costs
from market.enums import ExitReason
from market.timeframes import HOUR_MS, Timeframe
from strategies.reasons import ReasonCode
from strategies.rules import Rules, SizingMode
from strategies.signals import Signals
from strategies.views import UniverseView

FREE = Costs(0, 0, 0, 0, tick_size=0.01, lot_step=0.001, minimum_notional=0)
DEAR = Costs(10, 20, 5, 2, tick_size=0.01, lot_step=0.001, minimum_notional=5)
CAPITAL = 10_000.0


def universe(closes):
    """Return markets whose bars open at the close before; None is no bar."""
    close = np.array(closes, dtype=np.float64)
    opens = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    opens = np.where(np.isnan(opens), close, opens)
    opens[np.isnan(close)] = np.nan
    symbols = tuple(f"M{row}/USDT" for row in range(len(close)))
    times = np.arange(close.shape[1], dtype=np.int64) * HOUR_MS
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    volume = np.where(np.isnan(close), np.nan, 1.0)
    return UniverseView(symbols, Timeframe.H1, times, opens, high, low, close, volume)


def says(view, *, long=(), short=(), leave=(), score=None):
    """Return signals that say something at ``(market, bar)`` places."""
    shape = view.close.shape
    columns: Any = []
    for places in (long, short, leave, leave):
        column = np.zeros(shape, dtype=np.bool_)
        for place in places:
            column[place] = True
        columns.append(column)
    ready = ~np.isnan(view.close)
    long_at, short_at, leave_long, leave_short = columns
    return Signals(long_at, short_at, leave_long, leave_short, ready, score=score)


def rules(**changes):
    values = {"stop_percent": 0.0, "target_percent": 0.0, "size": 10.0, "short_allowed": True}
    return Rules(**{**values, "sizing": SizingMode.NOTIONAL, **changes})


def run(view, signals, *, costs=FREE, **changes):
    return simulate_portfolio(
        view,
        signals,
        rules(**changes),
        [costs] * len(view.symbols),
        capital=CAPITAL,
        trade_from_ms=0,
    )


def held_at(result, bar):
    return [
        symbol
        for symbol, one in zip(result.symbols, result.of_market, strict=True)
        if one.position[bar]
    ]


class TestRanking:
    def test_the_highest_score_goes_first_when_places_are_short(self):
        view = universe([[100.0] * 4] * 3)
        score = np.array([[1.0] * 4, [3.0] * 4, [2.0] * 4])
        signals = says(view, long=[(0, 0), (1, 0), (2, 0)], score=score)

        result = run(view, signals, max_open_positions=2)

        assert held_at(result, 1) == ["M1/USDT", "M2/USDT"]
        assert result.reason_counts()[ReasonCode.POSITION_LIMIT] == 1

    def test_the_highest_score_goes_first_when_capital_is_short(self):
        view = universe([[100.0] * 4] * 3)
        score = np.array([[1.0] * 4, [2.0] * 4, [3.0] * 4])
        signals = says(view, long=[(0, 0), (1, 0), (2, 0)], score=score)

        result = run(view, signals, size=60.0)

        worth = [one.position[1] * FREE.lot_step * 100 for one in result.of_market]
        assert worth == pytest.approx([0.0, 4_000.0, 6_000.0])
        assert result.reason_counts()[ReasonCode.NO_CAPITAL] == 1

    def test_equal_scores_go_by_symbol(self):
        view = universe([[100.0] * 4] * 2)

        result = run(view, says(view, long=[(0, 0), (1, 0)]), max_open_positions=1)

        assert held_at(result, 1) == ["M0/USDT"]

    def test_an_exit_makes_room_for_an_entry_at_the_same_open(self):
        view = universe([[100.0] * 5] * 2)
        signals = says(view, long=[(0, 0), (1, 2)], leave=[(0, 2)])

        result = run(view, signals, size=100.0, max_open_positions=1)

        assert held_at(result, 2) == ["M0/USDT"]
        assert held_at(result, 3) == ["M1/USDT"]
        assert result.held.tolist() == [0, 1, 1, 1, 1]

    def test_where_the_exit_cannot_fill_the_entry_is_taken_back(self):
        nan = np.nan
        view = universe([[100.0, 100.0, 100.0, nan, 100.0], [100.0] * 5])
        signals = says(view, long=[(0, 0), (1, 2)], leave=[(0, 2)])

        result = run(view, signals, max_open_positions=1)

        assert held_at(result, 3) == ["M0/USDT"]
        assert held_at(result, 4) == []
        assert result.held.max() == 1

    def test_capital_is_split_among_the_positions_that_may_be_open(self):
        view = universe([[100.0] * 4] * 2)
        signals = says(view, long=[(0, 0), (1, 0)])

        result = run(view, signals, size=100.0, max_open_positions=4, splits_capital=True)

        assert result.gross[1] == pytest.approx(CAPITAL / 2)

    def test_leverage_caps_what_all_positions_have_at_stake(self):
        view = universe([[100.0] * 4] * 3)
        signals = says(view, long=[(0, 0), (1, 0)], short=[(2, 0)])

        result = run(view, signals, size=100.0, leverage=2.5)

        assert result.gross[1] == pytest.approx(2.5 * CAPITAL)
        assert result.net[1] == pytest.approx(1.5 * CAPITAL)


class TestListings:
    def test_what_is_held_of_a_delisted_market_is_sold_at_its_last_close(self):
        nan = np.nan
        view = universe([[100.0, 100.0, 120.0, nan, nan], [100.0] * 5])

        result = run(view, says(view, long=[(0, 0)]), costs=DEAR)

        ((symbol, trade),) = result.trades
        assert (symbol, trade.exit_reason) == ("M0/USDT", ExitReason.END_OF_DATA)
        assert not trade.is_open
        assert trade.exit_index == 3
        assert trade.exit_price == pytest.approx(120 * (1 - 6e-4), abs=0.01)
        assert result.held.tolist() == [0, 1, 1, 0, 0]

    def test_an_outage_keeps_the_position_at_its_last_price(self):
        nan = np.nan
        view = universe([[100.0, 100.0, 120.0, nan, 130.0], [100.0] * 5])

        result = run(view, says(view, long=[(0, 0)]))

        assert result.equity.tolist() == pytest.approx([10_000, 10_000, 10_200, 10_200, 10_300])

    def test_an_order_that_meets_no_bar_waits_for_one(self):
        nan = np.nan
        view = universe([[100.0, nan, 100.0, 100.0], [100.0] * 4])

        result = run(view, says(view, long=[(0, 0)]))

        assert result.held.tolist() == [0, 0, 1, 1]

    def test_a_position_at_the_end_is_open_and_marked(self):
        view = universe([[100.0, 100.0, 110.0], [100.0] * 3])

        ((_, trade),) = run(view, says(view, long=[(0, 0)])).trades

        assert trade.is_open
        assert trade.exit_reason is ExitReason.END_OF_DATA

    def test_absent_bars_are_no_decisions(self):
        nan = np.nan
        view = universe([[nan, 100.0, 100.0, nan], [100.0] * 4])

        assert sum(run(view, says(view)).reason_counts().values()) == 6


class TestOneMarket:
    def test_a_universe_of_one_trades_like_that_market_alone(self):
        random = np.random.default_rng(3)
        close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.02, 400))), 2)
        view = universe([close])
        long, short = random.random(400) < 0.1, random.random(400) < 0.1
        alone = Signals(long, short, short, long, np.ones(400, dtype=np.bool_))
        stacked: Any = [column[np.newaxis] for column in alone.columns().values()]
        both = Signals(*stacked)
        wanted = rules(stop_percent=3.0, target_percent=5.0, size=30.0, leverage=2.0)
        candles = Candles(
            view.open_time, view.open[0], view.high[0], view.low[0], view.close[0], view.volume[0]
        )

        one = simulate(candles, alone, wanted, DEAR, capital=CAPITAL, trade_from_ms=0)
        many = simulate_portfolio(view, both, wanted, [DEAR], capital=CAPITAL, trade_from_ms=0)

        assert len(one.trades) > 20
        assert [trade for _, trade in many.trades] == pytest.approx(list(one.trades))
        assert many.equity == pytest.approx(one.equity, rel=1e-12)
        assert many.reason_counts() == one.reason_counts()


class TestErrors:
    def test_shapes_that_do_not_fit_are_refused(self):
        view, other = universe([[1.0] * 3] * 2), universe([[1.0] * 4] * 2)

        with pytest.raises(ValueError, match="as many signals"):
            run(view, says(other))
        with pytest.raises(ValueError, match="as many costs"):
            simulate_portfolio(view, says(view), rules(), [FREE], capital=CAPITAL, trade_from_ms=0)
        with pytest.raises(ValueError, match="capital"):
            simulate_portfolio(view, says(view), rules(), [FREE] * 2, capital=0.0, trade_from_ms=0)

    def test_it_stops_when_it_is_told_to(self):
        view = universe([[1.0] * 3] * 2)

        with pytest.raises(SimulationStopped):
            simulate_portfolio(
                view,
                says(view),
                rules(),
                [FREE] * 2,
                capital=CAPITAL,
                trade_from_ms=0,
                should_stop=lambda: True,
            )


@st.composite
def wallets(draw):
    markets, bars = draw(st.integers(2, 5)), draw(st.integers(10, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.03, (markets, bars)), axis=1)), 2)
    close[random.random((markets, bars)) < 0.03] = np.nan
    if draw(st.booleans()):
        close[0, bars // 2 :] = np.nan
    view = universe(close)
    there = ~np.isnan(view.close)
    chance = draw(st.sampled_from([0.05, 0.3]))
    long, short, out = (there & (random.random(close.shape) < chance) for _ in range(3))
    score = np.asarray(random.random(close.shape))
    signals = Signals(long, short, out, out, there, score=score)
    wanted = rules(
        stop_percent=draw(st.sampled_from([0.0, 2.0])),
        target_percent=draw(st.sampled_from([0.0, 3.0])),
        size=draw(st.sampled_from([5.0, 50.0, 300.0])),
        leverage=float(draw(st.integers(1, 3))),
        max_open_positions=draw(st.integers(0, 3)),
    )
    return view, signals, wanted


class TestMoney:
    @settings(max_examples=60, deadline=None)
    @given(wallets())
    def test_it_adds_up_and_no_limit_is_passed(self, wallet):
        view, signals, wanted = wallet
        result = simulate_portfolio(
            view, signals, wanted, [DEAR] * len(view.symbols), capital=CAPITAL, trade_from_ms=0
        )

        cash = np.full(len(view), CAPITAL)
        worth = np.zeros(len(view))
        for row, one in enumerate(result.of_market):
            for fill in one.fill_columns:
                quantity = int(fill["side"]) * int(fill["lots"]) * DEAR.lot_step
                paid = quantity * int(fill["price_ticks"]) * DEAR.tick_size + float(fill["fee"])
                cash[int(fill["bar"]) :] -= paid
            filled = np.zeros(len(view), dtype=np.int64)
            for fill in one.fill_columns:
                filled[int(fill["bar"]) :] += int(fill["side"]) * int(fill["lots"])
            assert filled.tolist() == one.position.tolist()
            known, last = 0.0, []
            for price in view.close[row].tolist():
                known = known if np.isnan(price) else price
                last.append(known)
            worth += one.position * DEAR.lot_step * np.array(last)
        assert result.equity == pytest.approx(cash + worth, rel=1e-9)
        if wanted.max_open_positions:
            assert result.held.max() <= wanted.max_open_positions
        pnl = sum(trade.pnl for _, trade in result.trades)
        assert result.final_equity - CAPITAL == pytest.approx(pnl, abs=1e-6)

    @settings(max_examples=60, deadline=None)
    @given(wallets())
    def test_entries_never_put_more_at_stake_than_equity_times_leverage(self, wallet):
        view, signals, wanted = wallet
        result = simulate_portfolio(
            view, signals, wanted, [DEAR] * len(view.symbols), capital=CAPITAL, trade_from_ms=0
        )

        for bar in range(1, len(view)):
            entered, gross, equity = False, 0.0, 0.0
            for row, one in enumerate(result.of_market):
                # At the opens of the bar: what was held before, and what fills at them.
                price = view.open[row, bar]
                known = view.close[row, :bar][~np.isnan(view.close[row, :bar])]
                price = (known[-1] if len(known) else 0.0) if np.isnan(price) else price
                fills = one.fill_columns
                now = fills[(fills["bar"] == bar) & (fills["at_open"] == 1)]
                before = fills[fills["bar"] < bar]
                moved = np.concatenate([before, now])
                signed = moved["side"].astype(np.int64) * moved["lots"]
                quantity = float(signed.sum()) * DEAR.lot_step
                paid = signed * moved["price_ticks"] * (DEAR.lot_step * DEAR.tick_size)
                equity += quantity * price - float(paid.sum() + moved["fee"].sum())
                gross += abs(quantity) * price
                entered |= bool((now["leg"] == 0).any())
            if entered:
                # Fees and slippage of the entries themselves are paid from the same equity.
                assert gross <= (CAPITAL + equity) * wanted.leverage * 1.02 + 1e-6
