"""The records that the compiled functions work on: fixed layouts of 64-bit numbers.

Prices of orders are whole ticks and quantities whole lots; money is float64 in quote currency.
Flags are 0 or 1. The Python faces of these records are ``PositionState``, ``Rules`` and ``Costs``.
"""

from typing import Final

import numpy as np

#: What a fill was for.
LEG_ENTRY: Final = 0
LEG_EXIT: Final = 1
LEG_STOP: Final = 2
LEG_TARGET: Final = 3
LEG_LADDER: Final = 4

#: How an order meets the market.
AT_MARKET: Final = 0
AT_LIMIT: Final = 1
AT_STOP: Final = 2

#: Why a position, or a part of it, was closed: places in ``market.enums.ExitReason``.
EXIT_STOP: Final = 0
EXIT_TRAIL: Final = 1
EXIT_TARGET: Final = 2
EXIT_SIGNAL: Final = 3
EXIT_SESSION_END: Final = 4
EXIT_TIME_LIMIT: Final = 5
EXIT_LIQUIDATION: Final = 6
EXIT_MANUAL: Final = 7
EXIT_END_OF_DATA: Final = 8

#: A position with everything that is carried from bar to bar; see ``strategies.state``.
STATE: Final = np.dtype(
    [
        ("lots", np.int64),
        ("average_price", np.float64),
        ("cash", np.float64),
        ("capital", np.float64),
        ("entry_fees", np.float64),
        ("stop_ticks", np.int64),
        ("stop_trails", np.int64),
        ("target_ticks", np.int64),
        ("targets_done", np.int64),
        ("last_target_ticks", np.int64),
        ("first_target_ticks", np.int64),
        ("trail_mark", np.float64),
        ("ladder_base", np.float64),
        ("ladder_step", np.int64),
        ("ladder_ticks", np.int64),
        ("ladder_lots", np.int64),
        ("exit_lots", np.int64),
        ("exit_reason", np.int64),
        ("entry_side", np.int64),
        ("entry_kind", np.int64),
        ("entry_lots", np.int64),
        ("entry_ticks", np.int64),
        ("entry_stop_ticks", np.int64),
        ("entry_target_ticks", np.int64),
        ("entry_budget", np.float64),
        ("entry_bars_left", np.int64),
        ("awaits_venue", np.int64),
        ("seen_lots", np.int64),
        ("was_closed", np.int64),
        ("entered_inside", np.int64),
        ("entered_ms", np.int64),
        ("bars_held", np.int64),
        ("exit_armed", np.int64),
        ("cooldown_until_ms", np.int64),
        ("day_ms", np.int64),
        ("trades_of_day", np.int64),
        ("trades", np.int64),
    ]
)

#: ``strategies.rules.Rules``; percents are fractions here, sizing and direction are codes.
RULES: Final = np.dtype(
    [
        ("stop", np.float64),
        ("target", np.float64),
        ("partial_targets", np.int64),
        ("target_1", np.float64),
        ("target_1_part", np.float64),
        ("target_2", np.float64),
        ("target_2_part", np.float64),
        ("stop_ratchets", np.int64),
        ("trail_activation", np.float64),
        ("trail_offset", np.float64),
        ("ladder_steps", np.int64),
        ("ladder_deviation", np.float64),
        ("ladder_quote", np.float64),
        ("ladder_scale", np.float64),
        ("anchor_has_fees", np.int64),
        ("sizing", np.int64),
        ("size", np.float64),
        ("compounds", np.int64),
        ("capital_parts", np.int64),
        ("may_go_long", np.int64),
        ("may_go_short", np.int64),
        ("leverage", np.float64),
        ("cooldown_ms", np.int64),
        ("max_trades_per_day", np.int64),
        ("max_trades", np.int64),
        ("max_hold_ms", np.int64),
        ("exit_after_bars", np.int64),
        ("exit_needs_arming", np.int64),
        ("reverses", np.int64),
        ("max_open_positions", np.int64),
    ]
)

#: ``market.costs.Costs``.
COSTS: Final = np.dtype(
    [
        ("maker_rate", np.float64),
        ("taker_rate", np.float64),
        ("adverse_rate", np.float64),
        ("tick_size", np.float64),
        ("lot_step", np.float64),
        ("minimum_notional", np.float64),
        ("minimum_lots", np.int64),
        ("maintenance_rate", np.float64),
    ]
)

#: One bar: open time in milliseconds UTC, prices, and what funding costs per unit of notional at
#: its open (positive: longs pay).
BAR: Final = np.dtype(
    [
        ("open_time", np.int64),
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("funding_rate", np.float64),
    ]
)

#: One execution; ``side`` is 1 for a buy and -1 for a sale, ``bar`` the index in the run, ``step``
#: the number of the target or of the ladder's order.
FILL: Final = np.dtype(
    [
        ("bar", np.int64),
        ("open_time", np.int64),
        ("lots", np.int64),
        ("price_ticks", np.int64),
        ("fee", np.float64),
        ("slippage", np.float64),
        ("side", np.int8),
        ("leg", np.int8),
        ("kind", np.int8),
        ("is_maker", np.int8),
        ("at_open", np.int8),
        ("exit_reason", np.int8),
        ("is_ambiguous", np.int8),
        ("step", np.int8),
    ],
    align=True,
)

#: The most fills of one position in one bar: an exit, an entry, a whole ladder, targets, a stop.
MOST_FILLS: Final = 64

#: What the fills of one bar are put on, ``count`` of them. A record and no array: compiled functions
#: hand a record on for nothing, but count the references of an array at each call.
TRAY: Final = np.dtype([("count", np.int64), ("fills", FILL, (MOST_FILLS,))], align=True)
