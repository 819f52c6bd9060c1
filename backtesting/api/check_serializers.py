"""What the API of checks takes and answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers

from backtesting.api.answers import FailureSerializer
from backtesting.domain.verdicts import Verdict
from backtesting.models import RunStatus
from foundation.serializers import InstantField, ObjectField, StrictSerializer, TextField

_VERDICTS = [verdict.value for verdict in Verdict]


class CheckRequestSerializer(StrictSerializer):
    """A request for a check; the service behind it checks what the values mean."""

    strategy = TextField(max_length=60)
    market = TextField(max_length=80, help_text="Venue and symbol, such as binance:BTC/USDT.")
    timeframe = TextField(max_length=3)
    parameters = ObjectField(default=dict)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``from`` and ``to``, of which the first is no name in Python."""
        window = {"from": InstantField(source="from_at"), "to": InstantField(source="to_at")}
        return {**super().get_fields(), **window}


class ViolationSerializer(serializers.Serializer[Any]):
    """The first bar that gave a strategy away, and what had been changed."""

    signal = serializers.CharField()
    symbol = serializers.CharField(help_text="Of a universe; empty for one market.")
    bar = serializers.IntegerField()
    at = serializers.DateTimeField()
    changed = serializers.CharField()
    expected = serializers.CharField(help_text="What was said on the whole history.")
    told = serializers.CharField(help_text="What was said with the change.")


class EvidenceRowSerializer(serializers.Serializer[Any]):
    """One backtest among the evidence; without values if it was not run, and the note says why."""

    change = serializers.CharField()
    values = serializers.DictField(allow_null=True)
    note = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``label``, which a field has as an attribute of its own."""
        return {"label": serializers.CharField(), **super().get_fields()}


class CheckResultSerializer(serializers.Serializer[Any]):
    """What one check came to, with its evidence."""

    check = serializers.CharField()
    verdict = serializers.ChoiceField(_VERDICTS)
    sentence = serializers.CharField()
    trials = serializers.IntegerField()
    violation = ViolationSerializer(allow_null=True)
    rows = EvidenceRowSerializer(many=True)


class CheckInListSerializer(serializers.Serializer[Any]):
    """A check as a line of a list."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(RunStatus.values)
    progress = serializers.IntegerField(help_text="Percent.")
    verdict = serializers.ChoiceField(_VERDICTS, allow_null=True)
    strategy = serializers.CharField()
    strategy_version = serializers.IntegerField()
    market = serializers.CharField()
    timeframe = serializers.CharField()
    requested_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    error = FailureSerializer(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``from`` and ``to``, of which the first is no name in Python."""
        window = {"from": serializers.DateTimeField(), "to": serializers.DateTimeField()}
        return {**super().get_fields(), **window}


class CheckSerializer(CheckInListSerializer):
    """Everything about a check."""

    parameters = serializers.DictField()
    engine_version = serializers.CharField()
    data_fingerprint = serializers.CharField(allow_null=True)
    bars = serializers.IntegerField(help_text="Of the history, warm-up included.")
    results = CheckResultSerializer(many=True)
