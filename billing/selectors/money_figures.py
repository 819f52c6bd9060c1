"""How the books and the notices of providers are: for those who watch the platform."""

from datetime import datetime

from django.db.models import Count

from billing.models import ProviderEvent, ProviderEventState
from billing.selectors import ledger


def ledger_violations() -> int:
    """Return how many violations the last comparison of the books has found; 0 before the first."""
    check = ledger.last_check()
    return len(check.violations) if check else 0


def ledger_check_age_s(*, now: datetime) -> float:
    """Return how long ago the books were compared; 0 before the first time."""
    check = ledger.last_check()
    return max(0.0, (now - check.checked_at).total_seconds()) if check else 0.0


def open_notices() -> dict[str, int]:
    """Return how many notices wait, are about nothing known, or need a person, by state."""
    found = dict.fromkeys(
        (ProviderEventState.NEW, ProviderEventState.UNMATCHED, ProviderEventState.FAILED), 0
    )
    rows = ProviderEvent.objects.filter(state__in=list(found)).values_list("state")
    for state, number in rows.annotate(number=Count("pk")).order_by():
        found[ProviderEventState(state)] = number
    return {state.value: number for state, number in found.items()}
