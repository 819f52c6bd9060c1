"""The JSON API of checks."""

from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backtesting.api import check_serializers as answers
from backtesting.models import StrategyCheck
from backtesting.reports import instant
from backtesting.selectors import checks as selectors
from backtesting.services import checks
from foundation import idempotency, pagination, schema
from foundation.http import actor_of
from strategies.selectors import catalogue

_READ: Final = ("read:account", "manage:strategy")


class PublishedCheck(APIView):
    """What an operator's check of a strategy found."""

    required_scope = "read:market"
    problem_statuses = {"GET": (404,)}

    @extend_schema(responses=answers.CheckSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Return the newest one of the present version; 404 if there is none."""
        version = catalogue.current_version(catalogue.get_strategy(slug))
        check = selectors.published_check(version)
        if check is None:
            raise selectors.CheckNotFoundError
        return Response(_present(check))


class Checks(APIView):
    """All of a person's checks, newest first; POST requests one."""

    required_scope = {"GET": _READ, "POST": "manage:strategy"}
    throttle_buckets = {"POST": ("write", "backtest")}
    problem_statuses = {"POST": (402, 404, 409, 422)}

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("strategy", "Of this strategy only, by its slug."),
        ],
        responses=schema.page_of(answers.CheckInListSerializer),
    )
    def get(self, request: Request) -> Response:
        """List checks, newest first."""
        strategy = pagination.text_parameter(request, "strategy")
        return pagination.page_response(
            request,
            lambda named, limit: selectors.page_of_checks(
                request.user,
                below=pagination.key_of(named),
                limit=limit,
                strategy_slug=strategy,
            ),
            name_of=lambda check: str(check.pk),
            present=_present_in_list,
            filters=("strategy",),
        )

    @extend_schema(
        parameters=[schema.OPTIONAL_IDEMPOTENCY_KEY],
        request=answers.CheckRequestSerializer,
        responses={201: answers.CheckSerializer, 200: answers.CheckSerializer},
    )
    def post(self, request: Request) -> Response:
        """Answer 201 with a new check, or 200 with an equal one that waits or runs."""
        now = timezone.now()
        return idempotency.answer_once(
            request, lambda _key: _request_check(request), now=now, is_required=False
        )


class OneCheck(APIView):
    """One check."""

    required_scope = _READ

    @extend_schema(responses=answers.CheckSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return where it stands, and what it found once it is done."""
        return Response(_present(selectors.get_check_for(request.user, public_id=public_id)))


class Cancel(APIView):
    """Stop a check that is not over."""

    required_scope = "manage:strategy"
    problem_statuses = {"POST": (409,)}

    @extend_schema(request=None, responses={202: answers.CheckSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """A waiting check ends at once, a running one within a second or so."""
        check = selectors.get_check_for(request.user, public_id=public_id)
        checks.cancel_check(check_id=check.pk, by=actor_of(request), now=timezone.now())
        check = selectors.get_check_for(request.user, public_id=public_id)
        return Response(_present(check), status=202)


def _request_check(request: Request) -> Response:
    serializer = answers.CheckRequestSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    wanted: dict[str, Any] = dict(serializer.validated_data)
    now = timezone.now()
    check = checks.request_check(
        owner=request.user,
        strategy_slug=wanted.pop("strategy"),
        by=actor_of(request),
        now=now,
        **wanted,
    )
    check = selectors.get_check_for(request.user, public_id=check.public_id)
    return Response(
        _present(check),
        status=201 if check.requested_at == now else 200,
        headers={"Location": reverse("checks-api:check", args=[check.public_id])},
    )


def _present(check: StrategyCheck) -> dict[str, Any]:
    return {
        **_present_in_list(check),
        "parameters": check.parameters,
        "engine_version": check.engine_version,
        "data_fingerprint": check.data_fingerprint or None,
        "bars": check.bar_count,
        "results": check.results,
    }


def _present_in_list(check: StrategyCheck) -> dict[str, Any]:
    has_failed = bool(check.error_code)
    return {
        "id": str(check.public_id),
        "status": check.status,
        "progress": check.progress,
        "verdict": check.verdict or None,
        "strategy": check.strategy_version.strategy.slug,
        "strategy_version": check.strategy_version.number,
        "market": f"{check.instrument.venue.code}:{check.instrument.symbol}",
        "timeframe": check.timeframe,
        "from": instant(check.from_at),
        "to": instant(check.to_at),
        "requested_at": instant(check.requested_at),
        "finished_at": instant(check.finished_at),
        "error": (
            {"code": check.error_code, "message": check.error_message} if has_failed else None
        ),
    }
