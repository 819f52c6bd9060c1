"""The JSON API of backtesting."""

from typing import Any, Final
from uuid import UUID

from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backtesting import reports
from backtesting.api import answers, presenters
from backtesting.api.serializers import RunRequestSerializer
from backtesting.models import RunStatus
from backtesting.selectors import runs as selectors
from backtesting.services import runs
from foundation import idempotency, pagination, schema
from foundation.http import actor_of

#: Whoever may run backtests, or read the account, may look at results.
_READ: Final = ("read:account", "manage:strategy")


class Runs(APIView):
    """All of a person's runs, newest first; POST requests one."""

    required_scope = {"GET": _READ, "POST": "manage:strategy"}
    throttle_buckets = {"POST": ("write", "backtest")}
    problem_statuses = {"POST": (402, 404, 409, 422)}

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("status", "In this state only.", values=RunStatus.values),
            schema.filter_by("strategy", "Of this strategy only, by its slug."),
        ],
        responses=schema.page_of(answers.RunInListSerializer),
    )
    def get(self, request: Request) -> Response:
        """List runs, newest first."""
        status = pagination.choice_parameter(request, "status", RunStatus.values)
        strategy = pagination.text_parameter(request, "strategy")
        return pagination.page_response(
            request,
            lambda named, limit: selectors.page_of_runs(
                request.user,
                below=pagination.key_of(named),
                limit=limit,
                status=status,
                strategy_slug=strategy,
            ),
            name_of=lambda run: str(run.pk),
            present=presenters.present_run_in_list,
            filters=("status", "strategy"),
        )

    @extend_schema(
        parameters=[schema.OPTIONAL_IDEMPOTENCY_KEY],
        request=RunRequestSerializer,
        responses={201: answers.RunSerializer, 200: answers.RunSerializer},
    )
    def post(self, request: Request) -> Response:
        """Answer 201 with a new run, or 200 with the present one of the same specification."""
        now = timezone.now()
        return idempotency.answer_once(
            request, lambda _key: _request_run(request), now=now, is_required=False
        )


class Run(APIView):
    """One run."""

    required_scope = _READ

    @extend_schema(responses=answers.RunSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return its specification, where it stands, and its metrics once it is done."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(presenters.present_run(run))


class Cancel(APIView):
    """Stop a run that is not over."""

    required_scope = "manage:strategy"
    problem_statuses = {"POST": (409,)}

    @extend_schema(request=None, responses={202: answers.RunSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """A waiting run ends at once, a running one within a second or so."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        runs.cancel_run(run_id=run.pk, by=actor_of(request), now=timezone.now())
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(presenters.present_run(run), status=202)


class Trades(APIView):
    """The trades of a run."""

    required_scope = _READ
    problem_statuses = {"GET": (409,)}

    @extend_schema(parameters=[*schema.PAGE], responses=schema.page_of(answers.TradeSerializer))
    def get(self, request: Request, public_id: UUID) -> Response:
        """List trades in their order."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        reports.require_done(run)
        return pagination.page_response(
            request,
            lambda named, limit: selectors.trades_of(run, after=int(named or 0), limit=limit),
            name_of=lambda trade: str(trade.number),
            present=reports.present_trade,
        )


class TradesCsv(APIView):
    """The trades of a run as a file."""

    required_scope = _READ
    throttle_buckets = {"GET": ("export",)}
    problem_statuses = {"GET": (409,)}

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, public_id: UUID) -> StreamingHttpResponse:
        """Return all of them as CSV."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        return reports.csv_response(run)


class Series(APIView):
    """The equity curve of a run, beside buy-and-hold, and its drawdown."""

    required_scope = _READ
    problem_statuses = {"GET": (409,)}

    @extend_schema(responses=answers.SeriesSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return at most 2,000 points a line."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(reports.equity_series(run))


class CandleChart(APIView):
    """The candles of a run with its trades and the strategy's lines."""

    required_scope = _READ
    problem_statuses = {"GET": (409,)}

    @extend_schema(responses=answers.CandleChartSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return at most 2,000 candles, each of several bars if need be."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(reports.candle_chart(run))


def _request_run(request: Request) -> Response:
    serializer = RunRequestSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    wanted: dict[str, Any] = dict(serializer.validated_data)
    now = timezone.now()
    run = runs.request_run(
        owner=request.user,
        strategy_slug=wanted.pop("strategy"),
        by=actor_of(request),
        now=now,
        **wanted,
    )
    run = selectors.get_run_for(request.user, public_id=run.public_id)
    return Response(
        presenters.present_run(run),
        status=201 if run.requested_at == now else 200,
        headers={"Location": reverse("backtesting-api:run", args=[run.public_id])},
    )
