"""The scanner of top movers as specified, on hand-made markets."""

from typing import Any

import numpy as np
import pytest

from market.timeframes import HOUR_MS, Timeframe
from strategies.definitions import top_movers_macd
from strategies.definitions.top_movers_macd import Params, followed_sides
from strategies.indicators.rankings import day_change, day_volume
from strategies.registry import InvalidParametersError, get_definition, validate_params
from strategies.rules import SizingMode
from strategies.views import UniverseView

MOVERS = get_definition("top-movers-macd")
#: Quick averages, so that hand-made markets stay short.
QUICK: dict[str, Any] = {
    "macd_fast_period": 2,
    "macd_slow_period": 3,
    "macd_signal_period": 2,
    "min_candles_for_signal": 30,
}


def universe_of(closes, *, timeframe=Timeframe.H1, volume=1_000_000.0, wick=0.0):
    """Return a universe of ``{symbol: closes}``; each bar opens at the close before."""
    close = np.array(list(closes.values()), dtype=np.float64)
    opens = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    opens = np.where(np.isnan(opens), close, opens)
    opens[np.isnan(close)] = np.nan
    volumes = np.where(np.isnan(close), np.nan, volume)
    return UniverseView(
        tuple(closes),
        timeframe,
        np.arange(close.shape[1], dtype=np.int64) * timeframe.milliseconds,
        opens,
        np.maximum(opens, close) * (1 + wick),
        np.minimum(opens, close) * (1 - wick),
        close,
        volumes,
    )


def growing(rate, bars=60, start=100.0):
    return (start * (1 + rate) ** np.arange(bars)).tolist()


def sides_of(view, **values):
    return followed_sides(view, Params(**values), day_change(view))


def names(view, sides, bar, side):
    return {view.symbols[each] for each in np.flatnonzero(sides[:, bar] == side)}


class TestRanking:
    def test_it_goes_by_percent_and_not_by_price(self):
        # BTC rises by more money, DOGE by more percent.
        view = universe_of(
            {"BTC/USDT": growing(0.001, start=60_000), "DOGE/USDT": growing(0.002, start=0.1)}
        )

        assert names(view, sides_of(view, top_n_symbols=1), 40, 1) == {"DOGE/USDT"}

    def test_gainers_and_losers_are_the_ends_of_the_list(self):
        rates = {"A": 0.003, "B": 0.002, "C": 0.001, "D": -0.001, "E": -0.002, "F": -0.003}
        view = universe_of({f"{name}/USDT": growing(rate) for name, rate in rates.items()})

        sides = sides_of(view, top_n_symbols=2)

        assert names(view, sides, 40, 1) == {"A/USDT", "B/USDT"}
        assert names(view, sides, 40, -1) == {"E/USDT", "F/USDT"}

    def test_what_did_not_fall_is_no_loser(self):
        view = universe_of({f"{each}/USDT": growing(0.001 * each) for each in range(1, 5)})

        assert not (sides_of(view, top_n_symbols=2) == -1).any()

    def test_where_both_ends_meet_the_sign_decides(self):
        view = universe_of({"A/USDT": growing(0.001), "B/USDT": growing(-0.001)})

        sides = sides_of(view, top_n_symbols=3)

        assert sides[:, 40].tolist() == [1, -1]

    def test_a_thin_market_is_not_ranked(self):
        view = universe_of({"A/USDT": growing(0.003), "B/USDT": growing(0.001)})
        view.volume[0] = 1.0

        assert names(view, sides_of(view, top_n_symbols=1), 40, 1) == {"B/USDT"}

    def test_the_volume_of_a_day_has_to_reach_the_least_one_exactly(self):
        view = universe_of({"A/USDT": [100.0] * 60}, volume=100.0)

        assert day_volume(view)[0, 40] == pytest.approx(24 * 100 * 100)
        assert sides_of(view, min_volume_usdt_24h=240_000.0)[0, 40] == 1
        assert sides_of(view, min_volume_usdt_24h=240_001.0)[0, 40] == 0

    def test_stable_and_leveraged_tokens_are_not_ranked(self):
        symbols = ("BTC/USDT", "USDC/USDT", "BTCUP/USDT", "ETH3S/USDT", "JUP/USDT", "EOS/USDT")
        view = universe_of({symbol: growing(0.001) for symbol in symbols})

        followed = names(view, sides_of(view, top_n_symbols=10), 40, 1)

        assert followed == {"BTC/USDT", "JUP/USDT", "EOS/USDT"}


class TestDayChange:
    def test_it_compares_with_the_close_of_a_day_before(self):
        view = universe_of({"A/USDT": [100.0] * 10 + [110.0] * 40})

        change = day_change(view)[0]

        assert np.isnan(change[:24]).all()
        assert change[24:34].tolist() == pytest.approx([0.1] * 10)
        assert change[34:].tolist() == pytest.approx([0.0] * 16)

    def test_a_late_listing_counts_from_a_day_after_its_first_bar(self):
        view = universe_of({"A/USDT": [np.nan] * 10 + [100.0] * 40, "B/USDT": [1.0] * 50})

        assert np.flatnonzero(~np.isnan(day_change(view)[0]))[0] == 34

    def test_over_an_outage_the_last_known_close_counts(self):
        closes = [100.0] * 10 + [np.nan] * 5 + [120.0] * 40
        view = universe_of({"A/USDT": closes, "B/USDT": [1.0] * 55})

        change = day_change(view)[0]

        assert np.isnan(change[10:15]).all()
        # A day before bar 36 is bar 12, in the outage.
        assert change[36] == pytest.approx(0.2)

    def test_a_delisted_market_is_followed_no_longer_than_its_evaluation_period(self):
        closes = growing(0.002, bars=40) + [np.nan] * 20
        view = universe_of({"A/USDT": closes, "B/USDT": [1.0] * 60})

        sides = sides_of(view, top_n_symbols=1)[0]

        assert sides[39] == 1
        assert not sides[39 + 6 :].any()


class TestFollowing:
    """Market A is picked while it rises; after that B is, which then rises faster."""

    def view(self, after, *, others=2, wick=0.0):
        steep = growing(0.01, bars=30)
        a = steep + [steep[-1] * factor for factor in after]
        bars = len(a)
        markets = {"A/USDT": a}
        for each in range(others):
            calm = [100.0] * 29
            markets[f"B{each}/USDT"] = calm + growing(0.05 + each / 100, bars=bars - 29)
        return universe_of(markets, wick=wick)

    def last_followed(self, view, **values):
        return int(np.flatnonzero(sides_of(view, top_n_symbols=1, **values)[0])[-1])

    def last_picked(self, view):
        change = day_change(view)
        top = np.nanargmax(np.where(np.isnan(change), -np.inf, change), axis=0)
        return int(np.flatnonzero(top == 0)[-1])

    def test_one_that_moves_and_is_near_the_top_stays_for_another_period(self):
        view = self.view([1.0, 1.05] * 20, others=1)
        picked = self.last_picked(view)

        assert self.last_followed(view) >= picked + 12

    def test_one_that_hardly_moves_leaves_after_its_period(self):
        view = self.view([1.0, 1.001] * 20, others=1)
        picked = self.last_picked(view)

        assert self.last_followed(view) == picked + 5

    def test_one_that_falls_behind_leaves_after_its_period(self):
        view = self.view([1.0, 1.05] * 20, others=2)
        picked = self.last_picked(view)

        assert self.last_followed(view) == picked + 5

    def test_nobody_stays_for_ever_without_being_picked(self):
        view = self.view([1.0, 1.05] * 40, others=1)
        picked = self.last_picked(view)

        assert self.last_followed(view) == picked + 4 * 6 - 1

    def test_scans_are_on_the_clock_and_at_closes_of_bars(self):
        rising = growing(0.001, bars=400)
        view = universe_of({"A/USDT": rising}, timeframe=Timeframe.M15)

        quick = sides_of(view, scan_interval_minutes=15)[0]
        hourly = sides_of(view, scan_interval_minutes=60)[0]

        # Bar 96 is the first with a close a day before; the hour ends with bar 99.
        assert np.flatnonzero(quick)[0] == 96
        assert np.flatnonzero(hourly)[0] == 99


class TestSignals:
    def swinging(self, bars=120):
        """Return a walk that turns often and abruptly."""
        steps = np.random.default_rng(7).normal(0, 0.02, 120)[:bars]
        return (100 * np.exp(np.cumsum(steps))).tolist()

    def signals(self, view, **values):
        return top_movers_macd.signals(view, Params(**QUICK, **values))

    def test_entries_are_crosses_in_the_direction_of_the_bar(self):
        view = universe_of({"A/USDT": self.swinging()})

        told = self.signals(view)

        assert told.enter_long.any()
        assert told.enter_short.any()
        assert (told.exit_short | ~told.enter_long).all()
        assert (told.exit_long | ~told.enter_short).all()
        assert (view.close > view.open)[told.enter_long].all()
        assert (view.close < view.open)[told.enter_short].all()

    def test_a_market_that_was_evicted_is_not_entered_but_still_left(self):
        view = universe_of({"A/USDT": self.swinging()})
        followed = self.signals(view)
        thin = universe_of({"A/USDT": self.swinging()}, volume=1.0)
        evicted = self.signals(thin)

        assert not evicted.enter_long.any()
        assert not evicted.enter_short.any()
        np.testing.assert_array_equal(evicted.exit_long, followed.exit_long)
        np.testing.assert_array_equal(evicted.exit_short, followed.exit_short)

    def test_only_the_stop_is_left_where_crosses_do_not_close(self):
        view = universe_of({"A/USDT": self.swinging()})

        told = self.signals(view, exit_on_opposite_cross=False)

        assert told.enter_long.any()
        assert not told.exit_long.any()
        assert not told.exit_short.any()

    def test_gainers_are_only_bought_and_losers_only_sold_if_so_wished(self):
        rising = self.swinging()
        falling = [20_000 / price for price in rising]
        view = universe_of({"A/USDT": rising, "B/USDT": falling})
        sides = followed_sides(view, Params(**QUICK), day_change(view))

        told = self.signals(view, restrict_side=True)

        assert told.enter_long.any()
        assert told.enter_short.any()
        assert (sides[told.enter_long] == 1).all()
        assert (sides[told.enter_short] == -1).all()

    def test_nothing_is_entered_before_a_market_has_its_least_history(self):
        late = [np.nan] * 30 + self.swinging(90)
        view = universe_of({"A/USDT": late, "B/USDT": self.swinging()})

        told = self.signals(view)

        assert np.flatnonzero(told.ready[0])[0] == 30 + 29
        assert not told.enter_long[0, : 30 + 29].any()

    def test_an_outage_does_not_break_the_averages(self):
        closes = self.swinging()
        with_hole = closes[:60] + [np.nan] * 10 + closes[60:]
        whole = universe_of({"A/USDT": closes})
        view = universe_of({"A/USDT": with_hole, "B/USDT": [1.0] * 130})

        told = self.signals(view)

        kept = ~np.isnan(view.close[0])
        np.testing.assert_array_equal(told.exit_long[0, kept], self.signals(whole).exit_long[0])
        assert not told.exit_long[0, ~kept].any()

    def test_who_moved_more_goes_first(self):
        view = universe_of({"A/USDT": growing(0.002), "B/USDT": growing(-0.003)})

        told = self.signals(view)

        assert told.score is not None
        assert told.score[:, 40].tolist() == pytest.approx([1.002**24 - 1, 1 - 0.997**24], rel=1e-9)
        assert told.score[:, 3].tolist() == [0.0, 0.0]

    def test_no_bars_no_signals(self):
        assert self.signals(universe_of({"A/USDT": []})).ready.shape == (1, 0)


class TestRules:
    def test_the_wallet_is_shared_by_twice_the_markets_per_side(self):
        rules = top_movers_macd.rules(Params(top_n_symbols=4))

        assert (rules.max_open_positions, rules.splits_capital) == (8, True)
        assert (rules.sizing, rules.size, rules.stop_percent) == (SizingMode.RISK, 1.0, 5.0)
        assert (rules.target_percent, rules.max_hold_ms, rules.leverage) == (0.0, 0, 3.0)

    def test_positions_target_and_longest_hold_can_be_set(self):
        rules = top_movers_macd.rules(
            Params(max_open_positions=2, take_profit_percent=9.0, max_hold_hours=12)
        )

        assert rules.max_open_positions == 2
        assert (rules.target_percent, rules.max_hold_ms) == (9.0, 12 * HOUR_MS)

    def test_it_needs_a_universe_and_history_for_ranks_and_averages(self):
        needed = top_movers_macd.requirements(Params())

        assert needed.needs_universe
        assert needed.warm_up_bars == 8 * 26 + 9
        assert needed.bars(Timeframe.M15) == (3 * 24 + 4 * 6) * 4
        assert needed.objection(Timeframe.W1)

    @pytest.mark.parametrize(
        ("values", "field", "code"),
        [
            ({"macd_fast_period": 26}, "macd_fast_period", "inconsistent"),
            ({"top_n_symbols": 11}, "top_n_symbols", "out_of_range"),
            ({"scan_interval_minutes": 4}, "scan_interval_minutes", "out_of_range"),
            ({"min_volume_usdt_24h": 9_999.0}, "min_volume_usdt_24h", "out_of_range"),
            ({"min_candles_for_signal": 29}, "min_candles_for_signal", "out_of_range"),
        ],
    )
    def test_what_cannot_be_is_refused(self, values, field, code):
        with pytest.raises(InvalidParametersError) as caught:
            validate_params(MOVERS, values)

        assert [(each.field, each.code) for each in caught.value.problems] == [(field, code)]


def test_the_overlay_shows_when_each_market_was_followed():
    view = universe_of({"A/USDT": growing(0.002), "B/USDT": [100.0] * 60})

    (line,) = MOVERS.overlays(view, Params(top_n_symbols=1))

    assert line.values.shape == (2, 60)
    assert np.isnan(line.values[0, :24]).all()
    np.testing.assert_array_equal(line.values[0, 24:], view.close[0, 24:])
