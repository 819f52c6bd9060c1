"""The opening-range breakout as specified."""

from typing import Any

import numpy as np
import pytest

from market.enums import Direction, ExitReason, InstrumentKind
from market.errors import InvalidInputError
from market.timeframes import Timeframe
from strategies.definitions import opening_range
from strategies.definitions.opening_range import Params
from strategies.registry import get_definition, validate_params
from strategies.rules import SizingMode
from strategies.shapes import StrategyParams
from tests.strategies.calendars import Prices, at, market, times, trade

ORB = get_definition("opening-range")
NEW_YORK, SYDNEY = "America/New_York", "Australia/Sydney"
#: The range of a Monday in New York, and a break upwards that two bars confirm.
RANGE: dict[str, Prices] = {"2024-06-03 09:30": (100, 101, 99, 100)}
UP: dict[str, Prices] = {
    "2024-06-03 10:00": (100, 101.5, 100, 101.4),
    "2024-06-03 10:05": (101.4, 101.6, 101.3, 101.5),
    "2024-06-03 10:10": (101.5, 101.7, 101.4, 101.6),
}
DOWN: dict[str, Prices] = {
    "2024-06-03 10:00": (100, 100, 98.5, 98.6),
    "2024-06-03 10:05": (98.6, 98.7, 98.4, 98.5),
    "2024-06-03 10:10": (98.5, 98.6, 98.3, 98.4),
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


def entries(view, **parameters):
    """Return when the bars open at whose closes something is entered, in New York."""
    signals = opening_range.signals(view, Params(**parameters))
    return times(view, signals.enter_long, NEW_YORK), times(view, signals.enter_short, NEW_YORK)


class TestParameters:
    def test_defaults_are_the_published_ones(self):
        assert Params().model_dump(exclude={"direction", "leverage", "cooldown_bars"}) == {
            "max_trades_per_day": 1,
            "orb_hour": 9,
            "orb_minute": 30,
            "orb_timezone": "America/New_York",
            "lookback_bars_for_orb": 1,
            "confirm": "THREE_BAR",
            "session_end_time": "16:00",
            "flat_at_session_end": True,
            "weekdays_only": False,
            "tp_percent": 1.0,
            "sl_percent": 0.5,
            "position_size_percent_capital": 10.0,
        }

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("orb_hour", 24, "out_of_range"),
            ("orb_minute", 60, "out_of_range"),
            ("lookback_bars_for_orb", 0, "out_of_range"),
            ("lookback_bars_for_orb", 11, "out_of_range"),
            ("tp_percent", 0.04, "out_of_range"),
            ("sl_percent", 50.1, "out_of_range"),
            ("position_size_percent_capital", 100.1, "out_of_range"),
            ("max_trades_per_day", -1, "out_of_range"),
            ("orb_timezone", "America/Atlantis", "wrong_type"),
            ("orb_timezone", "America", "wrong_type"),
            ("orb_timezone", "../etc/passwd", "wrong_type"),
            ("orb_timezone", "localtime", "wrong_type"),
            ("session_end_time", "4 pm", "wrong_type"),
            ("session_end_time", "09:30", "inconsistent"),
            ("confirm", "three_bar", "wrong_type"),
            ("orb_timezones", "UTC", "unknown_field"),
        ],
    )
    def test_limits_are_enforced(self, name, value, code):
        with pytest.raises(InvalidInputError) as caught:
            validate_params(ORB, {name: value})

        assert [(each.field, each.code) for each in caught.value.problems] == [(name, code)]

    def test_a_wrong_zone_is_explained(self):
        with pytest.raises(InvalidInputError, match="“Mars/Base” is no time zone; write it like"):
            validate_params(ORB, {"orb_timezone": "Mars/Base"})

    @pytest.mark.parametrize("zone", ["UTC", "US/Eastern", "Asia/Kolkata", "Europe/Berlin"])
    def test_any_zone_of_the_database_will_do(self, zone):
        params = validate_params(ORB, {"orb_timezone": zone})

        assert params.model_dump()["orb_timezone"] == zone

    @pytest.mark.parametrize(
        ("timeframe", "parameters", "suits"),
        [
            ("5m", {}, True),
            ("30m", {}, True),
            ("1h", {}, False),
            ("1h", {"orb_minute": 0}, True),
            ("2h", {"orb_hour": 10, "orb_minute": 0}, False),
            ("2h", {"orb_hour": 10, "orb_minute": 0, "orb_timezone": "UTC"}, True),
            ("4h", {"orb_hour": 8, "orb_minute": 0, "orb_timezone": "UTC"}, False),
            ("30m", {"orb_hour": 9, "orb_minute": 15, "orb_timezone": "Asia/Kolkata"}, False),
            ("15m", {"orb_hour": 9, "orb_minute": 15, "orb_timezone": "Asia/Kolkata"}, True),
        ],
    )
    def test_a_bar_has_to_begin_with_the_session(self, timeframe, parameters, suits):
        requirements = opening_range.requirements(Params(**parameters))

        assert (requirements.objection(Timeframe(timeframe)) == "") is suits

    def test_rules_size_by_worth_and_on_spot_nothing_is_sold_short(self):
        rules = opening_range.rules(Params(tp_percent=2, sl_percent=1))

        assert (rules.sizing, rules.size) == (SizingMode.NOTIONAL, 10.0)
        assert (rules.stop_percent, rules.target_percent) == (1.0, 2.0)
        assert rules.max_trades_per_day == 1
        assert not rules.for_market(InstrumentKind.SPOT, Timeframe.M5).may_go_short
        assert rules.for_market(InstrumentKind.LINEAR_SWAP, Timeframe.M5).may_go_short

    def test_common_parameters_are_there(self):
        assert set(StrategyParams.model_fields) < set(Params.model_fields)


class TestEntries:
    def test_a_break_upwards_that_two_bars_confirm_enters_long_once(self):
        assert entries(monday(UP)) == (["2024-06-03 10:10"], [])

    def test_a_break_downwards_that_two_bars_confirm_enters_short_once(self):
        assert entries(monday(DOWN)) == ([], ["2024-06-03 10:10"])

    @pytest.mark.parametrize(
        "changed",
        [
            # The first bar only touches the range, or the bars behind it do not go further.
            {"2024-06-03 10:00": (100, 101.5, 100, 101.0)},
            {"2024-06-03 10:05": (101.4, 101.5, 101.3, 101.5)},
            {"2024-06-03 10:10": (101.5, 101.6, 101.4, 101.6)},
        ],
    )
    def test_a_break_that_is_not_confirmed_enters_nothing(self, changed):
        assert entries(monday({**UP, **changed})) == ([], [])

    def test_the_last_bar_of_the_range_may_stand_in_front_of_the_break(self):
        shifted = {
            f"2024-06-03 09:{minute}": prices
            for minute, prices in zip((35, 40, 45), UP.values(), strict=True)
        }

        assert entries(monday(shifted)) == (["2024-06-03 09:45"], [])

    def test_the_range_has_as_many_bars_as_asked_for_from_the_session_on(self):
        wide = {**UP, "2024-06-03 09:35": (100.0, 101.45, 100.0, 100.0)}

        # The close of 10:00 lies below the high of the second bar now.
        assert entries(monday(wide)) == (["2024-06-03 10:10"], [])
        assert entries(monday(wide), lookback_bars_for_orb=2) == ([], [])
        # What is higher before the session is no part of it.
        early = {**UP, "2024-06-03 09:25": (100.0, 105.0, 95.0, 100.0)}
        assert entries(monday(early), lookback_bars_for_orb=2) == (["2024-06-03 10:10"], [])

    def test_a_session_whose_first_bars_are_not_all_there_is_not_traded(self):
        happens = {**RANGE, **UP}
        del happens["2024-06-03 09:30"]

        without = market(
            "2024-06-03 00:00",
            "2024-06-04 00:00",
            Timeframe.M5,
            happens,
            zone=NEW_YORK,
            without=("2024-06-03 09:30",),
        )
        assert entries(without) == ([], [])
        assert entries(monday(UP, without=("2024-06-03 09:35",)), lookback_bars_for_orb=2) == (
            [],
            [],
        )

    def test_the_first_close_beyond_the_range_will_do_if_so_wished(self):
        both = {**UP, "2024-06-03 11:00": (100, 100, 98, 98.5)}

        assert entries(monday(both), confirm="CLOSE_BREAK") == (
            ["2024-06-03 10:00"],
            ["2024-06-03 11:00"],
        )

    def test_nothing_is_entered_from_the_sessions_end_on(self):
        late = {
            f"2024-06-03 {time}": prices
            for time, prices in zip(("15:45", "15:50", "15:55"), UP.values(), strict=True)
        }

        # What is said at the close of 15:55 would be filled at 16:00.
        assert entries(monday(late)) == ([], [])
        assert entries(monday(late), session_end_time="16:05") == (["2024-06-03 15:55"], [])
        assert entries(monday(late), session_end_time="none") == (["2024-06-03 15:55"], [])

    def test_the_range_of_a_day_is_forgotten_the_next_day(self):
        tomorrow = {key.replace("06-03", "06-04"): prices for key, prices in UP.items()}

        view = monday(tomorrow, until="2024-06-05 00:00")

        # Tuesday's own range is flat at 100.
        assert entries(view) == (["2024-06-04 10:10"], [])
        assert entries(
            monday(tomorrow, until="2024-06-05 00:00", without=("2024-06-04 09:30",))
        ) == (
            [],
            [],
        )

    def test_weekends_can_be_left_out(self):
        sunday = {key.replace("06-03", "06-02"): prices for key, prices in {**RANGE, **UP}.items()}
        view = market("2024-06-02 00:00", "2024-06-03 00:00", Timeframe.M5, sunday, zone=NEW_YORK)

        assert entries(view) == (["2024-06-02 10:10"], [])
        assert entries(view, weekdays_only=True) == ([], [])

    def test_no_candles_no_signals(self):
        view = market("2024-06-03 00:00", "2024-06-03 00:00", Timeframe.M5)

        assert len(opening_range.signals(view, Params())) == 0


class TestSessions:
    def test_outside_the_session_everything_is_closed(self):
        view = monday({})
        open_bars = ~np.asarray(opening_range.signals(view, Params()).flatten)

        inside = times(view, open_bars, NEW_YORK)
        # The bar of 15:55 closes when the session does, and so closes the position.
        assert (inside[0], inside[-1]) == ("2024-06-03 09:30", "2024-06-03 15:50")
        assert len(inside) == 77

    @pytest.mark.parametrize(
        "parameters", [{"flat_at_session_end": False}, {"session_end_time": "none"}]
    )
    def test_positions_may_outlive_the_session(self, parameters):
        assert opening_range.signals(monday({}), Params(**parameters)).flatten is None

    def test_bars_are_counted_by_the_day_of_the_zone(self):
        session = opening_range.signals(monday({}), Params()).session

        assert session is not None
        # 2024-06-03 is day 19,877, though in UTC the last bars belong to the next one.
        assert set(session.tolist()) == {19_877}

    @pytest.mark.parametrize(
        ("date", "zone", "hour", "opens_at"),
        [
            # New York: winter, the Sunday on which clocks go forward, and back in November.
            ("2024-03-09", NEW_YORK, "09:30", "2024-03-09 14:30"),
            ("2024-03-10", NEW_YORK, "09:30", "2024-03-10 13:30"),
            ("2024-11-02", NEW_YORK, "09:30", "2024-11-02 13:30"),
            ("2024-11-03", NEW_YORK, "09:30", "2024-11-03 14:30"),
            # Sydney: clocks go back in April and forward in October.
            ("2024-04-06", SYDNEY, "10:00", "2024-04-05 23:00"),
            ("2024-04-07", SYDNEY, "10:00", "2024-04-07 00:00"),
            ("2024-10-05", SYDNEY, "10:00", "2024-10-05 00:00"),
            ("2024-10-06", SYDNEY, "10:00", "2024-10-05 23:00"),
        ],
    )
    def test_the_range_follows_the_clocks_of_its_zone(self, date, zone, hour, opens_at):
        view = market(
            f"{date} 00:00",
            f"{date} 23:55",
            Timeframe.M5,
            {
                f"{date} {hour}": (100, 102, 98, 100),
                f"{date} {hour[:3]}{int(hour[3:]) + 5:02}": (100, 103, 100, 103),
            },
            zone=zone,
        )
        params = Params(
            orb_hour=int(hour[:2]),
            orb_minute=int(hour[3:]),
            orb_timezone=zone,
            confirm="CLOSE_BREAK",
        )

        high, low = opening_range.overlays(view, params)
        known = ~np.isnan(high.values)
        assert times(view, known)[0] == opens_at
        assert {float(each) for each in high.values[known]} == {102.0}
        assert {float(each) for each in low.values[known]} == {98.0}
        first = np.flatnonzero(opening_range.signals(view, params).enter_long)
        assert view.candles.open_time[first].tolist() == [at(opens_at) + 5 * 60_000]


class TestTrades:
    """Through the simulation: what becomes of a break."""

    def run(self, happens, kind=InstrumentKind.LINEAR_SWAP, **parameters: Any):
        return trade(ORB, monday(happens), kind, trade_from="2024-06-03 13:00", **parameters)

    def test_a_long_trade_ends_at_its_target(self):
        rises = {
            **UP,
            "2024-06-03 10:15": (101.6, 101.7, 101.5, 101.6),
            "2024-06-03 10:20": (101.6, 103.0, 101.6, 102.9),
        }

        (row,) = self.run(rises).trades
        assert (row.direction, row.exit_reason) == (Direction.LONG, ExitReason.TARGET)

        (row,) = self.run(rises).trades
        assert (row.direction, row.exit_reason) == (Direction.LONG, ExitReason.TARGET)
        # Entered at the open of 10:15, 1 % below the target; a tenth of the capital.
        assert row.entry_index == 123
        assert row.exit_index == 124

    def test_a_long_trade_ends_at_its_stop(self):
        falls = {
            **UP,
            "2024-06-03 10:15": (101.6, 101.7, 101.5, 101.6),
            "2024-06-03 10:20": (101.6, 101.6, 100.0, 100.1),
        }

        (row,) = self.run(falls).trades
        assert (row.direction, row.exit_reason) == (Direction.LONG, ExitReason.STOP)
        assert (row.entry_index, row.exit_index) == (123, 124)

    def test_a_short_trade_mirrors_it(self):
        falls = {
            **DOWN,
            "2024-06-03 10:15": (98.4, 98.5, 98.3, 98.4),
            "2024-06-03 10:20": (98.4, 98.4, 97.0, 97.1),
        }

        (row,) = self.run(falls).trades
        assert (row.direction, row.exit_reason) == (Direction.SHORT, ExitReason.TARGET)

    def test_on_spot_a_break_downwards_is_not_traded(self):
        assert self.run(DOWN, InstrumentKind.SPOT).trades == ()
        assert len(self.run(UP, InstrumentKind.SPOT).trades) == 1

    def test_the_end_of_the_session_closes_what_is_left(self):
        stays = {
            f"2024-06-03 {minute // 60:02}:{minute % 60:02}": (101.6, 101.7, 101.5, 101.6)
            for minute in range(615, 24 * 60, 5)
        }

        (row,) = self.run({**UP, **stays}).trades
        assert row.exit_reason is ExitReason.SESSION_END
        # Decided at the close of 15:55, filled at the open of 16:00.
        assert row.exit_index == 16 * 12
        (kept,) = self.run({**UP, **stays}, flat_at_session_end=False).trades
        assert kept.exit_reason is ExitReason.END_OF_DATA

    def test_a_session_has_as_many_entries_as_allowed(self):
        again = {key.replace(" 10:", " 12:"): prices for key, prices in DOWN.items()}
        view = {**UP, **again}

        assert len(self.run(view).trades) == 1
        assert len(self.run(view, max_trades_per_day=2).trades) == 2
