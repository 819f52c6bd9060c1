"""What the venues say that accounts hold."""

from collections.abc import Sequence
from datetime import datetime

from exchanges.adapters.protocol import BalanceReport
from exchanges.models import Balance, ExchangeAccount
from foundation.transactions import part_of_transaction


@part_of_transaction
def record_balances(*, account_id: int, reports: Sequence[BalanceReport], now: datetime) -> None:
    """Store what the venue says that an account holds; a currency that is not named is held no more."""
    account = ExchangeAccount.objects.only("pk", "owner_id").get(pk=account_id)
    rows = [
        Balance(
            account=account,
            owner_id=account.owner_id,
            currency=report.currency,
            free=report.free,
            used=report.used,
            venue_at=now,
        )
        for report in reports
    ]
    Balance.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "currency"],
        update_fields=["free", "used", "venue_at"],
    )
    held = [report.currency for report in reports]
    Balance.objects.filter(account=account).exclude(currency__in=held).delete()


@part_of_transaction
def forget(account: ExchangeAccount) -> None:
    """Delete what a closed account held."""
    Balance.objects.filter(account=account).delete()
