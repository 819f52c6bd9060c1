"""The JSON API of backtests that wait for candles."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backtesting.api import answers, presenters
from backtesting.selectors import awaited as selectors
from backtesting.services import awaited
from foundation.http import actor_of


class Awaited(APIView):
    """A backtest that waits for candles."""

    required_scope = {"GET": ("read:account", "manage:strategy"), "DELETE": "manage:strategy"}
    problem_statuses = {"DELETE": (409,)}

    @extend_schema(responses=answers.AwaitedRunSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return how far the candles are, and the backtest once it has begun."""
        found = selectors.get_awaited_for(request.user, public_id=public_id)
        return Response(presenters.present_awaited(found))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Take the wish back; candles that are on their way come for everybody."""
        found = selectors.get_awaited_for(request.user, public_id=public_id)
        awaited.cancel(awaited_id=found.pk, by=actor_of(request), now=timezone.now())
        return Response(status=204)
