"""Keeping what accounts are worth, hour by hour."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from exchanges.domain.conversion import REFERENCE
from exchanges.models import EquitySnapshot, ExchangeAccount
from exchanges.selectors import accounts as accounts_read
from exchanges.selectors import equity as equity_read
from exchanges.selectors.equity import AccountEquity
from exchanges.services.rates import DAYS_KEPT, HOURS_KEPT, hour_of
from foundation.transactions import transactional
from market import money

_BATCH: Final = 500


def take_snapshots(*, now: datetime) -> int:
    """Record what every account that works is worth in this hour; the last time in an hour counts.

    Returns how many were recorded.
    """
    taken, after = 0, 0
    while batch := accounts_read.usable_accounts_after(key=after, limit=_BATCH):
        after = batch[-1].pk
        taken += _record(batch, equity_read.value_all(batch, currency=REFERENCE, now=now), now=now)
    return taken


@transactional
def _record(
    batch: Sequence[ExchangeAccount], values: dict[int, AccountEquity], *, now: datetime
) -> int:
    rows = [
        EquitySnapshot(
            owner_id=account.owner_id,
            account=account,
            hour_at=hour_of(now),
            equity=money.quantize_money(amount),
            is_complete=not values[account.pk].unvalued,
            recorded_at=now,
        )
        for account in batch
        if account.pk in values and (amount := values[account.pk].amount) is not None
    ]
    EquitySnapshot.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "hour_at"],
        update_fields=["equity", "is_complete", "recorded_at"],
    )
    return len(rows)


@transactional
def prune_snapshots(*, now: datetime) -> int:
    """Delete all hours but the last of each day that are old, and days that are very old; return how many rows."""
    old = EquitySnapshot.objects.filter(hour_at__lt=now - HOURS_KEPT).exclude(hour_at__hour=23)
    very_old = EquitySnapshot.objects.filter(hour_at__lt=now - DAYS_KEPT)
    return old.delete()[0] + very_old.delete()[0]
