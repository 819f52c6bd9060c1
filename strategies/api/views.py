"""The JSON API of the catalogue."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation import pagination, schema
from strategies.api import answers
from strategies.models import Strategy, StrategyVersion
from strategies.selectors import catalogue, pages


class Strategies(APIView):
    """What the platform offers."""

    required_scope = "read:market"

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("category", "Of this category only."),
            schema.filter_by("risk", "Of this risk only."),
        ],
        responses=schema.page_of(answers.StrategySerializer),
    )
    def get(self, request: Request) -> Response:
        """List the strategies by slug."""
        category = pagination.text_parameter(request, "category")
        risk = pagination.text_parameter(request, "risk")
        return pagination.page_response(
            request,
            lambda named, limit: pages.strategies_after(
                slug=named, limit=limit, category=category, risk=risk
            ),
            name_of=lambda strategy: strategy.slug,
            present=_present,
            filters=("category", "risk"),
        )


class OneStrategy(APIView):
    """One strategy, with what may be set."""

    required_scope = "read:market"

    @extend_schema(responses=answers.StrategyDetailSerializer)
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
