"""Fills written down, and what they do to a position and its cash."""

from market.kernel.compiling import compiled
from market.kernel.records import AT_LIMIT, AT_MARKET

# mypy: disable-error-code="no-untyped-def"


@compiled
def book(s, bar, costs, side, lots, ticks, reference, leg, kind, at_open, exit_reason, tray):
    """Write a fill down and move the position and the cash of *s* by it."""
    price = ticks * costs.tick_size
    is_maker = kind == AT_LIMIT
    rate = costs.maker_rate if is_maker else costs.taker_rate
    fee = lots * costs.lot_step * price * rate
    fill = tray.fills[tray.count]
    tray.count += 1
    fill.open_time = bar.open_time
    fill.lots = lots
    fill.price_ticks = ticks
    fill.fee = fee
    fill.slippage = lots * costs.lot_step * (side * (price - reference))
    fill.side = side
    fill.leg = leg
    fill.kind = kind
    fill.is_maker = is_maker
    fill.at_open = at_open
    fill.exit_reason = exit_reason
    fill.is_ambiguous = 0
    fill.step = 0
    move(s, side * lots, price, fee, costs)


@compiled
def move(s, signed, price, fee, costs):
    """Book *signed* lots at *price* with *fee* on the position and the cash of *s*."""
    lots = s.lots
    after = lots + signed
    s.cash -= signed * costs.lot_step * price + fee
    if lots * signed >= 0:
        s.average_price = (lots * s.average_price + signed * price) / after
        s.entry_fees += fee
    elif after == 0:
        s.average_price = 0.0
        s.entry_fees = 0.0
    elif (after > 0) != (lots > 0):
        s.average_price = price
        s.entry_fees = fee
    else:
        s.entry_fees *= after / lots
    s.lots = after
    if after == 0:
        s.was_closed = 1
        drop_protection(s)


@compiled
def drop_protection(s):
    """Take away stop, targets and ladder of *s*."""
    s.stop_ticks = 0
    s.stop_trails = 0
    s.target_ticks = 0
    s.targets_done = 0
    s.last_target_ticks = 0
    s.first_target_ticks = 0
    s.trail_mark = 0.0
    s.ladder_base = 0.0
    s.ladder_step = 0
    s.ladder_ticks = 0
    s.ladder_lots = 0


@compiled
def forget_entry(s):
    """Take back the entry that waits in *s*."""
    s.entry_side = 0
    s.entry_kind = AT_MARKET
    s.entry_lots = 0
    s.entry_ticks = 0
    s.entry_stop_ticks = 0
    s.entry_target_ticks = 0
    s.entry_budget = 0.0
    s.entry_bars_left = 0
