"""How one bar meets a position and what waits for it: the rules of fills, compiled.

A bar says where the price began, how far it went and where it ended, not in which order. Where it
does not say, the worse case is assumed (``kindly`` assumes the better one instead):

* funding is due first, on what was held when the bar opened;
* what the first price fills comes next: a market exit, an entry, then what the price jumped over,
  all at the open;
* then the price goes against the position: ladder orders fill, each moving the average and with it
  the stop, until the stop (or the liquidation of a leveraged position) ends it or the bar's extreme
  is reached; only then it goes for the position and fills targets, the resting ones at the farther
  of the levels before and after the ladder moved the average; from there it goes to the close,
  which a stop that followed a target may lie in front of;
* an entry that fills inside the bar may still be stopped out in it, but not reach its target;
* market orders and stops pay slippage and half of the spread and the taker's fee; limits fill at
  their price or better and pay the maker's fee; prices are rounded to ticks against us.

What the bar cannot say, although it matters, is marked on the fill as ambiguous.
"""

from market.kernel.arithmetic import taken_ticks
from market.kernel.booking import book
from market.kernel.compiling import compiled
from market.kernel.levels import anchor, entry_reached, has_level, reached, reaches_target
from market.kernel.records import AT_LIMIT, AT_MARKET, LEG_EXIT
from market.kernel.walking import enter, go_against, go_for

# mypy: disable-error-code="no-untyped-def"


@compiled
def match(s, bar, rules, costs, outside_equity, kindly, tray):
    """Let *bar* meet state *s*, which changes it, and put the fills on *tray*.

    Parameters
    ----------
    s, bar, rules, costs
        Records of ``market.kernel.records``; what waits in *s* existed before *bar*.
    outside_equity
        What the same wallet is worth beside this position (quote); keeps it from liquidation.
    kindly
        Whether the better order inside the bar is assumed.
    tray
        A TRAY record, emptied first. ``bar`` of a fill is left to the caller.
    """
    tray.count = 0
    if s.lots == 0 and s.entry_side == 0:
        return
    if s.lots != 0 and bar.funding_rate != 0.0:
        s.cash -= s.lots * costs.lot_step * bar.open * bar.funding_rate
    resting_anchor = anchor(s, rules, costs) if s.lots != 0 else 0.0
    _at_open(s, bar, rules, costs, outside_equity, resting_anchor, tray)
    if s.lots != 0 and not has_level(s, costs):
        return
    # What rests for the rest of the bar is what the open has left.
    resting_anchor = anchor(s, rules, costs) if s.lots != 0 else 0.0
    low, high = bar.low / costs.tick_size, bar.high / costs.tick_size
    if s.lots > 0:
        _inside(s, bar, rules, costs, low, high, outside_equity, resting_anchor, kindly, tray)
    elif s.lots < 0:
        _inside(s, bar, rules, costs, high, low, outside_equity, resting_anchor, kindly, tray)
    elif s.entry_side != 0 and entry_reached(s, low, high):
        _enter_inside(s, bar, rules, costs, low, high, outside_equity, kindly, tray)


@compiled
def _at_open(s, bar, rules, costs, outside_equity, resting_anchor, tray):
    if s.exit_lots > 0 and s.lots != 0:
        side = -1 if s.lots > 0 else 1
        lots = min(s.exit_lots, abs(s.lots))
        ticks = taken_ticks(bar.open, side, costs)
        reason = s.exit_reason
        book(s, bar, costs, side, lots, ticks, bar.open, LEG_EXIT, AT_MARKET, 1, reason, tray)
    s.exit_lots = 0
    if s.entry_side != 0 and _enters_at_open(s, bar, costs):
        enter(s, bar, rules, costs, bar.open, 1, tray)
        resting_anchor = 0.0
    if s.lots != 0 and has_level(s, costs):
        first = bar.open / costs.tick_size
        go_against(s, bar, rules, costs, first, outside_equity, 1, tray)
        go_for(s, bar, rules, costs, first, resting_anchor, 1, tray)


@compiled
def _enters_at_open(s, bar, costs):
    if s.entry_kind == AT_MARKET:
        return True
    first = bar.open / costs.tick_size
    return entry_reached(s, first, first)


@compiled
def _inside(s, bar, rules, costs, worst, best, outside_equity, resting_anchor, kindly, tray):
    """Walk from the open to *worst* and *best* (ticks), or first to the best if *kindly*."""
    may_win = s.target_ticks != 0 and reaches_target(s, best)
    if kindly:
        stop, sign = s.stop_ticks, 1 if s.lots > 0 else -1
        wins = tray.count
        go_for(s, bar, rules, costs, best, resting_anchor, 0, tray)
        if tray.count > wins and not (stop > 0 and reached(sign, worst, stop)):
            # The worst came before the best; after it the price went to the close and no farther.
            worst = bar.close / costs.tick_size
    before = tray.count
    go_against(s, bar, rules, costs, worst, outside_equity, 0, tray)
    if may_win:
        for k in range(before, tray.count):
            tray.fills[k].is_ambiguous = 1
    if not kindly:
        wins = tray.count
        go_for(s, bar, rules, costs, best, resting_anchor, 0, tray)
        if tray.count > wins and s.lots != 0:
            # From the target the price went to the close, maybe through a stop that had followed.
            end = bar.close / costs.tick_size
            go_against(s, bar, rules, costs, end, outside_equity, 0, tray)


@compiled
def _enter_inside(s, bar, rules, costs, low, high, outside_equity, kindly, tray):
    kind = s.entry_kind
    before = tray.count
    enter(s, bar, rules, costs, s.entry_ticks * costs.tick_size, 0, tray)
    if s.lots == 0:
        return
    s.entered_inside = 1
    worst, best = (low, high) if s.lots > 0 else (high, low)
    may_win = s.target_ticks != 0 and reaches_target(s, best)
    # The price fell to a limit and fell on, so its worst came later for sure; that of a stop entry
    # may have come before.
    surely_after = kind == AT_LIMIT
    close = bar.close / costs.tick_size
    if kindly:
        go_for(s, bar, rules, costs, best, 0.0, 0, tray)
        if s.lots != 0:
            last = worst if surely_after else close
            go_against(s, bar, rules, costs, last, outside_equity, 0, tray)
    else:
        go_against(s, bar, rules, costs, worst, outside_equity, 0, tray)
    if may_win or (not surely_after and tray.count > before + 1):
        tray.fills[before].is_ambiguous = 1
