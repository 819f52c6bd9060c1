"""A person's drift reports."""

from django.db.models import QuerySet

from market.errors import NotFoundError
from trading.models import Deployment, DriftReport, DriftTrade
from trading.selectors.owners import Owner


class NoDriftReportError(NotFoundError):
    """Nobody has asked for a comparison yet."""

    code = "no_drift_report"

    def __init__(self) -> None:
        super().__init__("There is no drift report of this deployment yet.")


def find_latest(owner: Owner, *, deployment: Deployment) -> DriftReport | None:
    """Return the newest report of a deployment of *owner*, whatever its status."""
    found = DriftReport.objects.filter(owner_id=owner.pk, deployment_id=deployment.pk)
    return found.order_by("-pk").first()


def get_latest(owner: Owner, *, deployment: Deployment) -> DriftReport:
    """Return the newest report of a deployment of *owner*; raise NoDriftReportError."""
    report = find_latest(owner, deployment=deployment)
    if report is None:
        raise NoDriftReportError
    return report


def trades_of(owner: Owner, *, report: DriftReport) -> QuerySet[DriftTrade, DriftTrade]:
    """Return the trades of a report of *owner*, oldest first."""
    return DriftTrade.objects.filter(owner_id=owner.pk, report=report).order_by("number")
