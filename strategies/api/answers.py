"""What the API of the catalogue answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers


class StrategyPriceSerializer(serializers.Serializer[Any]):
    """What a strategy costs for a while."""

    amount = serializers.CharField()
    currency = serializers.CharField()
    interval = serializers.CharField()


class EvidenceSerializer(serializers.Serializer[Any]):
    """What a backtest of the newest version showed, and what it stands on."""

    market = serializers.CharField(help_text="The venue and the symbol.")
    timeframe = serializers.CharField()
    effective_from = serializers.DateTimeField(help_text="Where the warm-up ends.")
    to = serializers.DateTimeField()
    bars = serializers.IntegerField()
    capital = serializers.CharField()
    maker_fee_bps = serializers.CharField()
    taker_fee_bps = serializers.CharField()
    slippage_bps = serializers.CharField()
    parameters = serializers.DictField()
    metrics = serializers.DictField(help_text="As a backtest reports them.")
    version = serializers.IntegerField()
    engine_version = serializers.CharField()
    data_fingerprint = serializers.CharField()
    recorded_at = serializers.DateTimeField()


class StrategySerializer(serializers.Serializer[Any]):
    """A strategy that is offered."""

    slug = serializers.SlugField()
    name = serializers.CharField()
    category = serializers.CharField()
    risk = serializers.CharField()
    market = serializers.CharField(
        help_text="ANY, or SWAP for one that is pointless where nothing can be sold short."
    )
    summary = serializers.CharField()
    suggested_timeframe = serializers.CharField()
    is_featured = serializers.BooleanField()
    product_code = serializers.CharField(help_text="What to subscribe to.")
    prices = StrategyPriceSerializer(many=True, help_text="None: it is free.")
    evidence = EvidenceSerializer(many=True)


class StrategyDetailSerializer(StrategySerializer):
    """A strategy with what may be set."""

    description = serializers.CharField()
    version = serializers.IntegerField()
    code_fingerprint = serializers.CharField()
    parameters_schema = serializers.DictField(help_text="A JSON Schema.")
