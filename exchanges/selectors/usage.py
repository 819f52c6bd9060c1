"""What a person's exchange accounts count for in their plan."""

from datetime import datetime

from billing.domain.limits import Limit
from billing.selectors import usage
from exchanges.models import AccountKind, ExchangeAccount


def connect() -> None:
    """Let the usage page count accounts; called once when the app is ready."""
    usage.count_with(Limit.EXCHANGE_ACCOUNTS, count_accounts)


def count_accounts(owner_id: int, now: datetime) -> int:
    """Return how many open accounts with a key a person has; paper accounts have none."""
    mine = ExchangeAccount.objects.filter(owner_id=owner_id, closed_at=None)
    return mine.filter(kind=AccountKind.LIVE).count()
