"""The JSON API of trading states and limits."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation import idempotency, schema
from foundation.http import actor_of
from trading.api.limits import LimitsSerializer, present_limits
from trading.domain.trading_states import TradingState
from trading.models import (
    ReleaseRule,
    RestrictionCause,
    RestrictionScope,
    RestrictionState,
    TradingRestriction,
)
from trading.selectors import limits as limit_selectors
from trading.selectors import restrictions as selectors
from trading.services import flattening, limits, restrictions, targets


class RestrictionSerializer(serializers.Serializer[Any]):
    """One reason why less than everything may be traded somewhere."""

    id = serializers.UUIDField()
    scope = serializers.ChoiceField(RestrictionScope.values)
    name = serializers.CharField()
    state = serializers.ChoiceField(RestrictionState.values)
    cause = serializers.ChoiceField(RestrictionCause.values)
    reason = serializers.CharField()
    release_rule = serializers.ChoiceField(ReleaseRule.values)
    since_at = serializers.DateTimeField()
    until_at = serializers.DateTimeField(allow_null=True)


class StatesSerializer(serializers.Serializer[Any]):
    """What restricts anything of the person now; the strictest comes first."""

    items = RestrictionSerializer(many=True)


class StateRequestSerializer(serializers.Serializer[Any]):
    """What is to trade less, or to go on."""

    scope = serializers.CharField(
        max_length=100, help_text="person, account:<id> or deployment:<id>."
    )
    state = serializers.ChoiceField(list(TradingState), help_text="ACTIVE ends what you have set.")
    reason = serializers.CharField(max_length=300)


class FlattenRequestSerializer(serializers.Serializer[Any]):
    """Why, and a yes in full."""

    reason = serializers.CharField(max_length=300)
    confirm = serializers.ChoiceField(["FLATTEN ALL"])


class FlattenSerializer(serializers.Serializer[Any]):
    """How many deployments were told."""

    deployments = serializers.IntegerField()


_OF = schema.filter_by("of", "person (the default), account:<id> or deployment:<id>.")


class TradingStates(APIView):
    """What may be traded; POST lets something trade less, or go on."""

    required_scope = {"GET": "read:account", "POST": "trade:live"}
    throttle_buckets = {"POST": ("trade",)}
    problem_statuses = {"POST": (403, 404)}

    @extend_schema(responses=StatesSerializer)
    def get(self, request: Request) -> Response:
        """List what restricts anything of yours now."""
        return Response(_states_of(request))

    @extend_schema(request=StateRequestSerializer, responses=StatesSerializer)
    def post(self, request: Request) -> Response:
        """Set a state of something of yours; it holds at once for every order not yet sent."""
        wanted = _checked(StateRequestSerializer, request)
        restrictions.set_by_hand(
            target=targets.of_own(request.user, text=wanted["scope"]),
            state=wanted["state"],
            reason=wanted["reason"],
            by=actor_of(request),
            is_operator=False,
            now=timezone.now(),
        )
        return Response(_states_of(request))


class Protections(APIView):
    """The limits of a deployment, an account, or everything of a person."""

    required_scope = {"GET": "read:account", "PUT": "trade:live"}
    throttle_buckets = {"PUT": ("trade",)}
    problem_statuses = {"GET": (404,), "PUT": (404,)}

    @extend_schema(parameters=[_OF], responses=LimitsSerializer)
    def get(self, request: Request) -> Response:
        """Return the limits that are set."""
        target = targets.of_own(request.user, text=request.GET.get("of", "person"))
        found = limit_selectors.find_limits_for(request.user, key=target.key)
        return Response(present_limits(found))

    @extend_schema(parameters=[_OF], request=LimitsSerializer, responses=LimitsSerializer)
    def put(self, request: Request) -> Response:
        """Replace the limits; what is left out is no limit any more."""
        target = targets.of_own(request.user, text=request.GET.get("of", "person"))
        given = _checked(LimitsSerializer, request)
        saved = limits.save_limits(
            target=target,
            owner_id=request.user.pk or 0,
            values=given,
            by=actor_of(request),
            now=timezone.now(),
        )
        return Response(present_limits(saved))


class FlattenAll(APIView):
    """Everything closed at once."""

    required_scope = "trade:live"
    throttle_buckets = {"POST": ("trade",)}
    problem_statuses = {"POST": (409,)}

    @extend_schema(
        parameters=[schema.IDEMPOTENCY_KEY],
        request=FlattenRequestSerializer,
        responses={202: FlattenSerializer},
    )
    def post(self, request: Request) -> Response:
        """Close every position of yours at the market and open nothing until you let it go on."""
        return idempotency.answer_once(
            request, lambda key: _flatten(request, key=key), now=timezone.now()
        )


def _flatten(request: Request, *, key: str) -> Response:
    wanted = _checked(FlattenRequestSerializer, request)
    told = flattening.flatten_all(
        owner_id=request.user.pk or 0,
        idempotency_key=key,
        reason=wanted["reason"],
        by=actor_of(request),
        now=timezone.now(),
    )
    return Response({"deployments": told}, status=202)


def _checked(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _states_of(request: Request) -> dict[str, Any]:
    found = selectors.concerning(request.user, now=timezone.now())
    return {"items": [_restriction(row) for row in found]}


def _restriction(row: TradingRestriction) -> dict[str, Any]:
    return {
        "id": str(row.public_id),
        "scope": row.scope,
        "name": row.target_name,
        "state": row.state,
        "cause": row.cause,
        "reason": row.reason,
        "release_rule": row.release_rule,
        "since_at": row.since_at,
        "until_at": row.until_at,
    }
