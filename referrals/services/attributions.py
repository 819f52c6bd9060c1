"""Who was brought by whom is settled once, from what the browser carried at the sign-up."""

import logging
from datetime import datetime
from typing import Final

from django.db import IntegrityError, connection, transaction

from accounts.events import PERSON_REGISTERED
from foundation import audit, site_settings
from foundation.audit import Actor
from foundation.models import OutboxEvent
from foundation.transactions import part_of_transaction, transactional
from referrals.models import Attribution
from referrals.selectors.codes import find_active_code
from referrals.services.hints import is_fresh, read_hint

logger = logging.getLogger(__name__)

#: Everybody who attributes takes this lock of the database: two at once could close a circle.
_TREE_LOCK: Final = 0x5265_6665_7272_616C
_ANCESTORS: Final = """
    WITH RECURSIVE above(person_id) AS (
        SELECT %s::bigint
        UNION
        SELECT a.owner_id FROM referrals_attribution a JOIN above ON a.referred_id = above.person_id
    )
    SELECT EXISTS (SELECT 1 FROM above WHERE person_id = %s)
"""


@transactional
def attribute(*, referred_id: int, hint: str, signed_up_at: datetime) -> Attribution | None:
    """Write down who brought a new person, if their *hint* says so; a repeat changes nothing.

    None for no hint, a forged or an old one, a code of nobody who may bring others, one's own code,
    and a circle. Nothing later attributes anybody, so it is settled before any payment.
    """
    return _attribute(referred_id=referred_id, hint=hint, signed_up_at=signed_up_at)


@part_of_transaction
def attribution_of(*, referred_id: int) -> Attribution | None:
    """Return who brought a person, with the referrer; None if nobody did.

    Events may overtake each other: if the sign-up is not dealt with yet, it is now.
    """
    found = Attribution.objects.select_related("owner").filter(referred_id=referred_id).first()
    if found is not None:
        return found
    waiting = OutboxEvent.objects.filter(
        name=PERSON_REGISTERED, owner_id=referred_id, delivered_at=None
    ).first()
    if waiting is None:
        return None
    hint, signed_up_at = waiting.payload.get("hint", ""), waiting.occurred_at
    return _attribute(referred_id=referred_id, hint=hint, signed_up_at=signed_up_at)


@part_of_transaction
def _attribute(*, referred_id: int, hint: str, signed_up_at: datetime) -> Attribution | None:
    window_days = site_settings.current().referral_window_days
    read = read_hint(hint) if hint else None
    if read is None or not is_fresh(read, window_days=window_days, now=signed_up_at):
        return None
    code = find_active_code(read.code)
    if code is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TREE_LOCK])
    if _is_brought_by(code.owner_id, by=referred_id):
        logger.warning("attribution.circle", extra={"person_id": referred_id, "code": code.code})
        return None
    try:
        with transaction.atomic():
            attribution = Attribution.objects.create(
                owner_id=code.owner_id,
                referred_id=referred_id,
                code=code.code,
                clicked_at=min(read.followed_at, signed_up_at),
                signed_up_at=signed_up_at,
            )
    except IntegrityError:
        return Attribution.objects.get(referred_id=referred_id)
    audit.record(
        actor=Actor.system("referrals"),
        verb="attribution.made",
        target=attribution,
        owner_id=attribution.owner_id,
        detail={"referred": referred_id, "code": code.code},
    )
    return attribution


def _is_brought_by(person_id: int, *, by: int) -> bool:
    """Tell whether *by* is the person, or brought them, or whoever brought them, and so on."""
    with connection.cursor() as cursor:
        cursor.execute(_ANCESTORS, [person_id, by])
        row = cursor.fetchone()
    return bool(row and row[0])
