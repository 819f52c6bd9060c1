"""Entry points of the workers; each is one call of a service."""

import logging
from typing import Any, Final

from celery.signals import worker_init
from django.db import OperationalError, connections
from django.utils import timezone

from foundation import tenancy
from foundation.queue import queued_task
from trading.domain import brackets
from trading.services import (
    commands,
    dead_men,
    erasures,
    evaluation,
    fundings,
    groups,
    halting,
    live_drift,
    partitions,
    pruning,
    reconciliation,
    restored,
    shards,
    starts,
    stops,
    submission,
    sweeps,
    triggers,
    unprotected,
)

logger = logging.getLogger(__name__)

#: The queues whose workers place what protects positions.
_PROTECTING: Final = frozenset({"control", "evaluate", "orders"})


@worker_init.connect
def load_protection(sender: Any, **_: Any) -> None:
    """Load what works out stops before the worker forks: a first position must not wait for it."""
    if _PROTECTING & sender.app.amqp.queues.consume_from.keys():
        brackets.preload()


@worker_init.connect
def halt_if_restored(sender: Any, **_: Any) -> None:
    """Look whether the database is the one it was before the first order can leave."""
    if _PROTECTING & sender.app.amqp.queues.consume_from.keys():
        try:
            with tenancy.bypass("a halt concerns everybody"):
                restored.halt_if_restored(now=timezone.now())
        except OperationalError:
            # Without a database nothing leaves; once it is back, the watch of the rules looks within seconds.
            logger.warning("database.not_looked_at")
        finally:
            # The processes of the worker must not share a connection.
            connections.close_all()


@queued_task("trading.evaluate_signal_groups", queue="evaluate")
def evaluate_signal_groups(*, group_ids: list[int]) -> None:
    """Decide on the bars of groups that have closed."""
    with tenancy.bypass("a signal group serves many people"):
        evaluation.evaluate_signal_groups(group_ids=group_ids, now=timezone.now())


@queued_task("trading.step_groups", queue="evaluate")
def step_groups(*, group_ids: list[int]) -> None:
    """Help with groups that have more deployments than one worker should step alone."""
    with tenancy.bypass("a signal group serves many people"):
        shards.step_groups(group_ids=group_ids, now=timezone.now())


@queued_task("trading.split_shards", queue="evaluate")
def split_shards() -> None:
    """Split the shards of groups that have grown."""
    with tenancy.bypass("a signal group serves many people"):
        groups.split_large_shards()


@queued_task("trading.sweep_evaluation", queue="evaluate")
def sweep_evaluation() -> None:
    """Find groups with bars that nobody has decided on."""
    with tenancy.bypass("a sweep looks at everything"):
        sweeps.sweep_evaluation(now=timezone.now())


@queued_task("trading.submit_due_intents", queue="orders")
def submit_due_intents(*, calls_others: bool = True) -> None:
    """Send what is due, for accounts that nobody serves."""
    with tenancy.bypass("accounts are served side by side"):
        starts.note_start(now=timezone.now())
        submission.submit_due_intents(now=timezone.now(), calls_others=calls_others)


@queued_task("trading.reconcile_account", queue="orders")
def reconcile_account(*, account_id: int) -> None:
    """Compare one account with its venue now."""
    with tenancy.bypass("accounts are served side by side"):
        starts.note_start(now=timezone.now())
        reconciliation.reconcile_account(account_id=account_id, now=timezone.now())


@queued_task("trading.reconcile_due_accounts", queue="orders")
def reconcile_due_accounts() -> None:
    """Compare the accounts whose turn it is with their venues."""
    with tenancy.bypass("accounts are served side by side"):
        starts.note_start(now=timezone.now())
        reconciliation.reconcile_due_accounts(now=timezone.now())


@queued_task("trading.sweep_unprotected", queue="orders")
def sweep_unprotected() -> None:
    """Protect or close the positions that have had no stop for too long."""
    with tenancy.bypass("a sweep looks at everything"):
        unprotected.sweep_unprotected(now=timezone.now())


@queued_task("trading.refresh_dead_men", queue="orders")
def refresh_dead_men() -> None:
    """Keep the venues from canceling orders whose platform still works."""
    with tenancy.bypass("accounts are served side by side"):
        dead_men.refresh_dead_men(now=timezone.now())


@queued_task("trading.report_daily", queue="orders")
def report_daily() -> None:
    """Look at everything of the last two days, once a day."""
    with tenancy.bypass("accounts are served side by side"):
        reconciliation.report_daily(now=timezone.now())


@queued_task("trading.book_fundings", queue="orders")
def book_fundings() -> None:
    """Book what fundings took and brought."""
    with tenancy.bypass("accounts are served side by side"):
        fundings.book_due(now=timezone.now())


@queued_task("trading.act_on_command", queue="control")
def act_on_command(*, command_id: int) -> None:
    """Carry out what a person wants of a deployment."""
    with tenancy.bypass("a command names its deployment"):
        starts.note_start(now=timezone.now())
        commands.act_on_command(command_id=command_id, now=timezone.now())


@queued_task("trading.sweep_commands", queue="control")
def sweep_commands() -> None:
    """Find commands that are not done."""
    with tenancy.bypass("a sweep looks at everything"):
        commands.sweep_commands(now=timezone.now())


@queued_task("trading.sweep_rights", queue="control")
def sweep_rights() -> None:
    """Stop what runs without a right."""
    with tenancy.bypass("a sweep looks at everything"):
        stops.sweep_rights(now=timezone.now())


@queued_task("trading.compute_drift_report", queue="compute")
def compute_drift_report(*, report_id: int) -> None:
    """Compare a deployment with its replay."""
    with tenancy.bypass("a report names its deployment"):
        live_drift.compute_report(report_id=report_id, now=timezone.now())


@queued_task("trading.sweep_drift_reports", queue="compute")
def sweep_drift_reports() -> None:
    """Find drift reports whose message or worker was lost."""
    with tenancy.bypass("a sweep looks at everything"):
        live_drift.sweep_reports(now=timezone.now())


@queued_task("trading.sweep_erasures", queue="default")
def sweep_erasures() -> None:
    """Delete people who asked for it and for whom nothing runs any more."""
    with tenancy.bypass("a sweep looks at everything"):
        erasures.sweep_erasures(now=timezone.now())


@queued_task("trading.prune_decisions", queue="default")
def prune_decisions() -> None:
    """Forget old decisions that say nothing new."""
    with tenancy.bypass("decisions of everybody grow old"):
        pruning.prune_decisions(now=timezone.now())


@queued_task("trading.ensure_partitions", queue="default")
def ensure_partitions() -> None:
    """Make the decision tables' partitions of the coming months."""
    partitions.ensure_partitions(now=timezone.now())


@queued_task("trading.tell_restriction", queue="control")
def tell_restriction(*, restriction_id: int) -> None:
    """Take away what a restriction forbids, and tell those concerned."""
    with tenancy.bypass("a restriction may concern everybody"):
        halting.tell_restriction(restriction_id=restriction_id, now=timezone.now())


@queued_task("trading.sweep_restrictions", queue="control")
def sweep_restrictions() -> None:
    """Find restrictions of which nobody was told."""
    with tenancy.bypass("a sweep looks at everything"):
        halting.sweep_restrictions(now=timezone.now())


@queued_task("trading.watch_triggers", queue="control")
def watch_triggers() -> None:
    """Stop what has to be stopped by a rule, and end what is over."""
    with tenancy.bypass("rules look at everything"):
        triggers.watch(now=timezone.now())
