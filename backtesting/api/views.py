"""The JSON API of backtesting."""

from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backtesting import reports
from backtesting.api import paging, presenters
from backtesting.api.serializers import RunRequestSerializer
from backtesting.selectors import runs as selectors
from backtesting.services import runs
from foundation.http import actor_of


class Runs(APIView):
    """All of a person's runs, newest first; POST requests one."""

    required_scope = {"GET": ("read:account", "manage:strategy"), "POST": "manage:strategy"}
    throttle_buckets = {"POST": ("write", "backtest")}
    problem_statuses = {"POST": (402, 404, 409, 422)}

    def get(self, request: Request) -> Response:
        """List runs; ``after`` is the id of the last one seen."""
        paging.refuse_unknown(request, allowed=("limit", "after"))
        limit = paging.limit_of(request)
        found = selectors.page_of_runs(
            request.user, after=paging.after_id(request), limit=limit + 1
        )
        more = (
            paging.next_url(request, after=found[limit - 1].public_id, limit=limit)
            if len(found) > limit
            else None
        )
        results = [presenters.present_run_in_list(run) for run in found[:limit]]
        return Response({"results": results, "next": more})

    def post(self, request: Request) -> Response:
        """Answer 201 with a new run, or 200 with the present one of the same specification."""
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


class Run(APIView):
    """One run."""

    required_scope = ("read:account", "manage:strategy")

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return its specification, where it stands, and its metrics once it is done."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(presenters.present_run(run))


class Cancel(APIView):
    """Stop a run that is not over."""

    required_scope = "manage:strategy"
    problem_statuses = {"POST": (409,)}

    def post(self, request: Request, public_id: UUID) -> Response:
        """A waiting run ends at once, a running one within a second or so."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        runs.cancel_run(run_id=run.pk, by=actor_of(request), now=timezone.now())
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(presenters.present_run(run), status=202)


class Trades(APIView):
    """The trades of a run."""

    required_scope = ("read:account", "manage:strategy")
    problem_statuses = {"GET": (409,)}

    def get(self, request: Request, public_id: UUID) -> Response:
        """List trades in their order; ``after`` is the number of the last one seen."""
        paging.refuse_unknown(request, allowed=("limit", "after"))
        limit, after = paging.limit_of(request), paging.after_number(request)
        run = selectors.get_run_for(request.user, public_id=public_id)
        reports.require_done(run)
        found = selectors.trades_of(run, after=after, limit=limit + 1)
        more = (
            paging.next_url(request, after=found[limit - 1].number, limit=limit)
            if len(found) > limit
            else None
        )
        results = [reports.present_trade(trade) for trade in found[:limit]]
        return Response({"results": results, "next": more})


class TradesCsv(APIView):
    """The trades of a run as a file."""

    required_scope = ("read:account", "manage:strategy")
    throttle_buckets = {"GET": ("export",)}
    problem_statuses = {"GET": (409,)}

    def get(self, request: Request, public_id: UUID) -> StreamingHttpResponse:
        """Return all of them as CSV."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        return reports.csv_response(run)


class Series(APIView):
    """The equity curve of a run, beside buy-and-hold, and its drawdown."""

    required_scope = ("read:account", "manage:strategy")
    problem_statuses = {"GET": (409,)}

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return at most 2,000 points a line."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(reports.equity_series(run))


class CandleChart(APIView):
    """The candles of a run with its trades and the strategy's lines."""

    required_scope = ("read:account", "manage:strategy")
    problem_statuses = {"GET": (409,)}

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return at most 2,000 candles, each of several bars if need be."""
        run = selectors.get_run_for(request.user, public_id=public_id)
        return Response(reports.candle_chart(run))
