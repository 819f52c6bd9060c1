"""What losses are measured from: the result at the start of the UTC day, and the best one so far."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from foundation.transactions import part_of_transaction
from market import money
from trading.models import ProtectionMark
from trading.selectors.limits import LimitedTarget


@part_of_transaction
def measure(
    results: Mapping[tuple[str, str], Decimal],
    *,
    targets: Mapping[str, LimitedTarget],
    today: date,
) -> dict[tuple[str, str], ProtectionMark]:
    """Return the mark of each target and settle currency, brought up to date with its result.

    A mark begins with the result at the first look: what was lost before a limit was set does not
    count against it. Two statements, the second only if a mark has moved.
    """
    watched = {
        place: money.quantize_money(pnl)
        for place, pnl in results.items()
        if _measures(targets[place[0]])
    }
    if not watched:
        return {}
    found = {
        (mark.target_key, mark.currency): mark
        for mark in ProtectionMark.objects.filter(target_key__in={key for key, _ in watched})
    }
    moved = []
    for place, pnl in watched.items():
        mark = found.get(place)
        if mark is None:
            key, currency = place
            mark = ProtectionMark(
                target_key=key,
                currency=currency,
                owner_id=targets[key].owner_id,
                day_on=today,
                day_pnl=pnl,
                peak_pnl=pnl,
            )
            found[place] = mark
            moved.append(mark)
            continue
        if mark.day_on < today or pnl > mark.peak_pnl:
            mark.peak_pnl = max(mark.peak_pnl, pnl)
            if mark.day_on < today:
                mark.day_on, mark.day_pnl = today, pnl
            moved.append(mark)
    if moved:
        ProtectionMark.objects.bulk_create(
            moved,
            update_conflicts=True,
            unique_fields=["target_key", "currency"],
            update_fields=["day_on", "day_pnl", "peak_pnl"],
        )
    return found


def next_day(now: datetime) -> datetime:
    """Return when the UTC day of *now* is over."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1)


def _measures(target: LimitedTarget) -> bool:
    limits = target.limits
    return limits.max_daily_loss_percent is not None or limits.max_drawdown_percent is not None
