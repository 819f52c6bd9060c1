"""The JSON API of trading."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchanges.selectors import accounts
from foundation import idempotency, pagination, schema, scopes
from foundation.http import actor_of
from market.enums import OrderStatus
from trading.api import answers, presenters
from trading.api.limits import present_limits
from trading.api.serializers import (
    ChangeRequestSerializer,
    CommandRequestSerializer,
    DeploymentRequestSerializer,
)
from trading.domain.trading_states import key_of_deployment
from trading.models import ActualState, Deployment
from trading.selectors import decisions, limits, pages
from trading.selectors import deployments as selectors
from trading.selectors.decisions import DecisionView
from trading.selectors.pages import DeploymentFilter, OrderFilter
from trading.services import changes, commands, deployments

#: A deployment on the shortest bars makes as many in a quarter of an hour.
_DECISIONS_KEPT: Final = 1_000
_MODES: Final = ("PAPER", "LIVE")

_SYMBOL: Final = schema.filter_by("symbol", "Of one market only, such as BTC/USDT.")
_SINCE: Final = schema.filter_by("since", "Not before this instant.", form="date-time")


class Deployments(APIView):
    """All of a person's deployments, newest first; POST starts one."""

    required_scope = {"GET": "read:account", "POST": ("trade:paper", "trade:live")}
    throttle_buckets = {"POST": ("write", "trade")}
    problem_statuses = {"POST": (402, 404, 409, 422)}

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("actual_state", "In this state only.", values=ActualState.values),
            schema.filter_by("mode", "On accounts of this kind only.", values=_MODES),
            schema.filter_by("strategy", "Of this strategy only, by its slug."),
        ],
        responses=schema.page_of(answers.DeploymentSerializer),
    )
    def get(self, request: Request) -> Response:
        """List deployments, the newest first; ended ones too."""
        wanted = DeploymentFilter(
            actual_state=pagination.choice_parameter(request, "actual_state", ActualState.values),
            mode=pagination.choice_parameter(request, "mode", _MODES),
            strategy=pagination.text_parameter(request, "strategy"),
        )
        return pagination.page_response(
            request,
            lambda named, limit: pages.deployments_below(
                request.user, wanted=wanted, below=pagination.key_of(named), limit=limit
            ),
            name_of=lambda deployment: str(deployment.pk),
            present=presenters.present_deployment,
            filters=("actual_state", "mode", "strategy"),
        )

    @extend_schema(
        parameters=[schema.IDEMPOTENCY_KEY],
        request=DeploymentRequestSerializer,
        responses={201: answers.DeploymentSerializer},
    )
    def post(self, request: Request) -> Response:
        """Start a strategy on an account; answer 201 with the deployment.

        A paper account needs `trade:paper`, any other `trade:live`.
        """
        return idempotency.answer_once(
            request, lambda key: _start(request, key=key), now=timezone.now()
        )


class OneDeployment(APIView):
    """One deployment."""

    required_scope = {"GET": "read:account", "PATCH": ("trade:paper", "trade:live")}
    throttle_buckets = {"PATCH": ("trade",)}
    problem_statuses = {"PATCH": (409, 412, 422)}

    @extend_schema(responses=answers.DeploymentDetailSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return its states, position, results and parameters."""
        return Response(_detail_of(request, public_id))

    @extend_schema(request=ChangeRequestSerializer, responses=answers.DeploymentDetailSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change its name, what its end does, or its parameters from the next bar on.

        A deployment on a paper account needs `trade:paper`, any other `trade:live`.
        """
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        _require_scope(request, kind=deployment.account.kind)
        serializer = ChangeRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted: dict[str, Any] = dict(serializer.validated_data)
        changes.change(
            owner=request.user,
            deployment_public_id=public_id,
            expected_revision=wanted.pop("revision", None),
            by=actor_of(request),
            now=timezone.now(),
            **wanted,
        )
        return Response(_detail_of(request, public_id))


class Orders(APIView):
    """The orders of a deployment."""

    required_scope = "read:account"

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("status", "In this state only.", values=list(OrderStatus)),
            _SYMBOL,
            _SINCE,
        ],
        responses=schema.page_of(answers.OrderSerializer),
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """List orders with their steps, newest first."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        wanted = OrderFilter(
            status=pagination.choice_parameter(request, "status", list(OrderStatus)),
            symbol=pagination.text_parameter(request, "symbol"),
            since=pagination.instant_parameter(request, "since"),
        )
        return pagination.page_response(
            request,
            lambda named, limit: pages.orders_below(
                request.user,
                deployment=deployment,
                wanted=wanted,
                below=pagination.key_of(named),
                limit=limit,
            ),
            name_of=lambda order: str(order.pk),
            present=presenters.present_order,
            filters=("status", "symbol", "since"),
        )


class Fills(APIView):
    """The executions of a deployment."""

    required_scope = "read:account"

    @extend_schema(
        parameters=[*schema.PAGE, _SYMBOL, _SINCE], responses=schema.page_of(answers.FillSerializer)
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """List executions, newest first."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        wanted = OrderFilter(
            symbol=pagination.text_parameter(request, "symbol"),
            since=pagination.instant_parameter(request, "since"),
        )
        return pagination.page_response(
            request,
            lambda named, limit: pages.fills_below(
                request.user,
                deployment=deployment,
                wanted=wanted,
                below=pagination.key_of(named),
                limit=limit,
            ),
            name_of=lambda fill: str(fill.pk),
            present=presenters.present_fill,
            filters=("symbol", "since"),
        )


class Decisions(APIView):
    """What a deployment did at each bar, and why."""

    required_scope = "read:account"

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("reason", "For this reason only, such as NO_SIGNAL."),
            _SYMBOL,
            _SINCE,
        ],
        responses=schema.page_of(answers.DecisionSerializer),
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """List the last thousand decisions, or those of them that are asked for, newest first."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        reason = pagination.text_parameter(request, "reason")
        symbol = pagination.text_parameter(request, "symbol")
        since = pagination.instant_parameter(request, "since")
        kept = decisions.decisions_for(request.user, deployment=deployment, limit=_DECISIONS_KEPT)
        found = [
            each
            for each in kept
            if reason in {None, each.reason.value}
            and symbol in {None, each.symbol}
            and (since is None or each.bar_close_at >= since)
        ]

        def below(named: str | None, limit: int) -> Sequence[DecisionView]:
            return [each for each in found if named is None or _name(each) < named][:limit]

        return pagination.page_response(
            request,
            below,
            name_of=_name,
            present=presenters.present_decision,
            filters=("reason", "symbol", "since"),
        )


class Commands(APIView):
    """What a person told a deployment; POST tells it something."""

    required_scope = {"GET": "read:account", "POST": ("trade:paper", "trade:live")}
    throttle_buckets = {"POST": ("trade",)}
    problem_statuses = {"POST": (402, 409, 422)}

    @extend_schema(parameters=[*schema.PAGE], responses=schema.page_of(answers.CommandSerializer))
    def get(self, request: Request, public_id: UUID) -> Response:
        """List the commands and how far they are, newest first."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        return pagination.page_response(
            request,
            lambda named, limit: pages.commands_below(
                request.user, deployment=deployment, below=pagination.key_of(named), limit=limit
            ),
            name_of=lambda command: str(command.pk),
            present=presenters.present_command,
        )

    @extend_schema(
        parameters=[schema.IDEMPOTENCY_KEY],
        request=CommandRequestSerializer,
        responses={202: answers.CommandSerializer},
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Record a command and answer 202; the same Idempotency-Key again answers the same command.

        A deployment on a paper account needs `trade:paper`, any other `trade:live`.
        """
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        _require_scope(request, kind=deployment.account.kind)
        return idempotency.answer_once(
            request, lambda key: _tell(request, deployment, key=key), now=timezone.now()
        )


def _detail_of(request: Request, public_id: UUID) -> dict[str, Any]:
    deployment = selectors.view_deployment_for(request.user, public_id=public_id).deployment
    revision = selectors.revision_of(deployment)
    key = key_of_deployment(deployment.pk)
    return {
        **presenters.present_deployment(deployment),
        "parameters": revision.parameters,
        "protections": present_limits(limits.find_limits_for(request.user, key=key)),
        "revision": revision.number,
    }


def _start(request: Request, *, key: str) -> Response:
    serializer = DeploymentRequestSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    wanted: dict[str, Any] = dict(serializer.validated_data)
    account = accounts.get_account_for(request.user, public_id=wanted["account"])
    _require_scope(request, kind=account.kind)
    made = deployments.deploy(
        owner=request.user,
        strategy_slug=wanted.pop("strategy"),
        account_public_id=wanted.pop("account"),
        request_key=key,
        by=actor_of(request),
        now=timezone.now(),
        **wanted,
    )
    deployment = selectors.view_deployment_for(request.user, public_id=made.public_id).deployment
    return Response(
        presenters.present_deployment(deployment),
        status=201,
        headers={"Location": reverse("trading-api:deployment", args=[deployment.public_id])},
    )


def _tell(request: Request, deployment: Deployment, *, key: str) -> Response:
    serializer = CommandRequestSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    command = commands.request_command(
        owner=request.user,
        deployment_public_id=deployment.public_id,
        kind=serializer.validated_data["kind"],
        idempotency_key=key,
        by=actor_of(request),
        now=timezone.now(),
    )
    return Response(presenters.present_command(command), status=202)


def _require_scope(request: Request, *, kind: str) -> None:
    scopes.require(request, "trade:paper" if kind == "PAPER" else "trade:live")


def _name(decision: DecisionView) -> str:
    """Return a text that grows with time and is another one for each decision."""
    return f"{decision.bar_close_at.isoformat()} {decision.symbol}"
