"""What the API of trading takes."""

from foundation.serializers import DecimalField, IdField, ObjectField, StrictSerializer, TextField
from trading.models import CommandKind, StopPolicy


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
