"""Notices of providers: proven, stored once, answered, and dealt with by a worker.

A notice is only a hint that something has changed. The worker asks the provider what is true and
applies that, so that order, repeats and even the content of notices do not matter.
"""

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from billing.models import Payment, ProviderEvent, ProviderEventState
from billing.providers import protocol
from billing.providers.protocol import ProviderError, ProviderState, UnknownReferenceError
from billing.providers.registry import get_provider
from billing.services import payments
from foundation.audit import Actor
from foundation.queue import enqueue, enqueue_on_commit
from foundation.transactions import (
    part_of_transaction,
    refuse_inside_transaction,
    transactional,
)

logger = logging.getLogger(__name__)

#: No provider sends more.
LARGEST_BODY_BYTES: Final = 256 * 1024

#: How long after a try the next may begin; the last holds for all further ones.
_WAITS_S: Final = (10, 30, 120, 600, 3_600)
#: About something that we do not know: asked again every hour, and kept as it is after so long.
_UNMATCHED_FOR: Final = timedelta(days=30)
_UNMATCHED_WAIT: Final = timedelta(hours=1)
_SWEPT_AT_ONCE: Final = 200
_OPEN: Final = (ProviderEventState.NEW, ProviderEventState.UNMATCHED)


def receive(
    *, provider_code: str, headers: Mapping[str, str], raw_body: bytes, now: datetime
) -> ProviderEvent:
    """Store a notice if it is proven, once, and have a worker deal with it.

    Header names are in lower case. Raises ProviderNotConfiguredError, SignatureInvalidError or
    PayloadInvalidError; nothing is stored then.
    """
    notice = get_provider(provider_code).verify(headers, raw_body, now=now)
    return _store(provider_code=provider_code, notice=notice, raw_body=raw_body)


def process(*, event_id: int, now: datetime) -> None:
    """Deal with one notice; a repeat, or one that another worker holds, does nothing."""
    refuse_inside_transaction("A call of the payment provider")
    event = _claim(event_id)
    if event is None:
        return
    try:
        state = get_provider(event.provider).fetch(event.reference)
    except UnknownReferenceError:
        _conclude_unmatched(event, now=now)
        return
    except ProviderError as error:
        # The claim runs out by itself, and the sweeper tries again.
        logger.warning(
            "provider_event.not_fetched", extra={"event_id": event.pk, "reason": error.code}
        )
        return
    _apply(event, state, now=now)


def sweep() -> int:
    """Send again the messages of notices that nobody has dealt with; return how many those are."""
    due = ProviderEvent.objects.filter(state__in=_OPEN, not_before__lte=Now())
    waiting = due.filter(
        received_at__lte=Now() - timedelta(seconds=settings.HORIZONS.redeliver_s)
    ).order_by("not_before", "pk")
    event_ids = list(waiting.values_list("pk", flat=True)[:_SWEPT_AT_ONCE])
    for event_id in event_ids:
        enqueue("billing.process_provider_event", event_id=event_id)
    return len(event_ids)


@transactional
def _store(*, provider_code: str, notice: protocol.ProviderEvent, raw_body: bytes) -> ProviderEvent:
    """Insert the notice, or count a repeat of it; two at once are one row."""
    body_hash = hashlib.sha256(raw_body).hexdigest()
    event, is_new = ProviderEvent.objects.get_or_create(
        provider=provider_code,
        external_id=notice.external_id,
        defaults={
            "kind": notice.kind,
            "reference": notice.reference,
            "is_live": notice.is_live,
            "occurred_at": notice.occurred_at,
            "body": raw_body,
            "body_hash": body_hash,
            "secret_slot": notice.proven_with,
            "state": ProviderEventState.NEW if notice.is_known else ProviderEventState.IGNORED,
            "reason": "" if notice.is_known else "unknown_kind",
        },
    )
    if not is_new:
        has_changed = event.body_hash != body_hash
        ProviderEvent.objects.filter(pk=event.pk).update(
            deliveries=F("deliveries") + 1,
            **({"body_changed": True} if has_changed else {}),
        )
        if has_changed:
            logger.error("provider_event.body_changed", extra={"event_id": event.pk})
    elif notice.is_known:
        enqueue_on_commit("billing.process_provider_event", event_id=event.pk)
    return event


@transactional
def _claim(event_id: int) -> ProviderEvent | None:
    """Take the next try of a notice; None if somebody else has it, or nothing is to be done."""
    event = (
        ProviderEvent.objects.select_for_update(skip_locked=True)
        .filter(pk=event_id, state__in=_OPEN, not_before__lte=Now())
        .first()
    )
    if event is None:
        return None
    wait_s = _WAITS_S[min(event.attempts, len(_WAITS_S) - 1)]
    ProviderEvent.objects.filter(pk=event.pk).update(
        attempts=min(event.attempts + 1, 30_000), not_before=Now() + timedelta(seconds=wait_s)
    )
    return event


@transactional
def _apply(event: ProviderEvent, state: ProviderState, *, now: datetime) -> None:
    """Bring the payment that a notice is about to the fetched state, and close the notice with it."""
    payment_id = _find_payment_id(event.provider, state)
    if payment_id is None:
        _leave_unmatched(event, now=now)
        return
    payment = payments.lock_payment(payment_id)
    locked = ProviderEvent.objects.select_for_update().get(pk=event.pk)
    if locked.state not in _OPEN:
        return
    locked.payment = payment
    if event.is_live != payment.is_live or state.is_live != payment.is_live:
        _close(locked, ProviderEventState.IGNORED, "mode_mismatch", now=now)
        return
    if payment.news_at is not None and event.occurred_at < payment.news_at:
        # What was fetched for the later notice held all that this one could tell.
        _close(locked, ProviderEventState.IGNORED, "stale", now=now)
        return
    by = Actor.system(f"provider:{event.provider}")
    applied = payments.apply_state(payment, state=state, by=by, now=now)
    if applied.mismatch:
        _close(locked, ProviderEventState.FAILED, applied.mismatch, now=now)
        return
    Payment.objects.filter(pk=payment.pk).update(news_at=event.occurred_at)
    _close(locked, ProviderEventState.DONE, "", now=now)


def _find_payment_id(provider: str, state: ProviderState) -> int | None:
    """Return the payment of a provider's object: by its reference, or by the id that we sent along."""
    of_provider = Payment.objects.filter(provider=provider).values_list("pk", flat=True)
    found = of_provider.filter(provider_reference=state.reference).first()
    if found is None:
        try:
            public_id = UUID(state.metadata.get("payment", ""))
        except ValueError:
            return None
        found = of_provider.filter(public_id=public_id).first()
    return found


@transactional
def _conclude_unmatched(event: ProviderEvent, *, now: datetime) -> None:
    _leave_unmatched(event, now=now)


@part_of_transaction
def _leave_unmatched(event: ProviderEvent, *, now: datetime) -> None:
    """Keep a notice about nothing that we know; it is tried again, and then left to a person."""
    locked = ProviderEvent.objects.select_for_update().get(pk=event.pk)
    if locked.state not in _OPEN:
        return
    if locked.state == ProviderEventState.NEW:
        logger.error("provider_event.unmatched", extra={"event_id": event.pk})
    if locked.received_at < now - _UNMATCHED_FOR:
        _close(locked, ProviderEventState.FAILED, "unmatched", now=now)
        return
    locked.state, locked.reason = ProviderEventState.UNMATCHED, "unknown_object"
    locked.not_before = now + _UNMATCHED_WAIT
    locked.save(update_fields=["state", "reason", "not_before"])


def _close(event: ProviderEvent, state: ProviderEventState, reason: str, *, now: datetime) -> None:
    event.state, event.reason, event.processed_at = state, reason, now
    event.save(update_fields=["state", "reason", "processed_at", "payment"])
    if state == ProviderEventState.FAILED or reason == "mode_mismatch":
        logger.error("provider_event.refused", extra={"event_id": event.pk, "reason": reason})
