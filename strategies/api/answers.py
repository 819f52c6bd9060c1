"""What the API of the catalogue answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers


class StrategySerializer(serializers.Serializer[Any]):
    """A strategy that is offered."""

    slug = serializers.SlugField()
    name = serializers.CharField()
    category = serializers.CharField()
    risk = serializers.CharField()
    summary = serializers.CharField()
    suggested_timeframe = serializers.CharField()


class StrategyDetailSerializer(StrategySerializer):
    """A strategy with what may be set."""

    version = serializers.IntegerField()
    code_fingerprint = serializers.CharField()
    parameters_schema = serializers.DictField(help_text="A JSON Schema.")
