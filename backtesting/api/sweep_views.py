"""The JSON API of sweeps."""

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

from backtesting import sweep_reports
from backtesting.api import answers, presenters, sweep_answers
from backtesting.api.sweep_serializers import SweepRequestSerializer, TrialRunSerializer
from backtesting.models import RunStatus, Sweep
from backtesting.selectors import runs as run_selectors
from backtesting.selectors import sweeps as selectors
from backtesting.services import sweeps
from backtesting.services.sweep_plans import SweepWish
from foundation import idempotency, pagination, schema
from foundation.http import actor_of

#: Whoever may run backtests, or read the account, may look at results.
_READ: Final = ("read:account", "manage:strategy")
_DEFAULT_ORDER: Final = "number"


class Sweeps(APIView):
    """All of a person's sweeps, newest first; POST requests one."""

    required_scope = {"GET": _READ, "POST": "manage:strategy"}
    throttle_buckets = {"POST": ("write", "backtest")}
    problem_statuses = {"POST": (402, 404, 409, 422)}

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("status", "In this state only.", values=RunStatus.values),
        ],
        responses=schema.page_of(sweep_answers.SweepInListSerializer),
    )
    def get(self, request: Request) -> Response:
        """List sweeps, newest first."""
        status = pagination.choice_parameter(request, "status", RunStatus.values)
        return pagination.page_response(
            request,
            lambda named, limit: selectors.page_of_sweeps(
                request.user, below=pagination.key_of(named), limit=limit, status=status
            ),
            name_of=lambda sweep: str(sweep.pk),
            present=sweep_reports.present_sweep_in_list,
            filters=("status",),
        )

    @extend_schema(
        parameters=[schema.OPTIONAL_IDEMPOTENCY_KEY],
        request=SweepRequestSerializer,
        responses={201: sweep_answers.SweepSerializer, 200: sweep_answers.SweepSerializer},
    )
    def post(self, request: Request) -> Response:
        """Answer 201 with a new sweep, or 200 with the present one of the same specification."""
        now = timezone.now()
        return idempotency.answer_once(
            request, lambda _key: _request_sweep(request), now=now, is_required=False
        )


class OneSweep(APIView):
    """One sweep."""

    required_scope = {"GET": _READ, "DELETE": "manage:strategy"}
    problem_statuses = {"DELETE": (409,)}

    @extend_schema(responses=sweep_answers.SweepSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return what it searches, where it stands, and its best trial so far."""
        return Response(_present(selectors.get_sweep_for(request.user, public_id=public_id)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Take it away with its trials; one that is not over is canceled first."""
        sweep = selectors.get_sweep_for(request.user, public_id=public_id)
        sweeps.delete_sweep(sweep_id=sweep.pk, by=actor_of(request), now=timezone.now())
        return Response(status=204)


class Cancel(APIView):
    """Stop a sweep that is not over."""

    required_scope = "manage:strategy"
    problem_statuses = {"POST": (409,)}

    @extend_schema(request=None, responses={202: sweep_answers.SweepSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Its workers stop within a second or so; the trials so far stay."""
        sweep = selectors.get_sweep_for(request.user, public_id=public_id)
        sweeps.cancel_sweep(sweep_id=sweep.pk, by=actor_of(request), now=timezone.now())
        sweep = selectors.get_sweep_for(request.user, public_id=public_id)
        return Response(_present(sweep), status=202)


class Trials(APIView):
    """The trials of a sweep."""

    required_scope = _READ

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by(
                "sort", "number, a figure such as sharpe, or parameter.NAME; -sharpe: best first."
            ),
        ],
        responses=schema.page_of(sweep_answers.TrialSerializer),
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """List the trials that are done; undefined figures come last."""
        sweep = selectors.get_sweep_for(request.user, public_id=public_id)
        order = pagination.text_parameter(request, "sort") or _DEFAULT_ORDER
        trials = selectors.trials_of(sweep)
        ranked = list(enumerate(sweep_reports.sorted_trials(trials, order), start=1))

        def read(named: str | None, limit: int) -> list[tuple[int, int]]:
            start = int(named or 0)
            return ranked[start : start + limit]

        return pagination.page_response(
            request,
            read,
            name_of=lambda placed: str(placed[0]),
            present=lambda placed: sweep_reports.present_trial(trials, placed[1]),
            filters=("sort",),
        )


class TrialsCsv(APIView):
    """The trials of a sweep as a file."""

    required_scope = _READ
    throttle_buckets = {"GET": ("export",)}

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, public_id: UUID) -> StreamingHttpResponse:
        """Return all of them as CSV."""
        sweep = selectors.get_sweep_for(request.user, public_id=public_id)
        return sweep_reports.csv_response(sweep)


class RunTrial(APIView):
    """A trial of a sweep as a backtest."""

    required_scope = "manage:strategy"
    throttle_buckets = {"POST": ("write", "backtest")}
    problem_statuses = {"POST": (402, 409, 422)}

    @extend_schema(
        request=TrialRunSerializer,
        responses={201: answers.RunSerializer, 200: answers.RunSerializer},
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with a new backtest of its parameters, or 200 with the present one."""
        sweep = selectors.get_sweep_for(request.user, public_id=public_id)
        serializer = TrialRunSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        now = timezone.now()
        run = sweeps.run_trial(
            owner=request.user,
            sweep=sweep,
            number=serializer.validated_data["number"],
            by=actor_of(request),
            now=now,
        )
        run = run_selectors.get_run_for(request.user, public_id=run.public_id)
        return Response(
            presenters.present_run(run),
            status=201 if run.requested_at == now else 200,
            headers={"Location": reverse("backtesting-api:run", args=[run.public_id])},
        )


def _present(sweep: Sweep) -> dict[str, Any]:
    links = {
        name: reverse(f"sweeps-api:{name}", args=[sweep.public_id])
        for name in ("trials", "trials-csv", "cancel", "run")
    }
    return {**sweep_reports.present_sweep(sweep), "links": links}


def _request_sweep(request: Request) -> Response:
    serializer = SweepRequestSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    wanted: dict[str, Any] = dict(serializer.validated_data)
    now = timezone.now()
    wish = SweepWish(strategy_slug=wanted.pop("strategy"), **wanted)
    sweep = sweeps.request_sweep(owner=request.user, wish=wish, by=actor_of(request), now=now)
    sweep = selectors.get_sweep_for(request.user, public_id=sweep.public_id)
    return Response(
        _present(sweep),
        status=201 if sweep.requested_at == now else 200,
        headers={"Location": reverse("sweeps-api:sweep", args=[sweep.public_id])},
    )
