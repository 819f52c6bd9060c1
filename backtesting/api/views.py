"""The JSON API of backtesting."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backtesting import comparison, exports, reports
from backtesting.api import answers, presenters
from backtesting.api.serializers import AnnotationSerializer, RunRequestSerializer
from backtesting.models import AwaitedRun, RunStatus
from backtesting.selectors import runs as selectors
from backtesting.services import awaited, history, runs
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
            schema.filter_by("market", "Of this market only, such as binance:BTC/USDT."),
            schema.filter_by("tag", "With this tag only."),
        ],
        responses=schema.page_of(answers.RunInListSerializer),
    )
    def get(self, request: Request) -> Response:
        """List runs, newest first."""
        wanted = selectors.RunFilter(
            status=pagination.choice_parameter(request, "status", RunStatus.values),
            strategy=pagination.text_parameter(request, "strategy"),
            market=pagination.text_parameter(request, "market"),
            tag=pagination.text_parameter(request, "tag"),
        )
        return pagination.page_response(
            request,
            lambda named, limit: selectors.page_of_runs(
                request.user,
                below=pagination.key_of(named),
                limit=limit,
                wanted=wanted,
            ),
            name_of=lambda run: str(run.pk),
            present=exports.describe_run_in_list,
            filters=("status", "strategy", "market", "tag"),
        )

    @extend_schema(
        parameters=[schema.OPTIONAL_IDEMPOTENCY_KEY],
        request=RunRequestSerializer,
        responses={
            201: answers.RunSerializer,
            200: answers.RunSerializer,
            202: answers.AwaitedRunSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        """Answer 201 with a new run, or 200 with the present one of the same specification.

        With ``fetch_missing``, 202 while candles are fetched for it.
        """
        now = timezone.now()
        return idempotency.answer_once(
            request, lambda _key: _request_run(request), now=now, is_required=False
        )


class Run(APIView):
    """One run."""

    required_scope = {"GET": _READ, "PATCH": "manage:strategy", "DELETE": "manage:strategy"}
    problem_statuses = {"DELETE": (409,)}

    @extend_schema(responses=answers.RunSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return its specification, where it stands, and its metrics once it is done."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(presenters.present_run(run))

    @extend_schema(request=AnnotationSerializer, responses=answers.RunSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Write tags and a note on it; what is not sent stays."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        serializer = AnnotationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        history.annotate_run(run_id=run.pk, **serializer.validated_data, by=actor_of(request))
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(presenters.present_run(run))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Take it away with its trades; one that is not over is canceled first."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        history.delete_run(run_id=run.pk, by=actor_of(request), now=timezone.now())
        return Response(status=204)


class Compare(APIView):
    """A few runs side by side."""

    required_scope = _READ
    problem_statuses = {"GET": (404, 409)}

    @extend_schema(
        parameters=[schema.filter_by("ids", "From 2 to 5 runs, with commas between them.")],
        responses=answers.ComparisonSerializer,
    )
    def get(self, request: Request) -> Response:
        """Return their figures with the best marked, their settings and their curves."""
        pagination.refuse_unknown(request, allowed=("ids",))
        ids = _ids_of(request.query_params.get("ids", ""))
        runs = selectors.get_runs_for(request.user, public_ids=ids)
        return Response(presenters.present_comparison(comparison.compare(runs)))


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


class EquityCsv(APIView):
    """The equity curve of a run as a file."""

    required_scope = _READ
    throttle_buckets = {"GET": ("export",)}
    problem_statuses = {"GET": (409,)}

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, public_id: UUID) -> StreamingHttpResponse:
        """Return the value after every bar as CSV, not thinned."""
        return exports.equity_response(selectors.get_run_for(request.user, public_id=public_id))


class Document(APIView):
    """A run as one JSON file."""

    required_scope = _READ
    throttle_buckets = {"GET": ("export",)}
    problem_statuses = {"GET": (409,)}

    @extend_schema(responses={(200, "application/json"): OpenApiTypes.OBJECT})
    def get(self, request: Request, public_id: UUID) -> StreamingHttpResponse:
        """Return the run, its series (at most 2,000 points a line) and all of its trades."""
        return exports.json_response(selectors.get_run_for(request.user, public_id=public_id))


class Report(APIView):
    """A run as a report to read and print."""

    required_scope = _READ
    throttle_buckets = {"GET": ("export",)}
    problem_statuses = {"GET": (409,)}

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR})
    def get(self, request: Request, public_id: UUID) -> HttpResponse:
        """Return one HTML file that needs nothing else."""
        return exports.report_response(selectors.get_run_for(request.user, public_id=public_id))


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


def _ids_of(text: str) -> Sequence[UUID]:
    try:
        ids = [UUID(part) for part in text.split(",") if part]
    except ValueError:
        raise selectors.BacktestNotFoundError from None
    comparison.require_comparable(ids)
    return ids


def _request_run(request: Request) -> Response:
    serializer = RunRequestSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    wanted: dict[str, Any] = dict(serializer.validated_data)
    now = timezone.now()
    request_run = awaited.request_run if wanted.pop("fetch_missing") else runs.request_run
    run = request_run(
        owner=request.user,
        strategy_slug=wanted.pop("strategy"),
        by=actor_of(request),
        now=now,
        **wanted,
    )
    if isinstance(run, AwaitedRun):
        address = reverse("backtesting-api:awaited", args=[run.public_id])
        document = presenters.present_awaited(run)
        return Response(document, status=202, headers={"Location": address})
    run = selectors.get_run_for(request.user, public_id=run.public_id)
    return Response(
        presenters.present_run(run),
        status=201 if run.requested_at == now else 200,
        headers={"Location": reverse("backtesting-api:run", args=[run.public_id])},
    )
