"""Delivery of events and housekeeping; each task is one call."""

from django.utils import timezone

from foundation import events, heartbeats, idempotency
from foundation.queue import queued_task


@queued_task("foundation.deliver_events_on_default", queue="default")
def deliver_events_on_default(*, event_ids: list[int]) -> None:
    """Deliver many events that were recorded together."""
    events.deliver_many(event_ids=event_ids, now=timezone.now())


@queued_task("foundation.deliver_event_on_default", queue="default")
def deliver_event_on_default(*, event_id: int) -> None:
    """Deliver an event whose subscribers may wait."""
    events.deliver(event_id=event_id, now=timezone.now())


@queued_task("foundation.deliver_events_on_evaluate", queue="evaluate")
def deliver_events_on_evaluate(*, event_ids: list[int]) -> None:
    """Deliver many events that were recorded together."""
    events.deliver_many(event_ids=event_ids, now=timezone.now())


@queued_task("foundation.deliver_event_on_evaluate", queue="evaluate")
def deliver_event_on_evaluate(*, event_id: int) -> None:
    """Deliver an event that strategies wait for."""
    events.deliver(event_id=event_id, now=timezone.now())


@queued_task("foundation.deliver_events_on_orders", queue="orders")
def deliver_events_on_orders(*, event_ids: list[int]) -> None:
    """Deliver many events that were recorded together."""
    events.deliver_many(event_ids=event_ids, now=timezone.now())


@queued_task("foundation.deliver_event_on_orders", queue="orders")
def deliver_event_on_orders(*, event_id: int) -> None:
    """Deliver an event that order handling waits for."""
    events.deliver(event_id=event_id, now=timezone.now())


@queued_task("foundation.deliver_events_on_control", queue="control")
def deliver_events_on_control(*, event_ids: list[int]) -> None:
    """Deliver many events that were recorded together."""
    events.deliver_many(event_ids=event_ids, now=timezone.now())


@queued_task("foundation.deliver_event_on_control", queue="control")
def deliver_event_on_control(*, event_id: int) -> None:
    """Deliver an event that must act at once."""
    events.deliver(event_id=event_id, now=timezone.now())


@queued_task("foundation.redeliver_events", queue="default")
def redeliver_events() -> None:
    """Send again the events that nobody confirmed."""
    events.redeliver_due(now=timezone.now())


@queued_task("foundation.beat", queue="default")
def beat() -> None:
    """Say that beat and the default worker are alive."""
    heartbeats.record(process="beat", now=timezone.now())


@queued_task("foundation.worker_beat", queue="default")
def worker_beat(*, queue: str) -> None:
    """Say that the workers of *queue* work: beat sends this on that queue, whatever the route says."""
    heartbeats.record(process=heartbeats.worker_of(queue), now=timezone.now())


@queued_task("foundation.forget_answered_requests", queue="default")
def forget_answered_requests() -> None:
    """Delete the answers that no client can ask for again."""
    idempotency.forget_old(now=timezone.now())
