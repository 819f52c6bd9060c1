"""The bank's side of the provider for development: what its page does, and its notices to us."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import F, Sum
from django.db.models.functions import Now

from billing.domain.money import settled_amount
from billing.models import (
    DevelopmentCharge,
    DevelopmentChargeState,
    DevelopmentNotice,
    DevelopmentRefund,
)
from billing.providers import signatures
from billing.providers.development import SIGNATURE_HEADER, DevelopmentProvider, write_notice
from billing.services import provider_events
from foundation.queue import enqueue, enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from market.errors import ConflictError, NotFoundError, PlatformError

logger = logging.getLogger(__name__)

#: What the bank keeps of a payment, as cards usually cost.
_FEE_SHARE: Final = Decimal("0.029")
_FEE_FIXED: Final = Decimal("0.30")
_EXPIRES_AFTER: Final = timedelta(hours=24)
_SWEPT_AT_ONCE: Final = 100
_WAITS_S: Final = (5, 30, 120, 600, 3_600)

_STATE: Final = DevelopmentChargeState


class ChargeNotFoundError(NotFoundError):
    """The bank knows no such charge of this person."""

    code = "charge_not_found"

    def __init__(self) -> None:
        super().__init__("The bank knows no such payment.")


class ChargeClosedError(ConflictError):
    """The charge is not in a state in which this can be done."""

    code = "charge_closed"

    def __init__(self) -> None:
        super().__init__("This payment has been dealt with already.")


@transactional
def pay(*, reference: UUID, now: datetime) -> DevelopmentCharge:
    """Pay a charge, also one that was delayed; raise ChargeClosedError for any other."""
    charge = _lock(reference, _STATE.OPEN, _STATE.DELAYED)
    _mark_paid(charge, now=now)
    return charge


@transactional
def delay(*, reference: UUID, now: datetime) -> DevelopmentCharge:
    """Pay a charge that the bank confirms only some time later."""
    charge = _lock(reference, _STATE.OPEN)
    charge.delayed_until = now + timedelta(seconds=settings.HORIZONS.development_delay_s)
    _change(charge, _STATE.DELAYED, "charge.delayed", now=now)
    return charge


@transactional
def decline(*, reference: UUID, now: datetime) -> DevelopmentCharge:
    """Refuse to pay a charge, as a card without cover would."""
    charge = _lock(reference, _STATE.OPEN, _STATE.DELAYED)
    _change(charge, _STATE.FAILED, "charge.failed", now=now)
    return charge


@transactional
def refund(*, reference: UUID, now: datetime) -> DevelopmentCharge:
    """Give back all that is left of a charge, as an operator could on the bank's own pages."""
    charge = _lock(reference, _STATE.PAID)
    given = charge.refunds.aggregate(total=Sum("amount"))["total"] or Decimal(0)
    if given >= charge.amount:
        raise ChargeClosedError
    DevelopmentRefund.objects.given(
        charge=charge,
        amount=charge.amount - given,
        idempotency_key=f"by-hand-{charge.reference}-{given.normalize():f}",
        metadata={},
    )
    _notice(charge, "charge.refunded", now=now)
    return charge


@transactional
def move_on(*, now: datetime) -> int:
    """Confirm what was delayed and let old charges expire; return how many changed."""
    rows = DevelopmentCharge.objects.select_for_update(skip_locked=True).order_by("pk")
    delayed = list(rows.filter(state=_STATE.DELAYED, delayed_until__lte=now)[:_SWEPT_AT_ONCE])
    for charge in delayed:
        _mark_paid(charge, now=now)
    old = list(rows.filter(state=_STATE.OPEN, created_at__lt=now - _EXPIRES_AFTER)[:_SWEPT_AT_ONCE])
    for charge in old:
        _change(charge, _STATE.EXPIRED, "charge.expired", now=now)
    return len(delayed) + len(old)


def deliver(*, notice_id: int, now: datetime) -> None:
    """Sign a notice and hand it to the inbox of notices, until it was taken once."""
    notice = _claim(notice_id)
    if notice is None:
        return
    body = write_notice(
        external_id=notice.external_id,
        kind=notice.kind,
        reference=str(notice.charge.reference),
        occurred_at=notice.occurred_at,
    )
    secret = next(filter(None, settings.DEVELOPMENT_WEBHOOK_SECRETS), "")
    header = signatures.sign(body, secret=secret, at=int(now.timestamp()))
    try:
        provider_events.receive(
            provider_code=DevelopmentProvider.code,
            headers={SIGNATURE_HEADER: header},
            raw_body=body,
            now=now,
        )
    except PlatformError as error:
        logger.warning(
            "development_notice.refused", extra={"notice_id": notice.pk, "reason": error.code}
        )
        return
    DevelopmentNotice.objects.filter(pk=notice.pk).update(delivered_at=now)


def sweep_notices() -> int:
    """Send again the messages of notices that were not taken; return how many those are."""
    overdue = Now() - timedelta(seconds=settings.HORIZONS.redeliver_s)
    due = DevelopmentNotice.objects.filter(delivered_at=None, not_before__lte=overdue)
    notice_ids = list(
        due.order_by("not_before", "pk").values_list("pk", flat=True)[:_SWEPT_AT_ONCE]
    )
    for notice_id in notice_ids:
        enqueue("billing.deliver_development_notice", notice_id=notice_id)
    return len(notice_ids)


def fee_of(amount: Decimal, *, currency: str) -> Decimal:
    """Return what the bank keeps of a payment."""
    return min(amount, settled_amount(amount * _FEE_SHARE + _FEE_FIXED, currency))


def _lock(reference: UUID, *states: DevelopmentChargeState) -> DevelopmentCharge:
    rows = DevelopmentCharge.objects.select_for_update()
    charge = rows.filter(reference=reference).first()
    if charge is None:
        raise ChargeNotFoundError
    if charge.state not in states:
        raise ChargeClosedError
    return charge


@part_of_transaction
def _mark_paid(charge: DevelopmentCharge, *, now: datetime) -> None:
    charge.fee = fee_of(charge.amount, currency=charge.currency)
    _change(charge, _STATE.PAID, "charge.paid", now=now)


@part_of_transaction
def _change(
    charge: DevelopmentCharge, state: DevelopmentChargeState, kind: str, *, now: datetime
) -> None:
    charge.state, charge.changed_at = state, now
    charge.save()
    _notice(charge, kind, now=now)


@part_of_transaction
def _notice(charge: DevelopmentCharge, kind: str, *, now: datetime) -> None:
    notice = DevelopmentNotice.objects.create(charge=charge, kind=kind, occurred_at=now)
    enqueue_on_commit("billing.deliver_development_notice", notice_id=notice.pk)


def _claim(notice_id: int) -> DevelopmentNotice | None:
    rows = DevelopmentNotice.objects.filter(pk=notice_id, delivered_at=None)
    attempts = rows.values_list("attempts", flat=True).first() or 0
    wait_s = _WAITS_S[min(attempts, len(_WAITS_S) - 1)]
    claimed = rows.filter(attempts=attempts, not_before__lte=Now()).update(
        attempts=F("attempts") + 1, not_before=Now() + timedelta(seconds=wait_s)
    )
    return DevelopmentNotice.objects.select_related("charge").get(pk=notice_id) if claimed else None
