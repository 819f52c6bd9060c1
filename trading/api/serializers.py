"""What the API of trading takes."""

from rest_framework import serializers

from foundation.serializers import DecimalField, IdField, ObjectField, StrictSerializer, TextField
from trading.models import CommandKind, StopPolicy

_PROTECTIONS = "Limits of this deployment alone, by name, as GET /protections answers them."


class DeploymentRequestSerializer(StrictSerializer):
    """A request for a deployment; the service behind it checks what the values mean."""

    name = TextField(max_length=80)
    strategy = TextField(max_length=60)
    account = IdField()
    symbol = TextField(
        max_length=40, default="", help_text="At the account's venue, such as BTC/USDT."
    )
    universe = TextField(
        max_length=4_000,
        default="",
        help_text="Instead of a symbol, for a strategy that looks at many markets: "
        "binance:BTC/USDT,ETH/USDT, as POST /universes answers. It stays the same from the start on.",
    )
    timeframe = TextField(max_length=3)
    parameters = ObjectField(default=dict)
    capital = DecimalField(help_text="In the settle currency.")
    stop_policy = TextField(max_length=10, default=StopPolicy.FLATTEN.value)
    protections = ObjectField(default=dict, help_text=_PROTECTIONS)
    starts = serializers.BooleanField(
        default=True, help_text="False keeps a draft, which a START command starts."
    )


class ChangeRequestSerializer(StrictSerializer):
    """What to change of a deployment; what is not sent stays."""

    name = TextField(max_length=80, required=False)
    stop_policy = TextField(max_length=10, required=False)
    parameters = ObjectField(
        required=False, help_text="All that are not the defaults; a new revision from the next bar."
    )
    protections = ObjectField(
        required=False,
        help_text=f"All of them: what is left out is no limit any more. {_PROTECTIONS}",
    )
    revision = serializers.IntegerField(
        required=False,
        min_value=1,
        help_text="The revision that you have looked at: 412 if it is another one by now.",
    )


class CommandRequestSerializer(StrictSerializer):
    """What to tell a deployment."""

    kind = TextField(max_length=10, help_text=f"One of {', '.join(CommandKind.values)}.")
