"""The mirrored short of the daily central pivot range: levels by hand, and what becomes of its days.

June 2nd has its high at 110, its low at 100 and its close at 108: TC is 107, the pivot 106, BC 105 and
R1 112, which lies 4.673 % above TC.
"""

from typing import Any

import numpy as np
import pytest

from market.enums import Direction, ExitReason, InstrumentKind
from market.errors import InvalidInputError
from market.timeframes import Timeframe
from strategies.causality import check_causality, generated_candles
from strategies.definitions import cpr_daily
from strategies.definitions.cpr_daily import Params
from strategies.registry import validate_params
from strategies.signals import ENTER_AT_LIMIT, ENTER_AT_STOP
from strategies.views import MarketView
from tests.strategies.calendars import Prices, times, trade
from tests.strategies.test_cpr_daily import CPR, EASY, june

MIRRORED: dict[str, Any] = {
    **EASY,
    "mirrored_short": True,
    "max_volatility_threshold_percent": 5.0,
}
#: Daily closes that rise from the first day on up to the 108 of June 2nd: their RSI is 100.
RISEN: dict[str, Prices] = {
    f"2024-05-{day} 23:45": (70.0 + day, 70.0 + day, 70.0 + day, 70.0 + day)
    for day in range(20, 32)
} | {"2024-06-01 23:45": (102.0, 102.0, 102.0, 102.0)}


def said(view, **parameters):
    return cpr_daily.signals(view, Params(**{**MIRRORED, **parameters}))


def sold(view, **parameters):
    return times(view, said(view, **parameters).enter_short)


class TestEntries:
    def test_one_limit_order_to_sell_waits_above_an_open_below_the_range(self):
        view = june(104.0)
        signals = said(view)

        assert times(view, signals.enter_short) == ["2024-06-03 00:00"]
        assert not signals.enter_long.any()
        row = signals.row(int(np.flatnonzero(signals.enter_short)[0]))
        assert row.entry_kind == ENTER_AT_LIMIT
        assert row.entry_price == pytest.approx(104.208)
        # The full target, 0.8 % below, is on the same side of the pivot: the rules have it.
        assert np.isnan(row.target_price)

    def test_in_the_other_mode_a_stop_order_to_sell_waits_below_an_open_above_it(self):
        view = june(107.5)
        signals = said(view, distance_condition_type="BELOW")

        assert times(view, signals.enter_short) == ["2024-06-03 00:00"]
        row = signals.row(int(np.flatnonzero(signals.enter_short)[0]))
        assert row.entry_kind == ENTER_AT_STOP
        assert row.entry_price == pytest.approx(107.285)

    def test_it_is_off_unless_it_is_asked_for(self):
        assert not Params().mirrored_short
        assert sold(june(104.0), mirrored_short=False) == []
        assert not said(june(104.0), mirrored_short=False).exit_short.any()

    @pytest.mark.parametrize(
        ("price", "side", "enters"),
        [
            # The distance from TC, 107, has to be at least 0.24 %: 106.7432 and 107.2568.
            (104.9, "ABOVE", True),
            (107.25, "BELOW", False),
            (107.26, "BELOW", True),
        ],
    )
    def test_the_open_has_to_lie_far_enough_from_the_top(self, price, side, enters):
        assert bool(sold(june(price), distance_condition_type=side)) is enters

    def test_the_first_resistance_counts_for_band_and_volatility(self):
        band = {"s1_bc_dist_thresh_low_percent": 4.0, "band_mode": "REQUIRE"}

        assert sold(june(104.0), max_volatility_threshold_percent=4.67) == []
        assert sold(june(104.0), max_volatility_threshold_percent=4.68) != []
        assert sold(june(104.0), **band, s1_bc_dist_thresh_high_percent=4.67) == []
        assert sold(june(104.0), **band, s1_bc_dist_thresh_high_percent=4.68) != []

    def test_overbought_takes_the_place_of_oversold(self):
        flat, risen = june(104.0), june(104.0, happens=RISEN)

        assert sold(flat, rsi_threshold_entry=49.0) == []
        assert sold(flat, rsi_threshold_entry=50.0) != []
        assert sold(risen, rsi_threshold_entry=0.0) != []
        assert times(risen, said(risen, rsi_threshold_entry=99.0).enter_long) == []

    def test_a_day_that_qualifies_both_ways_is_left_out(self):
        """106.5 is far enough above BC and far enough below TC."""
        both = said(june(106.5))

        assert not both.enter_short.any()
        assert not both.enter_long.any()
        assert times(june(106.5), said(june(106.5), mirrored_short=False).enter_long) == [
            "2024-06-03 00:00"
        ]

    def test_a_target_beyond_the_pivot_is_reduced(self):
        """Sold at 106.713, above the pivot; 0.8 % less is 105.859, below it."""
        signals = said(june(106.5, happens=RISEN), rsi_threshold_entry=25.0)

        assert signals.enter_short.any()
        assert signals.target_price is not None
        assert float(signals.target_price[signals.enter_short][0]) == pytest.approx(106.713 * 0.998)

    def test_shorts_alone_are_refused_where_there_are_none(self):
        with pytest.raises(InvalidInputError) as caught:
            validate_params(CPR, {"direction": "SHORT"})

        assert [(each.field, each.code) for each in caught.value.problems] == [
            ("direction", "inconsistent")
        ]
        alone = validate_params(CPR, {"direction": "SHORT", "mirrored_short": True})
        assert not CPR.rules(alone).may_go_long

    @pytest.mark.parametrize("side", ["ABOVE", "BELOW"])
    def test_it_is_causal(self, side):
        # Monthly and band filters off, so that it says something on most days.
        parameters = {**MIRRORED, "max_volatility_threshold_percent": 50.0}
        params = Params(**parameters, distance_condition_type=side)
        candles = generated_candles(2 * 150 * 24 + 900, seed=4)

        found = check_causality(CPR, params, candles, Timeframe.H1, cuts=10)

        assert found == ()
        told = cpr_daily.signals(MarketView(candles, Timeframe.H1), params)
        assert told.enter_short[150 * 24 :].any()


class TestTrades:
    """Through the simulation: what becomes of a day that qualifies."""

    SOLD: dict[str, Prices] = {"2024-06-03 00:15": (104.0, 104.3, 104.0, 104.1)}

    def run(self, happens, *, price=104.0, kind=InstrumentKind.LINEAR_SWAP, **parameters: Any):
        view = june(price, happens=happens, end="2024-06-04 06:00")
        values = {**MIRRORED, **parameters}
        result = trade(CPR, view, kind, trade_from="2024-06-03 00:00", **values)
        return [
            (
                each.direction,
                each.exit_reason,
                round(each.entry_price, 2),
                round(each.exit_price, 2),
            )
            for each in result.trades
        ]

    def test_the_target_is_taken_below(self):
        falls = {"2024-06-03 01:00": (104.0, 104.0, 103.0, 103.9)}

        assert self.run({**self.SOLD, **falls}) == [
            (Direction.SHORT, ExitReason.TARGET, 104.21, 103.37)
        ]

    def test_the_stop_ends_it_above(self):
        rises = {"2024-06-03 01:00": (104.0, 108.5, 104.0, 108.0)}

        # 3.5 % above 104.21 is 107.857.
        assert self.run({**self.SOLD, **rises}) == [
            (Direction.SHORT, ExitReason.STOP, 104.21, 107.86)
        ]

    def test_a_close_at_the_top_of_the_range_leaves_at_the_next_open(self):
        rises = {
            "2024-06-03 01:00": (104.0, 107.2, 104.0, 107.0),
            "2024-06-03 01:15": (106.9, 106.9, 106.9, 106.9),
        }

        assert self.run({**self.SOLD, **rises}) == [
            (Direction.SHORT, ExitReason.SIGNAL, 104.21, 106.9)
        ]

    def test_the_end_of_the_day_closes_what_is_left(self):
        ((_, reason, _, price),) = self.run(self.SOLD)

        assert (reason, price) == (ExitReason.SESSION_END, 108.0)

    def test_above_the_range_the_exit_waits_until_the_price_was_below_it(self):
        happens = {
            # Sold at 107.28 by a stop order, above TC at 107: that alone ends nothing.
            "2024-06-03 00:15": (107.5, 107.5, 107.2, 107.3),
            "2024-06-03 02:00": (107.3, 107.3, 106.8, 106.9),
            "2024-06-03 02:15": (106.9, 107.1, 106.9, 107.1),
            "2024-06-03 02:30": (107.2, 107.2, 107.2, 107.2),
        }

        assert self.run(
            happens,
            price=107.5,
            distance_condition_type="BELOW",
            use_prev_day_cpr_tp_filter=False,
        ) == [(Direction.SHORT, ExitReason.SIGNAL, 107.28, 107.2)]

    def test_on_spot_nothing_is_sold(self):
        assert self.run(self.SOLD, kind=InstrumentKind.SPOT) == []
