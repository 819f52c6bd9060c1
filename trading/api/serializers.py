"""What the API of trading takes."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from foundation.serializers import DecimalField, ObjectField, StrictSerializer, TextField
from trading.models import CommandKind, StopPolicy


class IdField(serializers.Field[UUID, Any, str, Any]):
    """The public id of something."""

    def to_internal_value(self, data: Any) -> UUID:
        """Return *data* as an id if it is the text of one."""
        try:
            if isinstance(data, str):
                return UUID(data)
        except ValueError:
            pass
        raise serializers.ValidationError("Send the id as it was given to you.", code="invalid_id")


class DeploymentRequestSerializer(StrictSerializer):
    """A request for a deployment; the service behind it checks what the values mean."""

    name = TextField(max_length=80)
    strategy = TextField(max_length=60)
    account = IdField()
    symbol = TextField(max_length=40, help_text="At the account's venue, such as BTC/USDT.")
    timeframe = TextField(max_length=3)
    parameters = ObjectField(default=dict)
    capital = DecimalField(help_text="In the settle currency.")
    stop_policy = TextField(max_length=10, default=StopPolicy.FLATTEN.value)


class CommandRequestSerializer(StrictSerializer):
    """What to tell a deployment."""

    kind = TextField(max_length=10, help_text=f"One of {', '.join(CommandKind.values)}.")
