"""What the API answers about the drift of a deployment from its replay."""

from typing import Any

from rest_framework import serializers

from trading.api.answers import ExactField
from trading.domain.drift_columns import COLUMNS
from trading.models import DriftStatus


class DriftColumnsSerializer(serializers.Serializer[Any]):
    """Both results after fees and the columns of their difference, which add up to it."""

    live_pnl = ExactField()
    replay_pnl = ExactField()
    missed = ExactField(help_text="Trades that only the replay made.")
    halts = ExactField(help_text="Entries that a limit, a pause or the platform refused.")
    late = ExactField(help_text="Fills more than a bar later than in the replay.")
    size = ExactField(help_text="Orders for another quantity.")
    slippage = ExactField(help_text="Other prices within a bar.")
    fees = ExactField()
    funding = ExactField()
    manual = ExactField(help_text="Positions closed by a person or a stop of the deployment.")
    residual = ExactField(help_text="What none of these explains.")

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``partial``, a word that the framework keeps for itself."""
        named = {"partial": ExactField(help_text="Orders that did not fill whole.")}
        return {**super().get_fields(), **named}


class DriftReportSerializer(serializers.Serializer[Any]):
    """The newest comparison; ``totals`` and the period are null until it is done."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(DriftStatus.values)
    error_code = serializers.CharField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    requested_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    from_at = serializers.DateTimeField(allow_null=True)
    to_at = serializers.DateTimeField(allow_null=True)
    totals = DriftColumnsSerializer(allow_null=True)
    columns = serializers.ListField(
        child=serializers.ChoiceField(list(COLUMNS)), help_text="Which of the totals add up."
    )
    equity = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        help_text="Points of [milliseconds since 1970, deployment, replay], thinned.",
    )


class DriftTradeSerializer(DriftColumnsSerializer):
    """One trade of the deployment, of its replay, or of both; null is what a side does not have."""

    number = serializers.IntegerField()
    symbol = serializers.CharField()
    direction = serializers.ChoiceField(["LONG", "SHORT"])
    decided_at = serializers.DateTimeField()
    live_entry_at = serializers.DateTimeField(allow_null=True)
    live_exit_at = serializers.DateTimeField(allow_null=True)
    live_quantity = ExactField(allow_null=True)
    live_entry_price = ExactField(allow_null=True)
    live_exit_price = ExactField(allow_null=True)
    replay_entry_at = serializers.DateTimeField(allow_null=True)
    replay_exit_at = serializers.DateTimeField(allow_null=True)
    replay_quantity = ExactField(allow_null=True)
    replay_entry_price = ExactField(allow_null=True)
    replay_exit_price = ExactField(allow_null=True)
