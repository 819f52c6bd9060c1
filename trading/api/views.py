"""The JSON API of trading."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backtesting.api.paging import refuse_unknown
from foundation.http import actor_of
from market.errors import InvalidInputError
from trading.api import paging, presenters
from trading.api.serializers import CommandRequestSerializer, DeploymentRequestSerializer
from trading.selectors import decisions, history
from trading.selectors import deployments as selectors
from trading.selectors.decisions import DecisionView
from trading.services import commands, deployments

#: A deployment on the shortest bars makes as many in a quarter of an hour.
_DECISIONS_KEPT: Final = 1_000


class IdempotencyKeyRequiredError(InvalidInputError):
    """A command came without the header that makes it happen only once."""

    code = "idempotency_key_required"

    def __init__(self) -> None:
        super().__init__("Send a header Idempotency-Key, a new UUID for each command.")


class Deployments(APIView):
    """All of a person's deployments, newest first; POST starts one."""

    required_scope = {"GET": "read:account", "POST": ("trade:paper", "trade:live")}
    throttle_buckets = {"POST": ("write", "trade")}
    problem_statuses = {"POST": (402, 404, 409, 422)}

    def get(self, request: Request) -> Response:
        """List deployments, those that have not ended first, then the newest."""
        refuse_unknown(request, allowed=())
        found = [view.deployment for view in selectors.deployments_for(request.user)]
        results = [presenters.present_deployment(deployment) for deployment in found]
        return Response({"results": results, "next": None})

    def post(self, request: Request) -> Response:
        """Start a strategy on an account; answer 201 with the deployment.

        With an Idempotency-Key, the same request again answers the deployment that it made.
        """
        serializer = DeploymentRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted: dict[str, Any] = dict(serializer.validated_data)
        deployment = deployments.deploy(
            owner=request.user,
            strategy_slug=wanted.pop("strategy"),
            account_public_id=wanted.pop("account"),
            request_key=request.headers.get("Idempotency-Key", ""),
            by=actor_of(request),
            now=timezone.now(),
            **wanted,
        )
        deployment = selectors.view_deployment_for(
            request.user, public_id=deployment.public_id
        ).deployment
        return Response(
            presenters.present_deployment(deployment),
            status=201,
            headers={"Location": reverse("trading-api:deployment", args=[deployment.public_id])},
        )


class OneDeployment(APIView):
    """One deployment."""

    required_scope = "read:account"

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return its states, position, results and parameters."""
        deployment = selectors.view_deployment_for(request.user, public_id=public_id).deployment
        shown = presenters.present_deployment(deployment)
        return Response({**shown, "parameters": selectors.revision_of(deployment).parameters})


class Orders(APIView):
    """The orders of a deployment."""

    required_scope = "read:account"

    def get(self, request: Request, public_id: UUID) -> Response:
        """List orders with their steps, newest first."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        return paging.page_response(
            request,
            lambda named, limit: history.orders_below(
                request.user, deployment=deployment, below=paging.key_of(named), limit=limit
            ),
            name_of=lambda order: str(order.pk),
            present=presenters.present_order,
        )


class Fills(APIView):
    """The executions of a deployment."""

    required_scope = "read:account"

    def get(self, request: Request, public_id: UUID) -> Response:
        """List executions, newest first."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        return paging.page_response(
            request,
            lambda named, limit: history.fills_below(
                request.user, deployment=deployment, below=paging.key_of(named), limit=limit
            ),
            name_of=lambda fill: str(fill.pk),
            present=presenters.present_fill,
        )


class Decisions(APIView):
    """What a deployment did at each bar, and why."""

    required_scope = "read:account"

    def get(self, request: Request, public_id: UUID) -> Response:
        """List the last thousand decisions, newest first."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        found = decisions.decisions_for(request.user, deployment=deployment, limit=_DECISIONS_KEPT)

        def below(named: str | None, limit: int) -> Sequence[DecisionView]:
            return [each for each in found if named is None or _name(each) < named][:limit]

        return paging.page_response(
            request, below, name_of=_name, present=presenters.present_decision
        )


class Commands(APIView):
    """What a person told a deployment; POST tells it something."""

    required_scope = {"GET": "read:account", "POST": ("trade:paper", "trade:live")}
    throttle_buckets = {"POST": ("trade",)}
    problem_statuses = {"POST": (409, 422)}

    def get(self, request: Request, public_id: UUID) -> Response:
        """List the last commands and how far they are, newest first."""
        deployment = selectors.get_deployment_for(request.user, public_id=public_id)
        refuse_unknown(request, allowed=())
        found = selectors.commands_for(request.user, deployment=deployment)
        return Response(
            {"results": [presenters.present_command(each) for each in found], "next": None}
        )

    def post(self, request: Request, public_id: UUID) -> Response:
        """Record a command and answer 202; the same Idempotency-Key again answers the same command."""
        selectors.get_deployment_for(request.user, public_id=public_id)
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            raise IdempotencyKeyRequiredError
        serializer = CommandRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        command = commands.request_command(
            owner=request.user,
            deployment_public_id=public_id,
            kind=serializer.validated_data["kind"],
            idempotency_key=key,
            by=actor_of(request),
            now=timezone.now(),
        )
        return Response(presenters.present_command(command), status=202)


def _name(decision: DecisionView) -> str:
    """Return a text that grows with time and is another one for each decision."""
    return f"{decision.bar_close_at.isoformat()} {decision.symbol}"
