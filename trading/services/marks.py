"""What losses are measured from: the result at the start of the UTC day, and the best one so far."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Max

from foundation.transactions import part_of_transaction
from market import money
from trading.models import ProtectionMark, RestrictionCause, TradingRestriction
from trading.selectors import past_results
from trading.selectors.limits import LimitedTarget
from trading.selectors.past_results import Closes
from trading.selectors.standings import Facts

#: Looks come with each bar. After a longer pause what was between is read from executions and candles.
LONGEST_PAUSE: Final = timedelta(hours=2)

#: The best of a longer past is not looked for, and that of the rest at so many instants.
LONGEST_PAST: Final = timedelta(days=30)
_INSTANTS: Final = 240
_SHORTEST_STEP: Final = timedelta(minutes=1)

#: Rules that measure losses; once somebody has let go on what they stopped, they begin anew.
MEASURED: Final = (RestrictionCause.DAILY_LOSS, RestrictionCause.DRAWDOWN)

_Place = tuple[str, str]


@part_of_transaction
def measure(
    facts: Facts, *, targets: Mapping[str, LimitedTarget], now: datetime
) -> dict[_Place, ProtectionMark]:
    """Return the mark of each target and settle currency, brought up to date with its result.

    Neither a first look late in the day nor a pause of the platform loses anything: what was
    before is read from executions and candles, back to where somebody last let it go on. While
    looks follow one another that is one query, and a statement if a mark has moved.
    """
    watched = {
        place: money.quantize_money(pnl)
        for place, pnl in facts.results.items()
        if _measures(targets[place[0]])
    }
    if not watched:
        return {}
    found = {
        (mark.target_key, mark.currency): mark
        for mark in ProtectionMark.objects.filter(target_key__in={key for key, _ in watched})
    }
    today = now.astimezone(UTC).date()
    behind = {place for place in watched if place not in found or _is_behind(found[place], now=now)}
    begun = _begun_anew(behind) if behind else {}
    moved = []
    known: Closes = {}
    for place, pnl in watched.items():
        key, currency = place
        mark = found.get(place)
        if mark is None:
            mark = found[place] = ProtectionMark(
                target_key=key,
                currency=currency,
                owner_id=targets[key].owner_id,
                day_on=today,
                day_pnl=pnl,
                peak_pnl=pnl,
            )
        best = max(mark.peak_pnl, pnl)
        if place in behind:
            best = max(best, _catch_up(mark, facts, since=begun.get(key), known=known, now=now))
        elif best == mark.peak_pnl and _is_fresh(mark, now=now):
            continue
        mark.peak_pnl, mark.looked_at = best, now
        moved.append(mark)
    if moved:
        ProtectionMark.objects.bulk_create(
            moved,
            update_conflicts=True,
            unique_fields=["target_key", "currency"],
            update_fields=["day_on", "day_pnl", "peak_pnl", "looked_at"],
        )
    return found


def next_day(now: datetime) -> datetime:
    """Return when the UTC day of *now* is over."""
    return _day_of(now) + timedelta(days=1)


def _catch_up(
    mark: ProtectionMark,
    facts: Facts,
    *,
    since: datetime | None,
    known: Closes,
    now: datetime,
) -> Decimal:
    """Set the result at the start of the day of *mark*, and return the best one since its last look."""
    earliest = max(now - LONGEST_PAST, since or now - LONGEST_PAST)
    day = min(max(_day_of(now), earliest), now)
    last = mark.looked_at if mark.looked_at is not None else earliest
    instants = {day}
    # Where looks followed one another, a new day asks for its beginning only.
    if mark.looked_at is None or now - last > LONGEST_PAUSE:
        begin = min(max(last, earliest), day)
        step = max((now - begin) / _INSTANTS, _SHORTEST_STEP)
        instants |= {begin + number * step for number in range(_INSTANTS)}
    ordered = sorted(each for each in instants if each <= now)
    runs = facts.runs_in(mark.target_key, mark.currency)
    results = past_results.results_at(
        ordered,
        positions={run.pk: facts.positions.get(run.pk, ()) for run in runs},
        timeframes={run.pk: run.timeframe for run in runs},
        known=known,
        now=now,
    )
    by_instant = dict(zip(ordered, map(money.quantize_money, results), strict=True))
    mark.day_on, mark.day_pnl = now.astimezone(UTC).date(), by_instant[day]
    return max(pnl for at, pnl in by_instant.items() if at >= max(last, earliest) or at == day)


def _is_behind(mark: ProtectionMark, *, now: datetime) -> bool:
    """Tell whether something may have been between the last look and this one that nobody has seen."""
    return (
        mark.looked_at is None
        or mark.day_on < now.astimezone(UTC).date()
        or now - mark.looked_at > LONGEST_PAUSE
    )


def _is_fresh(mark: ProtectionMark, *, now: datetime) -> bool:
    """Tell whether the look at *mark* is so young that noting this one says nothing new."""
    return mark.looked_at is not None and now - mark.looked_at < LONGEST_PAUSE / 4


def _begun_anew(places: set[_Place]) -> dict[str, datetime]:
    """Return when somebody last let go on what a loss had stopped, by target."""
    rows = TradingRestriction.objects.filter(
        target_key__in={key for key, _ in places},
        cause__in=MEASURED,
        released_at__isnull=False,
    )
    by_hand = rows.exclude(released_by_kind="system")
    return dict(by_hand.values_list("target_key").annotate(Max("released_at")).order_by())


def _day_of(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _measures(target: LimitedTarget) -> bool:
    limits = target.limits
    return limits.max_daily_loss_percent is not None or limits.max_drawdown_percent is not None
