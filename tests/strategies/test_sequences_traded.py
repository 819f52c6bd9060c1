"""Hand-made bars through the engine: how the trades of four strategies begin and end."""

from typing import Any

import pytest

from market.enums import Direction, ExitReason, InstrumentKind
from market.timeframes import Timeframe
from strategies.registry import get_definition
from tests.strategies import (
    test_kernel_envelope,
    test_macd_mtf_forecast,
    test_orphan_bands,
    test_rsi_divergence,
)
from tests.strategies.calendars import trade
from tests.strategies.sequences import mirrored, view_of

SWAP, SPOT = InstrumentKind.LINEAR_SWAP, InstrumentKind.SPOT

#: Signal at the close of bar 80, at 98; the bar after it opens there.
FALLEN = [*test_kernel_envelope.CLOSES[:81], (98.0, 98.2, 97.9, 98.1)]
#: Signal at the close of bar 22; the bar after it opens at 93.
DIVERGED = [*test_rsi_divergence.CLOSES[:23], 93.0]
#: Signal at the close of bar 21; the bar after it opens at 110.2.
RECOVERED = test_orphan_bands.RECOVERY[:23]
#: Signal at the close of bar 58; the bar after it opens at 113.
CROSSED = test_macd_mtf_forecast.CLOSES[:60]

ENVELOPE: dict[str, Any] = test_kernel_envelope.SMALL
DIVERGENCE: dict[str, Any] = test_rsi_divergence.SMALL
BANDS: dict[str, Any] = {**test_orphan_bands.SMALL, "use_trailing": False}
MACD: dict[str, Any] = {**test_macd_mtf_forecast.SMALL, "lot_size": 1.0}


def traded(slug, bars, parameters, *, kind=SWAP):
    timeframe = Timeframe.M1 if slug == "macd-mtf-forecast" else Timeframe.H1
    result = trade(get_definition(slug), view_of(bars, timeframe), kind, **parameters)
    return [
        (each.direction, each.exit_reason, round(each.entry_price, 2), round(each.exit_price, 2))
        for each in result.trades
    ]


class TestStopAndTarget:
    @pytest.mark.parametrize(
        ("slug", "bars", "parameters", "entry", "stop", "target"),
        [
            ("kernel-envelope", FALLEN, ENVELOPE, 98.0, 97.51, 98.98),
            ("rsi-divergence", DIVERGED, DIVERGENCE, 93.0, 91.14, 96.72),
            ("orphan-bands", RECOVERED, {**BANDS, "tp_percent": 5.0}, 110.2, 107.99, 115.71),
            ("macd-mtf-forecast", CROSSED, MACD, 113.0, 110.74, 117.52),
        ],
    )
    def test_a_trade_ends_at_exactly_one_of_them(self, slug, bars, parameters, entry, stop, target):
        falls = (entry, entry, stop - 1, stop - 1)
        rises = (entry, target + 1, entry, target + 1)

        assert traded(slug, [*bars, falls], parameters) == [
            (Direction.LONG, ExitReason.STOP, entry, stop)
        ]
        assert traded(slug, [*bars, rises], parameters) == [
            (Direction.LONG, ExitReason.TARGET, entry, target)
        ]

    def test_without_stop_and_target_the_macd_holds_through_both(self):
        parameters = {**MACD, "use_stop_loss": False, "use_take_profit": False}
        both = (113.0, 130.0, 100.0, 118.0)

        assert traded("macd-mtf-forecast", [*CROSSED, both], parameters) == [
            (Direction.LONG, ExitReason.END_OF_DATA, 113, 118)
        ]

    def test_short_is_the_mirror_image_on_swaps_and_nothing_on_spot(self):
        rises = mirrored(DIVERGED)
        falls = (107.0, 107.0, 102.0, 102.5)

        assert traded("rsi-divergence", [*rises, falls], DIVERGENCE) == [
            (Direction.SHORT, ExitReason.TARGET, 107, 102.72)
        ]
        assert traded("rsi-divergence", [*rises, falls], DIVERGENCE, kind=SPOT) == []


class TestSignalExits:
    def test_the_macd_leaves_at_the_open_after_the_opposite_cross_and_turns_if_both_agree(self):
        bars = [*test_macd_mtf_forecast.CLOSES, 118, 117, 116]
        parameters = {**MACD, "take_profit_percent": 50.0}

        assert traded("macd-mtf-forecast", bars, parameters) == [
            (Direction.LONG, ExitReason.SIGNAL, 113, 117),
            (Direction.SHORT, ExitReason.END_OF_DATA, 117, 116),
        ]
        assert traded("macd-mtf-forecast", bars, parameters, kind=SPOT) == [
            (Direction.LONG, ExitReason.SIGNAL, 113, 117)
        ]

    def test_the_opposite_divergence_turns_the_position_if_asked_for(self):
        """After the low a top that the index does not confirm: it shows at bar 37."""
        top = [94, 95, 97, 100, 103, 101, 99, 98, 100, 102, 103.5, 103.7, 102.5, 101]
        bars = [*test_rsi_divergence.CLOSES, *top]
        parameters = {**DIVERGENCE, "take_profit_percent": 50.0, "exit_on_opposite": True}

        assert traded("rsi-divergence", bars, parameters) == [
            (Direction.LONG, ExitReason.SIGNAL, 93, 101),
            (Direction.SHORT, ExitReason.END_OF_DATA, 101, 101),
        ]
        held = {**parameters, "exit_on_opposite": False}
        assert traded("rsi-divergence", bars, held) == [
            (Direction.LONG, ExitReason.END_OF_DATA, 93, 101)
        ]

    @pytest.mark.parametrize(("delay", "price"), [(0, 114.0), (1, 115.0)])
    def test_the_bands_are_left_at_the_open_after_the_delay(self, delay, price):
        """The close passes the upper band at bar 25."""
        bars = [*test_orphan_bands.RECOVERY[:26], 114, 115, 116]

        assert traded("orphan-bands", bars, {**BANDS, "bb_exit_delay": delay}) == [
            (Direction.LONG, ExitReason.SIGNAL, 110.2, price)
        ]


class TestTrail:
    def test_the_stop_follows_the_highest_price_half_a_percent_behind(self):
        parameters = {**BANDS, "use_trailing": True, "bb_exit": False}
        rises = (110.2, 112.0, 110.2, 111.9)
        falls = (111.9, 111.9, 111.0, 111.2)

        assert traded("orphan-bands", [*RECOVERED, rises, falls], parameters) == [
            (Direction.LONG, ExitReason.TRAIL, 110.2, 111.44)
        ]

    def test_a_gain_too_small_activates_nothing(self):
        parameters = {**BANDS, "use_trailing": True, "bb_exit": False}
        rises = (110.2, 110.5, 110.2, 110.5)
        falls = (110.5, 110.5, 108.5, 109.0)

        assert traded("orphan-bands", [*RECOVERED, rises, falls], parameters) == [
            (Direction.LONG, ExitReason.END_OF_DATA, 110.2, 109)
        ]
