"""The JSON API of the catalogue."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies.models import Strategy, StrategyVersion
from strategies.selectors import catalogue


class Strategies(APIView):
    """What the platform offers."""

    required_scope = "read:market"

    def get(self, request: Request) -> Response:
        """List the strategies by name."""
        return Response({"results": [_present(each) for each in catalogue.active_strategies()]})


class OneStrategy(APIView):
    """One strategy, with what may be set."""

    required_scope = "read:market"

    def get(self, request: Request, slug: str) -> Response:
        """Return it with the JSON Schema of its parameters."""
        strategy = catalogue.get_strategy(slug)
        return Response(_present(strategy) | _present_version(catalogue.current_version(strategy)))


def _present(strategy: Strategy) -> dict[str, Any]:
    return {
        "slug": strategy.slug,
        "name": strategy.name,
        "category": strategy.category,
        "risk": strategy.risk,
        "summary": strategy.summary,
        "suggested_timeframe": strategy.suggested_timeframe,
    }


def _present_version(version: StrategyVersion) -> dict[str, Any]:
    return {
        "version": version.number,
        "code_fingerprint": version.code_fingerprint,
        "parameters_schema": version.parameters_schema,
    }
