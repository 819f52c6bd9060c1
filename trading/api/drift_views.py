"""The JSON API of the comparison of a deployment with its replay."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backtesting.reports import instant
from foundation import pagination, schema
from foundation.http import actor_of
from trading import drift_exports
from trading.api import drift_answers
from trading.domain.drift_columns import COLUMNS
from trading.models import DriftReport, DriftStatus
from trading.selectors import deployments as selectors
from trading.selectors import drift_reports
from trading.services import live_drift


class Drift(APIView):
    """The newest comparison of a deployment with its replay; POST asks for another one."""

    required_scope = {"GET": "read:account", "POST": "read:account"}
    throttle_buckets = {"POST": ("write",)}

    @extend_schema(responses=drift_answers.DriftReportSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return the newest comparison; 404 if nobody has asked for one."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        return Response(
            present_report(drift_reports.get_latest(request.user, deployment=deployment))
        )

    @extend_schema(request=None, responses={202: drift_answers.DriftReportSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Ask for a comparison and answer 202; the one that is under way, if there is one."""
        report = live_drift.request_report(
            owner=request.user,
            deployment_public_id=public_id,
            by=actor_of(request),
            now=timezone.now(),
        )
        return Response(present_report(report), status=202)


class DriftTrades(APIView):
    """The trades of the newest comparison."""

    required_scope = "read:account"

    @extend_schema(
        parameters=[*schema.PAGE],
        responses=schema.page_of(drift_answers.DriftTradeSerializer),
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """List the trades of both sides with the columns of their difference, oldest first."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        report = drift_reports.get_latest(request.user, deployment=deployment)
        found = drift_reports.trades_of(request.user, report=report)
        return pagination.page_response(
            request,
            lambda named, limit: list(
                found.filter(number__gt=pagination.key_of(named) or 0)[:limit]
            ),
            name_of=lambda trade: str(trade.number),
            present=drift_exports.trade_values,
        )


def present_report(report: DriftReport) -> dict[str, Any]:
    """Return a comparison as JSON, its trades apart."""
    is_done = report.status == DriftStatus.DONE
    return {
        "id": str(report.public_id),
        "status": report.status,
        "error_code": report.error_code or None,
        "error_message": report.error_message or None,
        "requested_at": instant(report.requested_at),
        "finished_at": instant(report.finished_at),
        "from_at": instant(report.from_at),
        "to_at": instant(report.to_at),
        "totals": drift_exports.amounts(report) if is_done else None,
        "columns": list(COLUMNS),
        "equity": report.equity,
    }
