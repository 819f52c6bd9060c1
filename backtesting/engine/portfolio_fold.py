"""The fold over many markets that share one wallet. Compiled.

At each bar the markets that have one meet what waits for them; then their closes are decided upon:
first where something is held, so that exits free capital and places, then where nothing is and nothing
may be entered, then entries, the highest score first. Each market has a STATE of its own whose cash
begins at 0; the wallet is the capital and the cash of all of them.

What an entry may spend is settled at the open at which it may fill, for all of them in the order of
their scores, from what the wallet is worth at these opens: nothing that happens later inside the bar
pays for it.
"""

from typing import Final

import numpy as np

from market.kernel.arithmetic import slipped
from market.kernel.booking import drop_protection, forget_entry
from market.kernel.compiling import compiled
from market.kernel.matching import match
from market.kernel.records import AT_MARKET, BAR, EXIT_END_OF_DATA, FILL, TRAY
from strategies.kernel import (
    MAY_ENTER,
    SIGNAL,
    decide,
)
from strategies.reasons import ReasonCode, number_of
from strategies.signals import UTC_DAY

# mypy: disable-error-code="no-untyped-def"

_POSITION_LIMIT: Final = number_of(ReasonCode.POSITION_LIMIT)


@compiled
def run(
    states, wanted, market, said, entering, rules, costs, trade_from_ms, early, kindly, capital,
    first, last, cash, lots, reasons, fills, owners, count,
):  # fmt: skip
    """Fold bars ``[first, last)`` of all markets; return fills, whose they are, and how many.

    Parameters
    ----------
    states, costs
        Records of shape ``(markets,)``, *rules* of shape ``(1,)``; *states* are changed.
    wanted
        The score with which each market's waiting entry was made, ``(markets,)``; changed.
    market
        ``(times, opens, highs, lows, closes, funding, present, last_bars)``. Times have shape
        ``(n,)``; prices ``(markets, n)`` without NaN: where a market is not *present*, its last
        close before, or 0; funding rates the same, or ``(markets, 0)`` for none. ``last_bars``,
        ``(markets,)``, is the last bar that each has: what is held then is sold at its close.
    said
        ``(says, kinds, prices, validities, stops, targets, sessions, scores)``: what strategies
        say, ``says`` as ``fold.pack`` gives it, the rest of shape ``(markets, 0)`` where nothing is
        said.
    entering
        Where each bar's part begins in the second array, the markets that say that they enter,
        shape ``(n + 1,)``; and that array.
    trade_from_ms, early
        Bars that open before open no position, for the reason *early*.
    cash, lots, reasons
        Outputs of shape ``(markets, n)``, after each bar. They hold already what is true of a
        market in which nothing happens, but for its cash.
    fills, owners, count
        Where the fills go and the market of each, behind those that are there; longer arrays are
        returned when needed.
    """
    markets = len(states)
    records = (np.empty(1, dtype=BAR), np.empty(1, dtype=SIGNAL), np.empty(1, dtype=TRAY))
    worth, stake = np.zeros(markets), np.zeros(markets)
    active, order = np.zeros(markets, dtype=np.int64), np.zeros(markets, dtype=np.int64)
    says_so = np.zeros(markets, dtype=np.bool_)
    written = np.full(markets, first)
    for k in range(markets):
        worth[k] = states[k].cash
    begins, who = entering
    for i in range(first, last):
        for at in range(begins[i], begins[i + 1]):
            says_so[who[at]] = True
        awake = _awake(states, says_so, active)
        if awake == 0:
            continue
        for at in range(awake):
            k = active[at]
            cash[k, written[k] : i] = states[k].cash
            written[k] = i + 1
        fills, owners, count = _meet(
            states, active[:awake], wanted, market, rules[0], costs, kindly, capital, i, records,
            worth, stake, order, fills, owners, count,
        )  # fmt: skip
        no_entry = early if market[0][i] < trade_from_ms else MAY_ENTER
        _decide_all(
            states, active[:awake], says_so, wanted, market, said, rules[0], costs, no_entry,
            capital, i, records, worth, stake, order, reasons,
        )  # fmt: skip
        for at in range(awake):
            k = active[at]
            cash[k, i] = states[k].cash
            lots[k, i] = states[k].lots
            says_so[k] = False
    for k in range(markets):
        cash[k, written[k] : last] = states[k].cash
    return fills, owners, count


@compiled
def _awake(states, says_so, active):
    """Put the markets at which something may happen into *active*; return how many there are."""
    count = 0
    for k in range(len(states)):
        if says_so[k] or not _is_quiet(states[k]):
            active[count] = k
            count += 1
    return count


@compiled
def _is_quiet(s):
    return (
        s.lots == 0
        and s.entry_side == 0
        and s.seen_lots == 0
        and s.was_closed == 0
        and s.exit_lots == 0
    )


@compiled
def _meet(
    states, active, wanted, market, rules, costs, kindly, capital, i, records, worth, stake, order,
    fills, owners, count,
):  # fmt: skip
    """Let bar *i* of the *active* markets meet what waits for it; return as ``run`` does."""
    opens, present, last_bars = market[1], market[6], market[7]
    bar, tray = records[0][0], records[2][0]
    for k in active:
        if i == last_bars[k] + 1:
            _settle(states[k])
        can_leave = present[k, i] or i > last_bars[k]
        _mark(states[k], opens[k, i], can_leave, costs[k], worth, stake, k)
    _grant_entries(states, active, wanted, present, i, rules, capital, worth, stake, order)
    total = capital + worth.sum()
    for k in active:
        s = states[k]
        meets = present[k, i] or (i > last_bars[k] and s.lots != 0)
        if meets and (s.lots != 0 or s.entry_side != 0):
            _read(bar, market, k, i)
            match(s, bar, rules, costs[k], total - worth[k], kindly, tray)
            if count + tray.count > len(fills):
                fills, owners = _longer(fills, owners, count, tray.count)
            for f in range(tray.count):
                fills[count] = tray.fills[f]
                fills[count].bar = i
                owners[count] = k
                count += 1
    return fills, owners, count


@compiled
def _decide_all(
    states, active, says_so, wanted, market, said, rules, costs, no_entry, capital, i, records,
    worth, stake, order, reasons,
):  # fmt: skip
    """Decide at the close of bar *i* on the *active* markets, in the order of the module."""
    closes, present, scores = market[4], market[6], said[7]
    for k in active:
        _mark(states[k], closes[k, i], True, costs[k], worth, stake, k)
        if says_so[k]:
            wanted[k] = scores[k, i] if scores.shape[1] else 0.0
    chosen = 0
    for enters in (False, True):
        for k in active:
            held = states[k].lots != 0
            if not present[k, i] or held == enters:
                continue
            if enters and says_so[k]:
                order[chosen] = k
                chosen += 1
            else:
                reasons[k, i] = _decide(
                    states, k, market, said, rules, costs, no_entry, capital, i, records, worth,
                    stake,
                )  # fmt: skip
    _by_score(order, wanted, chosen)
    for at in range(chosen):
        k = order[at]
        may = no_entry
        if may == MAY_ENTER and _is_full(states, active, k, rules):
            may = _POSITION_LIMIT
        reasons[k, i] = _decide(
            states, k, market, said, rules, costs, may, capital, i, records, worth, stake
        )


@compiled
def _longer(fills, owners, count, more):
    length = 2 * len(fills) + more
    more_fills = np.zeros(length, dtype=FILL)
    more_fills[:count] = fills[:count]
    more_owners = np.zeros(length, dtype=np.int64)
    more_owners[:count] = owners[:count]
    return more_fills, more_owners


@compiled
def _settle(s):
    """Let what is held of a market that has no more bars be sold at its last close."""
    forget_entry(s)
    if s.lots != 0:
        drop_protection(s)
        s.exit_lots = abs(s.lots)
        s.exit_reason = EXIT_END_OF_DATA


@compiled
def _mark(s, price, can_leave, costs, worth, stake, k):
    """Write down what market *k* is worth at *price*, and what it has at stake, exits made.

    An entry that waits is at stake with all that it may cost, at *price* or at its own.
    """
    worth[k] = s.cash
    stake[k] = 0.0
    if s.lots != 0:
        quantity = s.lots * costs.lot_step
        if s.exit_lots > 0 and can_leave:
            out = quantity * slipped(price, -1 if s.lots > 0 else 1, costs)
            worth[k] += out - abs(out) * costs.taker_rate
        else:
            worth[k] += quantity * price
            stake[k] = abs(quantity) * price
    if s.entry_side != 0:
        own = price if s.entry_kind == AT_MARKET else s.entry_ticks * costs.tick_size
        stake[k] += s.entry_lots * costs.lot_step * slipped(own, 1, costs) * (1 + costs.taker_rate)


@compiled
def _grant_entries(states, active, wanted, present, i, rules, capital, worth, stake, order):
    """Settle what each waiting entry may spend at this bar; take back what there is nothing for."""
    entries, held = 0, 0
    used = 0.0
    for k in active:
        s = states[k]
        leaves = s.exit_lots > 0 and present[k, i]
        if s.lots != 0 and not leaves:
            held += 1
        if s.entry_side != 0 and present[k, i]:
            order[entries] = k
            entries += 1
        else:
            used += stake[k]
    if entries == 0:
        return
    _by_score(order, wanted, entries)
    free = (capital + worth.sum()) * rules.leverage - used
    for at in range(entries):
        s = states[order[at]]
        is_full = rules.max_open_positions > 0 and held >= rules.max_open_positions
        if free <= 0.0 or is_full:
            forget_entry(s)
            s.trades -= 1
            s.trades_of_day -= 1
            continue
        s.entry_budget = min(s.entry_budget, free) if s.entry_budget > 0.0 else free
        free -= min(stake[order[at]], s.entry_budget)
        held += 1


@compiled
def _by_score(order, scores, count):
    """Sort the first *count* of *order* by falling score; equal ones stay as they are."""
    for at in range(1, count):
        moving = order[at]
        place = at
        while place > 0 and scores[order[place - 1]] < scores[moving]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = moving


@compiled
def _is_full(states, active, own, rules):
    """Tell whether no position may be opened beside what is held and what waits."""
    if rules.max_open_positions <= 0:
        return False
    taken = 0
    for k in active:
        s = states[k]
        if k != own and ((s.lots != 0 and s.exit_lots == 0) or s.entry_side != 0):
            taken += 1
    return taken >= rules.max_open_positions


@compiled
def _decide(states, k, market, said, rules, costs, no_entry, capital, i, records, worth, stake):
    """Decide on market *k*, and write down what it is worth and has at stake afterwards."""
    bar, signal = records[0][0], records[1][0]
    _read(bar, market, k, i)
    _hear(signal, said, k, i)
    outside_equity = capital + worth.sum() - worth[k]
    outside_stake = stake.sum() - stake[k]
    reason = decide(
        states[k], signal, bar, rules, costs[k], no_entry, outside_equity, outside_stake
    )
    _mark(states[k], bar.close, True, costs[k], worth, stake, k)
    return reason


@compiled
def _read(bar, market, k, i):
    times, opens, highs, lows, closes, funding = market[:6]
    bar.open_time = times[i]
    bar.open = opens[k, i]
    bar.high = highs[k, i]
    bar.low = lows[k, i]
    bar.close = closes[k, i]
    bar.funding_rate = funding[k, i] if funding.shape[1] else 0.0


@compiled
def _hear(signal, said, k, i):
    says, kinds, prices, validities, stops, targets, sessions = said[:7]
    signal.says = says[k, i]
    signal.entry_kind = kinds[k, i] if kinds.shape[1] else AT_MARKET
    signal.entry_price = prices[k, i] if prices.shape[1] else np.nan
    signal.entry_bars = validities[k, i] if validities.shape[1] else 0
    signal.stop_price = stops[k, i] if stops.shape[1] else np.nan
    signal.target_price = targets[k, i] if targets.shape[1] else np.nan
    signal.session = sessions[k, i] if sessions.shape[1] else UTC_DAY
