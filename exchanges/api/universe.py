"""The JSON API that finds markets by what they are like."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchanges.domain.universe import MOST_MARKETS, filter_of, written
from exchanges.selectors import universe
from foundation.serializers import StrictSerializer, TextField


class UniverseRequestSerializer(StrictSerializer):
    """Filters over the markets of one exchange; what is not sent demands nothing."""

    venue = TextField(max_length=40)
    quote = TextField(required=False, max_length=20, help_text="Only markets quoted in this.")
    top = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_MARKETS,
        help_text="At most so many, those with the largest volume.",
    )
    min_volume = serializers.FloatField(
        required=False, min_value=0, help_text="Of a day, in quote."
    )
    min_age_days = serializers.FloatField(required=False, min_value=0)
    min_price = serializers.FloatField(required=False, min_value=0)
    max_price = serializers.FloatField(required=False, min_value=0)
    max_spread_bps = serializers.FloatField(required=False, min_value=0)
    min_volatility = serializers.FloatField(
        required=False, min_value=0, help_text="Of daily returns: 0.02 is 2 %."
    )
    max_volatility = serializers.FloatField(required=False, min_value=0)
    only = TextField(required=False, max_length=4_000, help_text="A white list: BTC/USDT,ETH/USDT.")
    without = TextField(required=False, max_length=4_000, help_text="A black list.")
    with_leveraged = serializers.BooleanField(required=False)
    with_stable = serializers.BooleanField(required=False)


class ChosenMarketSerializer(serializers.Serializer[Any]):
    """What is known of a market; null is not known."""

    symbol = serializers.CharField()
    price = serializers.FloatField(allow_null=True)
    quote_volume = serializers.FloatField(allow_null=True, help_text="Of a day, in quote.")
    spread_bps = serializers.FloatField(allow_null=True)
    age_days = serializers.FloatField(allow_null=True)
    volatility = serializers.FloatField(allow_null=True)


class UniverseSerializer(serializers.Serializer[Any]):
    """The markets that fit, largest volume first, and why each of the others does not."""

    universe = serializers.CharField(help_text="As backtests, sweeps and deployments take it.")
    markets = ChosenMarketSerializer(many=True)
    refused = serializers.DictField(child=serializers.CharField())


class Universe(APIView):
    """Markets of an exchange by volume, age, price, spread and volatility."""

    required_scope = "read:market"

    @extend_schema(parameters=[UniverseRequestSerializer], responses=UniverseSerializer)
    def get(self, request: Request) -> Response:
        """Choose markets as they are now; leveraged tokens and stable pairs stay out unless asked for."""
        serializer = UniverseRequestSerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        wanted, now = serializer.validated_data, timezone.now()
        chosen = universe.choose_at(wanted["venue"], filter_of(wanted), at=now, now=now)
        document = {
            "universe": written(wanted["venue"], chosen),
            "markets": chosen.markets,
            "refused": chosen.refused,
        }
        return Response(UniverseSerializer(document).data)
