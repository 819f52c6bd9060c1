"""Comparing the books with themselves and with the payments, and keeping what was found."""

import logging
from collections.abc import Sequence
from datetime import datetime

from billing.models import LedgerCheck
from billing.selectors import ledger
from foundation.transactions import transactional

logger = logging.getLogger(__name__)


@transactional
def verify(*, now: datetime) -> Sequence[str]:
    """Return everything that is wrong with the books; the result is kept, and each violation logged."""
    violations = ledger.violations()
    LedgerCheck.objects.update_or_create(checked_at=now, defaults={"violations": violations})
    for violation in violations:
        logger.error("ledger.violation", extra={"violation": violation})
    return violations
