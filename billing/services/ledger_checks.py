"""Comparing the books with themselves and with the payments, and keeping what was found."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from billing.models import LedgerCheck
from billing.selectors import ledger
from foundation.transactions import transactional

logger = logging.getLogger(__name__)

#: Returns where rows of an app above differ from the books, each as a sentence.
Comparer = Callable[[], Sequence[str]]
_comparers: dict[str, Comparer] = {}


def compare_with(comparer: Comparer) -> None:
    """Let *comparer* take part in every comparison; called from ``AppConfig.ready`` of an app above."""
    _comparers[f"{comparer.__module__}.{comparer.__qualname__}"] = comparer


@transactional
def verify(*, now: datetime) -> Sequence[str]:
    """Return everything that is wrong with the books; the result is kept, and each violation logged."""
    violations = ledger.violations()
    for comparer in _comparers.values():
        violations += comparer()
    LedgerCheck.objects.update_or_create(checked_at=now, defaults={"violations": violations})
    for violation in violations:
        logger.error("ledger.violation", extra={"violation": violation})
    return violations
