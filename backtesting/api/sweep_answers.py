"""What the API of sweeps answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers

from backtesting.api.answers import ExactField, FailureSerializer
from backtesting.domain.objectives import OBJECTIVES
from backtesting.domain.searches import Method
from backtesting.models import RunStatus


class TrialSerializer(serializers.Serializer[Any]):
    """One combination and what it came to; fractions are numbers, 0.01 is 1 %."""

    number = serializers.IntegerField()
    parameters = serializers.DictField(help_text="The swept ones.")
    figures = serializers.DictField(child=serializers.FloatField(allow_null=True))


class SweepInListSerializer(serializers.Serializer[Any]):
    """A sweep as a line of a list."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(RunStatus.values)
    progress = serializers.IntegerField(help_text="Percent.")
    strategy = serializers.CharField()
    market = serializers.CharField()
    timeframe = serializers.CharField()
    method = serializers.ChoiceField([method.value for method in Method])
    objective = serializers.ChoiceField(list(OBJECTIVES))
    trials_asked = serializers.IntegerField(help_text="Points of the grid, or trials asked for.")
    trials_planned = serializers.IntegerField(help_text="Those whose values fit together.")
    trials_done = serializers.IntegerField(
        help_text="The more were tried, the better the best one looks by chance alone."
    )
    best = TrialSerializer(allow_null=True, help_text="So far; null if none can be ranked.")
    requested_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    error = FailureSerializer(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``from`` and ``to``, of which the first is no name in Python."""
        window = {"from": serializers.DateTimeField(), "to": serializers.DateTimeField()}
        return {**super().get_fields(), **window}


class SweepSerializer(SweepInListSerializer):
    """Everything about a sweep but its trials, which have an address of their own."""

    space = serializers.ListField(
        child=serializers.DictField(), help_text="Each with a name, and values or low and high."
    )
    parameters = serializers.DictField(help_text="Those that are not swept.")
    least_trades = serializers.IntegerField()
    seed = serializers.IntegerField()
    capital = ExactField()
    maker_fee_bps = ExactField()
    taker_fee_bps = ExactField()
    slippage_bps = ExactField()
    funding_bps = ExactField()
    strategy_version = serializers.IntegerField()
    engine_version = serializers.CharField()
    spec_hash = serializers.CharField(help_text="Sweeps with the same hash are the same sweep.")
    links = serializers.DictField(child=serializers.CharField())
