"""What the venues last said that accounts hold."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from exchanges.models import Balance


@dataclass(frozen=True, slots=True)
class Told:
    """What an account had free when its venue was last asked, by currency, and when that was."""

    free: Mapping[str, Decimal]
    at: datetime


def last_told(account_ids: Collection[int], *, since: datetime) -> Mapping[int, Told]:
    """Return what is known of accounts whose venue has been asked since an instant, by account.

    One that held nothing then is not among them. For services that act for many people at once.
    """
    free: dict[int, dict[str, Decimal]] = defaultdict(dict)
    told_at: dict[int, datetime] = {}
    rows = Balance.objects.filter(account__in=account_ids, venue_at__gte=since)
    for account_id, currency, amount, at in rows.values_list(
        "account_id", "currency", "free", "venue_at"
    ):
        free[account_id][currency] = amount
        told_at[account_id] = min(at, told_at.get(account_id, at))
    return {account_id: Told(amounts, told_at[account_id]) for account_id, amounts in free.items()}
