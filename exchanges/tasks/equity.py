"""Entry points of balances, rates and equity."""

from django.utils import timezone

from exchanges.services import balances, equity, rates
from foundation.queue import queued_task


@queued_task("exchanges.claim_balances", queue="ingest")
def claim_balances() -> None:
    """Send for the balances that are due."""
    balances.claim_due_refreshes(now=timezone.now())


@queued_task("exchanges.refresh_balances", queue="ingest")
def refresh_balances(*, account_id: int) -> None:
    """Ask a venue what an account holds."""
    balances.refresh_balances(account_id=account_id, clock=timezone.now)


@queued_task("exchanges.record_equity", queue="default")
def record_equity() -> None:
    """Keep what currencies and accounts are worth now."""
    now = timezone.now()
    rates.record_rates(now=now)
    equity.take_snapshots(now=now)


@queued_task("exchanges.prune_equity", queue="default")
def prune_equity() -> None:
    """Delete what is too old to be shown hour by hour."""
    now = timezone.now()
    rates.prune_rates(now=now)
    equity.prune_snapshots(now=now)
