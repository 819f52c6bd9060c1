"""``manage.py drift_report``: a deployment beside a replay of the same bars, computed here and now."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.utils import timezone

from foundation.audit import Actor
from foundation.commands import PlatformCommand
from market.errors import NotFoundError
from trading import drift_exports
from trading.domain.drift_columns import COLUMNS
from trading.models import DriftStatus
from trading.selectors import deployments, drift_reports
from trading.services import live_drift


class Command(PlatformCommand):
    """Compare a deployment with its replay and print the columns of the difference."""

    help = "Compare a deployment with a replay of its bars; print the difference by its causes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("deployment", type=UUID, help="its id, as in its address")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="whose it is")
        parser.add_argument("--csv", action="store_true", help="print every trade as CSV instead")

    def handle(self, *args: object, **options: Any) -> None:
        """Compute the report in this process and print it."""
        owner = get_user_model().objects.filter(email=options["owner"].strip().lower()).first()
        if owner is None:
            raise NotFoundError("Nobody is registered with this address.")
        now = timezone.now()
        live_drift.request_report(
            owner=owner,
            deployment_public_id=options["deployment"],
            by=Actor.system("command"),
            now=now,
        )
        deployment = deployments.get_deployment_for(owner, public_id=options["deployment"])
        report = drift_reports.get_latest(owner, deployment=deployment)
        live_drift.compute_report(report_id=report.pk, now=now)
        report.refresh_from_db()
        if report.status != DriftStatus.DONE:
            raise CommandError(report.error_message or "A worker is at it already.")
        if options["csv"]:
            for line in drift_exports.trades_csv(drift_reports.trades_of(owner, report=report)):
                self.stdout.write(line, ending="")
            return
        for name in ("live_pnl", "replay_pnl", *COLUMNS):
            self.stdout.write(f"{name:<12}{getattr(report, name):>24.8f}")
