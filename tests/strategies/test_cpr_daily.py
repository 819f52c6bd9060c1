"""The daily central pivot range as specified."""

from typing import Any

import numpy as np
import pytest

from market.enums import Direction, ExitReason, InstrumentKind
from market.errors import InvalidInputError
from market.timeframes import DAY_MS, MINUTE_MS, Timeframe
from strategies.causality import check_causality, generated_candles
from strategies.definitions import cpr_daily
from strategies.definitions.cpr_daily import Params
from strategies.registry import get_definition, validate_params
from strategies.rules import SizingMode
from strategies.signals import ENTER_AT_LIMIT, ENTER_AT_STOP
from strategies.views import MarketView
from tests.strategies.calendars import Prices, at, clock, market, times, trade

CPR = get_definition("cpr-daily")
#: Days that qualify by their open alone.
EASY: dict[str, Any] = {
    "rsi_threshold_entry": 100.0,
    "daily_rsi_period": 5,
    "band_mode": "OFF",
    "use_monthly_cpr_filter_entry": False,
}
#: June 2nd: high 110, low 100, close 108, so that BC is 105, TC 107, the pivot 106 and S1 102.
YESTERDAY: dict[str, Prices] = {"2024-06-02 12:00": (108.0, 110.0, 100.0, 108.0)}


TOMORROW = "2024-06-04 00:00"


def june(price=105.5, *, happens=None, without=(), begin="2024-05-20 00:00", end=TOMORROW, step=15):
    """Return bars up to *end* at 108, and June 3rd at *price* but for what *happens* on it."""
    clocks = [
        f"2024-06-03 {minute // 60:02}:{minute % 60:02}" for minute in range(0, 24 * 60, step)
    ]
    today = dict.fromkeys(clocks, (price, price, price, price))
    return market(
        begin,
        end,
        Timeframe(f"{step}m"),
        {**YESTERDAY, **today, **(happens or {})},
        price=108.0,
        without=without,
    )


def said(view, **parameters):
    return cpr_daily.signals(view, Params(**{**EASY, **parameters}))


def entered(view, **parameters):
    return times(view, said(view, **parameters).enter_long)


class TestParameters:
    def test_defaults_are_the_published_ones(self):
        assert Params().model_dump() == {
            "direction": "BOTH",
            "leverage": 3,
            "max_trades_per_day": 1,
            "cooldown_bars": 0,
            "risk_percent": 1.0,
            "take_profit_percent": 0.8,
            "sl_percent_from_entry": 3.5,
            "distance_condition_type": "ABOVE",
            "distance_threshold_percent": 0.24,
            "pullback_percent_for_entry": 0.2,
            "band_mode": "REQUIRE",
            "s1_bc_dist_thresh_low_percent": 2.2,
            "s1_bc_dist_thresh_high_percent": 2.85,
            "max_volatility_threshold_percent": 3.48,
            "rsi_threshold_entry": 25.0,
            "daily_rsi_period": 14,
            "use_monthly_cpr_filter_entry": True,
            "use_prev_day_cpr_tp_filter": True,
            "reduced_tp_percent_if_filter": 0.2,
            "entry_window_start": "00:00",
            "entry_window_minutes": 10,
            "eod_close": "23:55",
            "mirrored_short": False,
        }

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("direction", "SHORT", "inconsistent"),
            ("leverage", 21, "out_of_range"),
            ("risk_percent", 5.1, "out_of_range"),
            ("take_profit_percent", 0.05, "out_of_range"),
            ("distance_threshold_percent", 0.0, "out_of_range"),
            ("sl_percent_from_entry", 50.1, "out_of_range"),
            ("pullback_percent_for_entry", -0.1, "out_of_range"),
            ("rsi_threshold_entry", 101.0, "out_of_range"),
            ("daily_rsi_period", 4, "out_of_range"),
            ("reduced_tp_percent_if_filter", 0.04, "out_of_range"),
            ("entry_window_minutes", 121, "out_of_range"),
            ("entry_window_start", "midnight", "wrong_type"),
            ("entry_window_start", "23:55", "inconsistent"),
            ("s1_bc_dist_thresh_low_percent", 2.9, "inconsistent"),
            ("band_mode", "require", "wrong_type"),
            ("max_trades_per_day", 2, "out_of_range"),
        ],
    )
    def test_limits_are_enforced(self, name, value, code):
        with pytest.raises(InvalidInputError) as caught:
            validate_params(CPR, {name: value})

        assert [(each.field, each.code) for each in caught.value.problems] == [(name, code)]

    @pytest.mark.parametrize(
        ("timeframe", "suits"),
        [("1s", False), ("1m", True), ("15m", True), ("1h", True), ("2h", False)],
    )
    def test_it_works_on_bars_of_a_minute_to_an_hour(self, timeframe, suits):
        requirements = cpr_daily.requirements(Params())

        assert (requirements.objection(Timeframe(timeframe)) == "") is suits
        assert requirements.bars(Timeframe.M15) == 150 * 96

    def test_rules_size_by_risk_and_arm_the_exit_below_the_range_only(self):
        rules = cpr_daily.rules(Params())

        assert (rules.sizing, rules.size, rules.leverage) == (SizingMode.RISK, 1.0, 3.0)
        assert (rules.stop_percent, rules.target_percent) == (3.5, 0.8)
        assert rules.max_trades_per_day == 1
        assert not rules.exit_needs_arming
        assert not rules.may_go_short
        assert cpr_daily.rules(Params(distance_condition_type="BELOW")).exit_needs_arming
        assert rules.for_market(InstrumentKind.SPOT, Timeframe.M15).leverage == 1.0

    def test_that_it_rarely_trades_is_said(self):
        assert "very rarely" in CPR.summary
        assert "extremely rare" in str(CPR.json_schema()["properties"])


class TestEntries:
    def test_one_limit_order_waits_below_the_open_at_the_close_of_the_first_bar(self):
        view = june()
        signals = said(view)

        assert times(view, signals.enter_long) == ["2024-06-03 00:00"]
        row = signals.row(int(np.flatnonzero(signals.enter_long)[0]))
        assert row.entry_kind == ENTER_AT_LIMIT
        assert row.entry_price == pytest.approx(105.5 * 0.998)
        assert row.entry_bars == 1
        assert not signals.enter_short.any()

    def test_below_the_range_one_stop_order_waits_above_the_open(self):
        view = june(104.5)
        signals = said(view, distance_condition_type="BELOW")

        assert times(view, signals.enter_long) == ["2024-06-03 00:00"]
        row = signals.row(int(np.flatnonzero(signals.enter_long)[0]))
        assert row.entry_kind == ENTER_AT_STOP
        assert row.entry_price == pytest.approx(104.5 * 1.002)

    @pytest.mark.parametrize(
        ("price", "side", "enters"),
        [
            # The distance from BC, 105, has to be at least 0.24 %.
            (105.26, "ABOVE", True),
            (105.24, "ABOVE", False),
            (104.5, "ABOVE", False),
            (104.74, "BELOW", True),
            (104.76, "BELOW", False),
            (105.5, "BELOW", False),
        ],
    )
    def test_the_open_has_to_lie_far_enough_on_its_side(self, price, side, enters):
        assert bool(entered(june(price), distance_condition_type=side)) is enters

    @pytest.mark.parametrize(
        ("mode", "low", "high", "enters"),
        [
            # S1 lies 2.857 % from BC.
            ("REQUIRE", 2.2, 2.85, False),
            ("REQUIRE", 2.2, 2.86, True),
            ("SKIP", 2.2, 2.85, True),
            ("SKIP", 2.2, 2.86, False),
            ("OFF", 2.2, 2.85, True),
        ],
    )
    def test_the_band_of_the_first_support_is_required_skipped_or_ignored(
        self, mode, low, high, enters
    ):
        told = entered(
            june(),
            band_mode=mode,
            s1_bc_dist_thresh_low_percent=low,
            s1_bc_dist_thresh_high_percent=high,
        )

        assert bool(told) is enters

    def test_days_that_are_too_volatile_are_left_out_whatever_the_band(self):
        assert entered(june(), max_volatility_threshold_percent=2.85) == []
        assert entered(june(), max_volatility_threshold_percent=2.86) == ["2024-06-03 00:00"]

    def test_the_daily_rsi_has_to_be_low_enough_up_to_yesterday(self):
        # Closes of 108 day after day: neither gain nor loss is 50.
        assert entered(june(), rsi_threshold_entry=49.0) == []
        assert entered(june(), rsi_threshold_entry=50.0) == ["2024-06-03 00:00"]
        falls = {"2024-06-02 23:45": (108.0, 108.0, 107.5, 107.5)}
        assert entered(june(happens=falls), rsi_threshold_entry=25.0) == ["2024-06-03 00:00"]
        # What happens today tells nothing yet.
        assert (
            entered(
                june(happens={"2024-06-03 00:15": (105, 105, 90, 90)}), rsi_threshold_entry=49.0
            )
            == []
        )

    def test_a_day_that_opens_inside_the_range_of_last_month_is_left_out(self):
        # May: high 120, low 92, close 108; its range is 106 to 107.33.
        spread = {"2024-05-20 00:00": (108.0, 120.0, 92.0, 108.0)}
        view = june(106.5, happens=spread, begin="2024-04-30 00:00")

        assert entered(view, use_monthly_cpr_filter_entry=True) == []
        assert entered(view) == ["2024-06-03 00:00"]
        below = june(105.5, happens=spread, begin="2024-04-30 00:00")
        assert entered(below, use_monthly_cpr_filter_entry=True) == ["2024-06-03 00:00"]

    def test_nothing_is_entered_before_the_last_month_is_known(self):
        view = june()

        assert not said(view, use_monthly_cpr_filter_entry=True).enter_long.any()
        assert entered(view) == ["2024-06-03 00:00"]

    def test_the_order_waits_on_the_bars_of_the_window(self):
        signals = said(june(), entry_window_start="02:00", entry_window_minutes=60)

        assert times(june(), signals.enter_long) == ["2024-06-03 01:45"]
        assert signals.entry_bars is not None
        assert signals.entry_bars[signals.enter_long].tolist() == [4]

    def test_on_shorter_bars_it_waits_from_the_second_one_on(self):
        view = june(step=5)
        signals = said(view)

        assert times(view, signals.enter_long) == ["2024-06-03 00:00"]
        assert signals.entry_bars is not None
        assert signals.entry_bars[signals.enter_long].tolist() == [1]

    def test_the_open_of_a_day_whose_first_bar_is_missing_comes_too_late_for_the_window(self):
        gap = ("2024-06-03 00:00",)

        assert entered(june(without=gap)) == []
        assert entered(june(without=gap), entry_window_minutes=60) == ["2024-06-03 00:15"]

    def test_no_candles_no_signals(self):
        view = market("2024-06-03 00:00", "2024-06-03 00:00", Timeframe.M15)

        assert len(cpr_daily.signals(view, Params())) == 0


class TestTargets:
    def target(self, **parameters):
        signals = said(june(), **parameters)
        assert signals.target_price is not None
        return float(signals.target_price[signals.enter_long][0])

    def test_a_target_beyond_the_pivot_is_reduced(self):
        # 0.8 % above 105.289 lies above the pivot at 106.
        assert self.target() == pytest.approx(105.5 * 0.998 * 1.002)

    def test_a_target_below_the_pivot_is_left_to_the_rules(self):
        assert np.isnan(self.target(take_profit_percent=0.6))

    def test_without_the_filter_all_targets_are_left_to_the_rules(self):
        assert said(june(), use_prev_day_cpr_tp_filter=False).target_price is None


class TestExits:
    def test_a_close_at_the_bottom_of_the_range_or_below_leaves(self):
        happens = {
            "2024-06-03 03:00": (105.5, 105.5, 105.0, 105.0),
            "2024-06-03 04:00": (105.5, 105.5, 104.0, 105.01),
        }
        view = june(happens=happens)

        left = [each for each in times(view, said(view).exit_long) if each > "2024-06-03"]
        assert left[0] == "2024-06-03 03:00"
        assert "2024-06-03 04:00" not in left

    def test_below_the_range_a_close_above_it_arms_the_exit(self):
        view = june(104.5, happens={"2024-06-03 05:00": (104.5, 105.2, 104.5, 105.1)})

        armed = times(view, said(view, distance_condition_type="BELOW").arm_exit)
        assert [each for each in armed if "2024-06-03" <= each < "2024-06-04"] == [
            "2024-06-03 05:00"
        ]
        assert said(view).arm_exit is None

    def test_the_bar_that_holds_the_end_of_day_ends_it(self):
        view = june()

        assert times(view, said(view).flatten)[-2:] == ["2024-06-02 23:45", "2024-06-03 23:45"]
        early = times(view, said(view, eod_close="23:30").flatten)
        assert early[-2:] == ["2024-06-03 23:30", "2024-06-03 23:45"]

    def test_where_that_bar_is_missing_the_next_day_begins_with_it(self):
        view = june(without=("2024-06-03 23:45",), end="2024-06-04 06:00")

        assert times(view, said(view).flatten)[-1] == "2024-06-04 00:00"


class TestMidnight:
    def test_levels_change_at_midnight_in_utc_and_not_a_bar_earlier(self):
        view = june(end="2024-06-04 06:00")
        bottom = cpr_daily.overlays(view, Params())[2]

        opens = view.candles.open_time
        june_3rd = at("2024-06-03 00:00")
        today = (opens >= june_3rd) & (opens < june_3rd + DAY_MS)
        assert bottom.name == "BC"
        assert {float(each) for each in bottom.values[today]} == {105.0}
        # June 3rd stood still at 105.5.
        assert {float(each) for each in bottom.values[opens >= june_3rd + DAY_MS]} == {105.5}
        assert opens[today][-1] == june_3rd + DAY_MS - 15 * MINUTE_MS

    def test_overlays_are_the_levels_of_day_week_and_month(self):
        lines = cpr_daily.overlays(june(begin="2024-04-30 00:00"), Params())

        names = [line.name for line in lines]
        assert names[:5] == ["Pivot", "TC", "BC", "R1", "R2"]
        assert set(names) >= {"R4", "S4", "Weekly TC", "Weekly BC", "Monthly TC", "Monthly BC"}
        assert not np.isnan([line.values[-1] for line in lines]).any()


class TestTrades:
    """Through the simulation: what becomes of a day that qualifies."""

    def run(self, happens, *, price=105.5, without=(), end="2024-06-04 06:00", **parameters: Any):
        view = june(price, happens=happens, without=without, end=end)
        return view, trade(CPR, view, trade_from="2024-06-03 00:00", **{**EASY, **parameters})

    def ends(self, view, row):
        opens = view.candles.open_time
        return clock(int(opens[row.entry_index])), clock(int(opens[row.exit_index]))

    def test_a_pullback_inside_the_window_buys_at_its_price(self):
        view, result = self.run({"2024-06-03 00:15": (105.5, 105.5, 105.2, 105.4)})

        first = result.trades[0]
        assert first.direction is Direction.LONG
        assert first.entry_price == pytest.approx(105.29, abs=0.011)
        assert self.ends(view, first)[0] == "2024-06-03 00:15"

    def test_without_a_pullback_the_order_expires_with_the_window(self):
        # The price falls only half an hour later, when the order waits no more.
        _, result = self.run({"2024-06-03 00:30": (105.5, 105.5, 105.2, 105.4)})

        assert result.trades == ()

    def test_what_the_first_bar_did_before_its_close_buys_nothing(self):
        _, result = self.run({"2024-06-03 00:00": (105.5, 105.5, 105.2, 105.4)})

        assert result.trades == ()

    def test_the_reduced_target_takes_the_profit(self):
        happens = {
            "2024-06-03 00:15": (105.5, 105.5, 105.2, 105.4),
            "2024-06-03 01:00": (105.4, 105.6, 105.4, 105.5),
        }
        view, result = self.run(happens)

        (row,) = result.trades
        assert row.exit_reason is ExitReason.TARGET
        assert row.exit_price == pytest.approx(105.5, abs=0.011)
        # Not in the bar of the entry: what came first inside it is not known.
        assert self.ends(view, row) == ("2024-06-03 00:15", "2024-06-03 00:30")

    def test_the_stop_ends_it(self):
        happens = {
            "2024-06-03 00:15": (105.5, 105.5, 105.2, 105.3),
            "2024-06-03 00:30": (105.3, 105.3, 101.0, 101.0),
        }
        _, result = self.run(happens, use_prev_day_cpr_tp_filter=False)

        (row,) = result.trades
        assert row.exit_reason is ExitReason.STOP
        assert row.exit_price == pytest.approx(105.289 * 0.965, abs=0.02)

    def test_a_close_below_the_range_leaves_at_the_next_open(self):
        happens = {
            "2024-06-03 00:15": (105.5, 105.5, 105.2, 105.4),
            "2024-06-03 00:30": (105.4, 105.4, 104.9, 104.9),
            "2024-06-03 00:45": (104.8, 105.0, 104.8, 105.0),
        }
        view, result = self.run(happens)

        (row,) = result.trades
        assert (row.exit_reason, row.exit_price) == (ExitReason.SIGNAL, pytest.approx(104.8))
        assert self.ends(view, row)[1] == "2024-06-03 00:45"

    def test_the_end_of_the_day_closes_what_is_left(self):
        happens = {"2024-06-03 00:15": (105.5, 105.5, 105.2, 105.4)}
        view, result = self.run(happens, use_prev_day_cpr_tp_filter=False)

        row = result.trades[0]
        assert row.exit_reason is ExitReason.SESSION_END
        # Decided at the close of 23:45, filled at the open of midnight.
        assert self.ends(view, row)[1] == "2024-06-04 00:00"

    def test_below_the_range_the_exit_waits_until_the_price_was_above_it(self):
        happens = {
            # Bought at 104.71 by a stop order, far below BC at 105: that alone ends nothing.
            "2024-06-03 00:15": (104.5, 104.8, 104.5, 104.7),
            "2024-06-03 00:30": (104.7, 104.8, 104.6, 104.7),
            "2024-06-03 02:00": (104.7, 105.2, 104.7, 105.1),
            "2024-06-03 02:15": (105.1, 105.1, 104.9, 104.9),
        }
        view, result = self.run(
            happens,
            price=104.5,
            distance_condition_type="BELOW",
            use_prev_day_cpr_tp_filter=False,
        )

        row = result.trades[0]
        assert row.entry_price == pytest.approx(104.71, abs=0.011)
        assert row.exit_reason is ExitReason.SIGNAL
        assert self.ends(view, row) == ("2024-06-03 00:15", "2024-06-03 02:30")

    def test_a_day_has_one_entry(self):
        happens = {
            "2024-06-03 00:15": (105.5, 105.5, 105.2, 105.4),
            "2024-06-03 01:00": (105.4, 105.6, 105.4, 105.5),
            "2024-06-03 02:00": (105.5, 105.5, 105.0, 105.5),
        }
        _, result = self.run(happens, end=TOMORROW)

        assert len(result.trades) == 1


@pytest.mark.parametrize(
    "parameters",
    [EASY, {**EASY, "distance_condition_type": "BELOW", "use_monthly_cpr_filter_entry": True}],
)
def test_it_knows_no_future_where_it_trades_often(parameters):
    params = validate_params(CPR, parameters)
    candles = generated_candles(2 * 150 * 24 + 1_500, timeframe=Timeframe.H1, seed=2)
    view = MarketView(candles, Timeframe.H1)

    assert cpr_daily.signals(view, Params(**parameters)).enter_long.sum() > 20
    assert check_causality(CPR, params, candles, Timeframe.H1) == ()
