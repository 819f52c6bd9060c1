"""People who asked to be deleted, once nothing of theirs trades any more."""

import logging
from datetime import datetime
from typing import Final

from accounts.selectors import erasures
from accounts.services import people
from market.errors import ConflictError
from trading.selectors import usage

logger = logging.getLogger(__name__)

_LOOKED_AT_ONCE: Final = 200


def sweep_erasures(*, now: datetime) -> int:
    """Let go of everybody for whom nothing runs; return how many people that were.

    Until then their exchange keys are needed, to close positions and to hear what became of orders.
    """
    erased = 0
    for person_id in erasures.people_to_erase(most=_LOOKED_AT_ONCE):
        if usage.unfinished_of(person_id).exists():
            continue
        try:
            people.erase_person(person_id=person_id, now=now)
        except ConflictError:
            # Somebody has taken the wish back meanwhile.
            logger.info("erasure.withdrawn", extra={"person_id": person_id})
        else:
            erased += 1
    return erased
