"""Deployments that are stopped by somebody other than their owner, and how any of them ends."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from billing.selectors import entitlements
from foundation.audit import Actor
from foundation.events import publish
from foundation.transactions import part_of_transaction, transactional
from trading import events
from trading.models import (
    ActualState,
    CommandKind,
    Deployment,
    DeploymentCommand,
    DeploymentInstrument,
    DesiredState,
)
from trading.selectors import usage
from trading.selectors.deployments import ENDED_STATES
from trading.services import health, locks, notices, revisions, wishes

#: Deployments that one sweep stops at most; the next one goes on.
_STOPPED_AT_ONCE: Final = 200

_BY_BILLING: Final = Actor.system("billing")
_BY_ACCOUNTS: Final = Actor.system("accounts")

_BY_EVALUATION: Final = Actor.system("evaluation")

_DEACTIVATED: Final = "The person's account was deactivated."


@part_of_transaction
def stop(
    deployment: Deployment, *, idempotency_key: str, by: Actor, now: datetime, note: str
) -> DeploymentCommand | None:
    """Let a locked *deployment* stop by its own stop policy, unless it has ended or is stopping.

    Returns the command, or the one that is being carried out; None if it has ended. Its epoch rises
    at once, so that nothing decided before opens a position; exits and stops go on.
    """
    if deployment.actual_state in ENDED_STATES:
        return None
    under_way = DeploymentCommand.objects.filter(
        deployment=deployment, kind=CommandKind.STOP, done_at=None
    ).first()
    if under_way is not None:
        return under_way
    return wishes.record(
        deployment,
        kind=CommandKind.STOP,
        idempotency_key=idempotency_key,
        by=by,
        now=now,
        note=note,
    )


@transactional
def stop_for_product(*, owner_id: int, product_code: str, key: str, now: datetime) -> int:
    """Stop what a person's right to a product carried, now that it may have ended; return how many.

    Nothing happens to what the person has a right to at *now*, or may still renew: the news may be old. Of a plan, what
    is above the limits that are left is stopped, the newest first. *key* names the cause.
    """
    slug = usage.strategy_of(product_code)
    if slug is None:
        return _stop_above_limits(owner_id=owner_id, key=key, now=now)
    if entitlements.retained_owners(product_code, [owner_id], now=now):
        return 0
    running = usage.unfinished_of(owner_id).filter(strategy_version__strategy__slug=slug)
    return _stop_all(
        locks.lock_deployments(running),
        key=key,
        by=_BY_BILLING,
        now=now,
        note="The subscription to its strategy has ended.",
    )


@transactional
def stop_for_person(*, owner_id: int, key: str, now: datetime) -> int:
    """Stop everything of a person whose account was deactivated; return how many were stopped."""
    running = locks.lock_deployments(usage.unfinished_of(owner_id))
    still_out = [each for each in running if not each.owner.is_active]
    return _stop_all(still_out, key=key, by=_BY_ACCOUNTS, now=now, note=_DEACTIVATED)


@transactional
def stop_for_failure(*, group_id: int, message: str, now: datetime) -> int:
    """Stop what follows signals that cannot be computed any more; it ends as failed."""
    running = Deployment.objects.filter(revisions__group_id=group_id, revisions__to_bar_at=None)
    stopped = 0
    for deployment in locks.lock_deployments(running.exclude(actual_state__in=ENDED_STATES)):
        health.degrade(deployment, code=health.STRATEGY_FAILED, message=message, now=now)
        stopped += _stop_all(
            [deployment],
            key=f"failure-{deployment.epoch}",
            by=_BY_EVALUATION,
            now=now,
            note=message,
        )
    return stopped


def sweep_rights(*, now: datetime) -> int:
    """Stop what runs without a right, whoever forgot to say so; return how many that were.

    A deployment may have begun in the moment in which a right ended, and an event may be late.
    """
    running = Deployment.objects.exclude(desired_state=DesiredState.STOPPED).exclude(
        actual_state__in=ENDED_STATES
    )
    inactive = running.filter(owner__is_active=False).values_list("owner_id", flat=True)
    stopped = 0
    for owner_id in sorted(set(inactive[:_STOPPED_AT_ONCE])):
        stopped += stop_for_person(owner_id=owner_id, key=_sweep_key(now), now=now)
    slugs = running.values_list("strategy_version__strategy__slug", flat=True).distinct()
    for slug in sorted(slugs):
        product = usage.product_code(slug)
        owners = set(
            running.filter(strategy_version__strategy__slug=slug)
            .values_list("owner_id", flat=True)
            .distinct()
        )
        without = owners - entitlements.retained_owners(product, owners, now=now)
        for owner_id in sorted(without)[:_STOPPED_AT_ONCE]:
            stopped += stop_for_product(
                owner_id=owner_id, product_code=product, key=_sweep_key(now), now=now
            )
    return stopped


@part_of_transaction
def conclude(deployment: Deployment, *, command: DeploymentCommand, now: datetime) -> None:
    """End a locked *deployment* for which nothing works any more, let go of what it held, and tell.

    One that was stopped because its strategy could not be computed has failed.
    """
    has_failed = command.actor_identifier == _BY_EVALUATION.identifier
    deployment.actual_state = ActualState.FAILED if has_failed else ActualState.STOPPED
    deployment.stopped_at = now
    deployment.version += 1
    deployment.save(update_fields=["actual_state", "stopped_at", "version"])
    revisions.end(deployment, now=now)
    DeploymentInstrument.objects.filter(deployment=deployment).update(is_active=False)
    publish(
        events.DEPLOYMENT_STOPPED,
        occurred_at=now,
        owner_id=deployment.owner_id,
        deployment_id=deployment.pk,
    )
    if has_failed:
        notices.tell_failed(deployment, command=command, now=now)
    else:
        notices.tell_stopped(deployment, command=command, now=now)


@part_of_transaction
def _stop_above_limits(*, owner_id: int, key: str, now: datetime) -> int:
    running = locks.lock_deployments(usage.unfinished_of(owner_id))
    if not running:
        return 0
    limits = entitlements.limits_of(running[0].owner, now=now)
    return sum(
        _stop_all(
            [deployment],
            key=key,
            by=_BY_BILLING,
            now=now,
            note=f"The plan allows {allowed} of this kind now; the newest are stopped first.",
        )
        for deployment, allowed in usage.above_limits(running, limits=limits)
    )


def _stop_all(found: Iterable[Deployment], *, key: str, by: Actor, now: datetime, note: str) -> int:
    return sum(
        stop(each, idempotency_key=key, by=by, now=now, note=note) is not None for each in found
    )


def _sweep_key(now: datetime) -> str:
    return f"sweep-{now:%Y%m%d%H%M%S%f}"
