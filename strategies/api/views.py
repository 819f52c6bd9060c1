"""The JSON API of the catalogue."""

from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation import pagination, schema
from strategies.api import answers
from strategies.models import Evidence, StrategyVersion
from strategies.selectors import catalogue, pages
from strategies.selectors.entries import Entry, entries_of


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
            lambda named, limit: entries_of(
                pages.strategies_after(slug=named, limit=limit, category=category, risk=risk),
                now=timezone.now(),
            ),
            name_of=lambda entry: entry.strategy.slug,
            present=_present,
            filters=("category", "risk"),
        )


class OneStrategy(APIView):
    """One strategy, with what may be set."""

    required_scope = "read:market"

    @extend_schema(responses=answers.StrategyDetailSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Return it with the JSON Schema of its parameters."""
        now = timezone.now()
        version = catalogue.current_version(catalogue.get_strategy_for(request.user, slug, now=now))
        [entry] = entries_of([version.strategy], now=now)
        return Response(_present(entry) | _present_version(version))


def _present(entry: Entry) -> dict[str, Any]:
    strategy = entry.strategy
    return {
        "slug": strategy.slug,
        "name": strategy.name,
        "category": strategy.category,
        "risk": strategy.risk,
        "market": entry.market.value,
        "summary": strategy.summary,
        "suggested_timeframe": strategy.suggested_timeframe,
        "is_featured": strategy.is_featured,
        "product_code": strategy.product_code,
        "prices": [
            {
                "amount": _plain(price.amount),
                "currency": price.currency,
                "interval": price.interval,
            }
            for price in entry.prices
        ],
        "evidence": [_present_evidence(row) for row in entry.evidence],
    }


def _present_evidence(row: Evidence) -> dict[str, Any]:
    return {
        "market": f"{row.instrument.venue.code}:{row.instrument.symbol}",
        "timeframe": row.timeframe,
        "effective_from": row.effective_from_at,
        "to": row.to_at,
        "bars": row.bar_count,
        "capital": _plain(row.capital),
        "maker_fee_bps": _plain(row.maker_fee_bps),
        "taker_fee_bps": _plain(row.taker_fee_bps),
        "slippage_bps": _plain(row.slippage_bps),
        "parameters": row.parameters,
        "metrics": row.metrics["values"],
        "version": row.version.number,
        "engine_version": row.engine_version,
        "data_fingerprint": row.data_fingerprint,
        "recorded_at": row.recorded_at,
    }


def _present_version(version: StrategyVersion) -> dict[str, Any]:
    return {
        "description": version.strategy.description,
        "version": version.number,
        "code_fingerprint": version.code_fingerprint,
        "parameters_schema": version.parameters_schema,
    }


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
