"""The pre-market breakout as specified."""

from typing import Any

import numpy as np
import pytest

from market.enums import Direction, ExitReason, InstrumentKind
from market.errors import InvalidInputError
from market.timeframes import Timeframe
from strategies.definitions import premarket_breakout
from strategies.definitions.premarket_breakout import Params
from strategies.registry import get_definition, validate_params
from strategies.rules import SizingMode
from tests.strategies.calendars import Prices, market, times, trade

PREMARKET = get_definition("premarket-breakout")
NEW_YORK, SYDNEY = "America/New_York", "Australia/Sydney"
#: Extremes before the open of a Monday in New York; the range is 99 to 101.
RANGE: dict[str, Prices] = {
    "2024-06-03 07:30": (100, 101, 100, 100),
    "2024-06-03 09:25": (100, 100, 99, 100),
}
UP: dict[str, Prices] = {"2024-06-03 10:00": (100, 101.3, 100, 101.2)}
DOWN: dict[str, Prices] = {"2024-06-03 10:00": (100, 100, 98.7, 98.8)}
#: The price stays where the break has taken it.
STAYS_UP: dict[str, Prices] = {
    f"2024-06-03 10:{minute:02}": (101.2, 101.3, 101.1, 101.2) for minute in range(5, 60, 5)
}


def monday(happens, *, without=(), until="2024-06-04 00:00"):
    """Return a Monday in New York, quiet at 100 but for its range and what *happens*."""
    return market(
        "2024-06-03 00:00",
        until,
        Timeframe.M5,
        {**RANGE, **happens},
        zone=NEW_YORK,
        without=without,
    )


def said(view, **parameters):
    """Return when the bars open at which each signal is given, in New York."""
    signals = premarket_breakout.signals(view, Params(**parameters))
    names = ("enter_long", "enter_short", "exit_long", "exit_short")
    return {name: times(view, getattr(signals, name), NEW_YORK) for name in names}


def entries(view, **parameters):
    told = said(view, **parameters)
    return told["enter_long"], told["enter_short"]


class TestParameters:
    def test_defaults_are_the_published_ones(self):
        assert Params().model_dump(exclude={"direction", "leverage"}) == {
            "max_trades_per_day": 1,
            "cooldown_bars": 1,
            "premarket_start": "07:30",
            "premarket_end": "09:30",
            "timezone": "America/New_York",
            "lookback_bars": 0,
            "premarket_max_deviation_percent": 0.5,
            "range_exit": "REENTER",
            "session_end": "16:00",
            "flat_at_session_end": True,
            "weekdays_only": True,
            "tp_percent": 1.0,
            "sl_percent": 0.5,
            "position_size_percent_capital": 10.0,
        }

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("premarket_start", "25:00", "wrong_type"),
            ("premarket_start", "09:30", "inconsistent"),
            ("session_end", "09:30", "inconsistent"),
            ("session_end", "none", "wrong_type"),
            ("timezone", "Gotham/City", "wrong_type"),
            ("lookback_bars", 121, "out_of_range"),
            ("premarket_max_deviation_percent", 0.0, "out_of_range"),
            ("premarket_max_deviation_percent", 5.1, "out_of_range"),
            ("tp_percent", 50.1, "out_of_range"),
            ("sl_percent", 0.04, "out_of_range"),
            ("position_size_percent_capital", 0.0, "out_of_range"),
            ("range_exit", "never", "wrong_type"),
            ("orb_hour", 9, "unknown_field"),
        ],
    )
    def test_limits_are_enforced(self, name, value, code):
        with pytest.raises(InvalidInputError) as caught:
            validate_params(PREMARKET, {name: value})

        assert [(each.field, each.code) for each in caught.value.problems] == [(name, code)]

    @pytest.mark.parametrize(
        ("timeframe", "suits"), [("1m", True), ("30m", True), ("1h", False), ("2h", False)]
    )
    def test_a_bar_has_to_begin_with_the_session(self, timeframe, suits):
        requirements = premarket_breakout.requirements(Params())

        assert (requirements.objection(Timeframe(timeframe)) == "") is suits

    def test_rules_wait_with_the_way_back_until_the_second_bar(self):
        rules = premarket_breakout.rules(Params())

        assert (rules.sizing, rules.size) == (SizingMode.NOTIONAL, 10.0)
        assert (rules.stop_percent, rules.target_percent) == (0.5, 1.0)
        assert rules.exit_after_bars == 2
        assert (rules.max_trades_per_day, rules.cooldown_bars) == (1, 1)
        assert premarket_breakout.rules(Params(range_exit="OPPOSITE")).exit_after_bars == 0
        assert not rules.for_market(InstrumentKind.SPOT, Timeframe.M5).may_go_short


class TestEntries:
    def test_the_first_close_above_the_range_enters_long_once(self):
        assert entries(monday({**UP, **STAYS_UP})) == (["2024-06-03 10:00"], [])

    def test_the_first_close_below_the_range_enters_short_once(self):
        assert entries(monday(DOWN)) == ([], ["2024-06-03 10:00"])

    def test_a_price_that_has_run_too_far_is_not_followed(self):
        far = {"2024-06-03 10:00": (100, 101.6, 100, 101.55)}

        assert entries(monday(far)) == ([], [])
        assert entries(monday(far), premarket_max_deviation_percent=0.6) == (
            ["2024-06-03 10:00"],
            [],
        )
        # Nor later, unless it crosses again.
        back = {"2024-06-03 10:05": (101.5, 101.5, 101.2, 101.2)}
        assert entries(monday({**far, **back})) == ([], [])

    def test_the_first_bar_of_the_session_may_break_out_and_is_no_part_of_the_range(self):
        at_once = {"2024-06-03 09:30": (100, 101.3, 100, 101.2)}

        assert entries(monday(at_once)) == (["2024-06-03 09:30"], [])

    def test_what_happened_before_the_pre_market_is_no_part_of_the_range(self):
        earlier = {**UP, "2024-06-03 07:25": (100, 105, 95, 100)}

        assert entries(monday(earlier)) == (["2024-06-03 10:00"], [])

    def test_a_number_of_bars_can_replace_the_time(self):
        # Without the bar of 07:30 the range is only 99 to 100.
        happens = {"2024-06-03 10:00": (100, 100.4, 100, 100.3)}

        assert entries(monday(happens)) == ([], [])
        assert entries(monday(happens), lookback_bars=23) == (["2024-06-03 10:00"], [])
        assert entries(monday(happens), lookback_bars=24) == ([], [])

    def test_a_fifth_of_the_bars_may_be_missing_and_no_more(self):
        hour = tuple(f"2024-06-03 08:{minute:02}" for minute in range(0, 25, 5))

        # 20 of 24 bars are 83 %, 19 are 79 %.
        assert entries(monday(UP, without=hour[:4])) == (["2024-06-03 10:00"], [])
        assert entries(monday(UP, without=hour)) == ([], [])

    def test_nothing_is_entered_from_the_sessions_end_on(self):
        late = {"2024-06-03 15:55": UP["2024-06-03 10:00"]}

        assert entries(monday(late)) == ([], [])
        assert entries(monday(late), session_end="16:05") == (["2024-06-03 15:55"], [])

    def test_weekends_are_left_out_unless_wanted(self):
        sunday = {key.replace("06-03", "06-02"): prices for key, prices in {**RANGE, **UP}.items()}
        view = market("2024-06-02 00:00", "2024-06-03 00:00", Timeframe.M5, sunday, zone=NEW_YORK)

        assert entries(view) == ([], [])
        assert entries(view, weekdays_only=False) == (["2024-06-02 10:00"], [])

    def test_no_candles_no_signals(self):
        view = market("2024-06-03 00:00", "2024-06-03 00:00", Timeframe.M5)

        assert len(premarket_breakout.signals(view, Params())) == 0


class TestExits:
    def test_a_close_back_inside_the_edge_ends_the_trade(self):
        told = said(monday({**UP, **STAYS_UP}))

        # Above 101 for an hour, from then on inside again.
        outside = {f"2024-06-03 10:{minute:02}" for minute in range(0, 60, 5)}
        assert outside.isdisjoint(told["exit_long"])
        assert "2024-06-03 11:00" in told["exit_long"]
        assert "2024-06-03 09:25" not in told["exit_long"]

    def test_the_opposite_edge_ends_it_if_so_wished(self):
        falls = {**UP, "2024-06-03 11:00": (100, 100, 98, 98.5)}

        told = said(monday(falls), range_exit="OPPOSITE")
        assert told["exit_long"] == ["2024-06-03 11:00"]
        assert told["exit_short"] == ["2024-06-03 10:00"]

    def test_no_price_ends_it_if_so_wished(self):
        told = said(monday(UP), range_exit="OFF")

        assert told["exit_long"] == told["exit_short"] == []

    def test_outside_the_session_everything_is_closed(self):
        view = monday({})
        inside = times(
            view, ~np.asarray(premarket_breakout.signals(view, Params()).flatten), NEW_YORK
        )

        assert (inside[0], inside[-1]) == ("2024-06-03 09:30", "2024-06-03 15:50")
        assert premarket_breakout.signals(view, Params(flat_at_session_end=False)).flatten is None


class TestZones:
    @pytest.mark.parametrize(
        ("date", "zone", "opens_at"),
        [
            ("2024-03-09", NEW_YORK, "2024-03-09 14:30"),
            ("2024-03-10", NEW_YORK, "2024-03-10 13:30"),
            ("2024-11-03", NEW_YORK, "2024-11-03 14:30"),
            ("2024-04-06", SYDNEY, "2024-04-05 22:30"),
            ("2024-04-07", SYDNEY, "2024-04-06 23:30"),
            ("2024-10-06", SYDNEY, "2024-10-05 22:30"),
        ],
    )
    def test_the_session_follows_the_clocks_of_its_zone(self, date, zone, opens_at):
        view = market(
            f"{date} 00:00",
            f"{date} 23:55",
            Timeframe.M5,
            {f"{date} 07:30": (100, 102, 98, 100), f"{date} 09:30": (100, 102.5, 100, 102.2)},
            zone=zone,
        )
        params = Params(timezone=zone, weekdays_only=False)

        high, low, highest, lowest = premarket_breakout.overlays(view, params)
        known = ~np.isnan(high.values)
        assert times(view, known)[0] == opens_at
        assert {float(each) for each in high.values[known]} == {102.0}
        assert {float(each) for each in low.values[known]} == {98.0}
        assert highest.values[known][0] == pytest.approx(102.51)
        assert lowest.values[known][0] == pytest.approx(97.51)
        assert times(view, premarket_breakout.signals(view, params).enter_long) == [opens_at]


class TestTrades:
    """Through the simulation: what becomes of a break."""

    def run(self, happens, kind=InstrumentKind.LINEAR_SWAP, **parameters: Any):
        return trade(PREMARKET, monday(happens), kind, trade_from="2024-06-03 13:00", **parameters)

    def test_a_long_trade_ends_at_its_target(self):
        rises = {**UP, **STAYS_UP, "2024-06-03 10:30": (101.2, 102.5, 101.2, 102.4)}

        (row,) = self.run(rises).trades
        assert (row.direction, row.exit_reason) == (Direction.LONG, ExitReason.TARGET)
        # Entered at the open of 10:05, bar 121 of the day.
        assert (row.entry_index, row.exit_index) == (121, 126)

    def test_a_short_trade_ends_at_its_stop(self):
        rises = {
            **DOWN,
            "2024-06-03 10:05": (98.8, 98.9, 98.7, 98.8),
            "2024-06-03 10:10": (98.8, 99.5, 98.8, 98.9),
        }

        (row,) = self.run(rises).trades
        assert (row.direction, row.exit_reason) == (Direction.SHORT, ExitReason.STOP)
        assert (row.entry_index, row.exit_index) == (121, 122)

    def test_on_spot_a_break_downwards_is_not_traded(self):
        assert self.run(DOWN, InstrumentKind.SPOT).trades == ()
        assert len(self.run({**UP, **STAYS_UP}, InstrumentKind.SPOT).trades) == 1

    def test_a_price_that_comes_back_ends_the_trade_from_the_second_bar_on(self):
        back = {
            **UP,
            "2024-06-03 10:05": (101.2, 101.2, 100.9, 100.95),
            "2024-06-03 10:10": (100.95, 101.0, 100.9, 100.95),
            "2024-06-03 10:15": (100.95, 101.0, 100.9, 100.95),
            "2024-06-03 10:20": (100.95, 101.0, 100.9, 100.95),
        }

        (row,) = self.run(back).trades
        assert row.exit_reason is ExitReason.SIGNAL
        # Entered at the open of 10:05; 10:15 is the second bar after it.
        assert (row.entry_index, row.exit_index) == (121, 124)

    def test_the_end_of_the_session_closes_what_is_left(self):
        stays = {
            f"2024-06-03 {minute // 60:02}:{minute % 60:02}": (101.2, 101.3, 101.1, 101.2)
            for minute in range(605, 24 * 60, 5)
        }

        (row,) = self.run({**UP, **stays}).trades
        assert row.exit_reason is ExitReason.SESSION_END
        assert row.exit_index == 16 * 12
