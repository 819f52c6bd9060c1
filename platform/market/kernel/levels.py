"""The levels of a position, in ticks: where its stop, targets, ladder and liquidation are."""

from market.kernel.arithmetic import falls_to, lots_down, rises_to, ticks_down, ticks_up
from market.kernel.compiling import compiled
from market.kernel.records import AT_LIMIT

# mypy: disable-error-code="no-untyped-def"


@compiled
def anchor(s, rules, costs):
    """Return the price that stop and targets of *s* are measured from."""
    if rules.anchor_has_fees == 0:
        return s.average_price
    return s.average_price + s.entry_fees / (s.lots * costs.lot_step)


@compiled
def stop_level(reference, sign, fraction, costs):
    """Return a stop at *fraction* from *reference* in ticks, rounded away; 0 if there is none."""
    if fraction <= 0.0:
        return 0
    level = reference * (1 - sign * fraction)
    ticks = ticks_down(level, costs) if sign > 0 else ticks_up(level, costs)
    return max(ticks, 0)


@compiled
def target_level(reference, sign, fraction, costs):
    """Return a target at *fraction* from *reference* in ticks, rounded away; 0 if there is none."""
    if fraction <= 0.0:
        return 0
    level = reference * (1 + sign * fraction)
    ticks = ticks_up(level, costs) if sign > 0 else ticks_down(level, costs)
    return max(ticks, 0)


@compiled
def liquidation_ticks(s, costs, outside_equity):
    """Return the level at which equity is only the maintenance margin, in ticks; 0 if nowhere.

    Equity ``C + q p`` meets ``m |q| p`` at ``p = -C / (q - m |q|)``, with cash C, quantity q and
    maintenance rate m.
    """
    if costs.maintenance_rate <= 0.0 or s.lots == 0:
        return 0
    quantity = s.lots * costs.lot_step
    price = -(s.cash + outside_equity) / (quantity - costs.maintenance_rate * abs(quantity))
    if price <= 0.0:
        return 0
    return ticks_up(price, costs) if s.lots > 0 else ticks_down(price, costs)


@compiled
def has_level(s, costs):
    """Tell whether there is any price at which something would happen to the position of *s*."""
    return (
        s.stop_ticks != 0
        or s.target_ticks != 0
        or s.ladder_ticks != 0
        or costs.maintenance_rate > 0.0
    )


@compiled
def entry_reached(s, low, high):
    """Tell whether prices from *low* to *high* (ticks) fill the resting entry of *s*."""
    waits_for_fall = (s.entry_side > 0) == (s.entry_kind == AT_LIMIT)
    if waits_for_fall:
        return falls_to(low, s.entry_ticks)
    return rises_to(high, s.entry_ticks)


@compiled
def reaches_target(s, best):
    if s.lots > 0:
        return rises_to(best, s.target_ticks)
    return falls_to(best, s.target_ticks)


@compiled
def reached(sign, worst, ticks):
    if sign > 0:
        return falls_to(worst, ticks)
    return rises_to(worst, ticks)


@compiled
def next_target(s, reference, rules, costs):
    """Return the level of the next target of *s* in ticks, measured from *reference*; 0 for none."""
    sign = 1 if s.lots > 0 else -1
    if s.targets_done == 0 and rules.partial_targets > 0:
        return target_level(reference, sign, rules.target_1, costs)
    if s.targets_done == 1 and rules.partial_targets > 1:
        return target_level(reference, sign, rules.target_2, costs)
    if s.last_target_ticks > 0:
        return s.last_target_ticks
    return target_level(reference, sign, rules.target, costs)


@compiled
def next_ladder(s, rules, costs):
    """Put the next order of the ladder in place, or none if there is no further one."""
    s.ladder_ticks = 0
    s.ladder_lots = 0
    if s.ladder_step >= rules.ladder_steps:
        return
    s.ladder_step += 1
    sign = 1 if s.lots > 0 else -1
    level = s.ladder_base * (1 - sign * s.ladder_step * rules.ladder_deviation)
    ticks = ticks_down(level, costs) if sign > 0 else ticks_up(level, costs)
    if ticks <= 0:
        return
    quote = rules.ladder_quote * rules.ladder_scale ** (s.ladder_step - 1)
    price = ticks * costs.tick_size
    lots = lots_down(quote / price, costs)
    if lots < costs.minimum_lots or lots * costs.lot_step * price < costs.minimum_notional:
        return
    s.ladder_ticks = ticks
    s.ladder_lots = lots
