"""What the API of trading answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers

from market.enums import Leg, OrderStatus, OrderType, Side
from trading.api.limits import LimitsSerializer
from trading.models import ActualState, CommandKind, DesiredState, Health, StopPolicy


class ExactField(serializers.CharField):
    """A decimal as text, never rounded."""


class AccountOfDeploymentSerializer(serializers.Serializer[Any]):
    """The exchange account that a deployment trades on."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["LIVE", "PAPER"])
    venue = serializers.CharField()
    real_money = serializers.BooleanField()
    permissions_unverified = serializers.BooleanField(
        help_text="Whether only the person's word says that the key cannot withdraw."
    )

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``label``, a word that the framework keeps for itself."""
        return {**super().get_fields(), "label": serializers.CharField()}


class PositionSerializer(serializers.Serializer[Any]):
    """What the deployment holds; prices are null while it holds nothing."""

    quantity = ExactField(help_text="Signed: negative is short.")
    average_price = ExactField(allow_null=True)
    stop_price = ExactField(allow_null=True)
    target_price = ExactField(allow_null=True)
    last_price = ExactField(allow_null=True)
    last_price_at = serializers.DateTimeField(allow_null=True)
    opened_at = serializers.DateTimeField(allow_null=True)


class PositionOfMarketSerializer(PositionSerializer):
    """What the deployment holds of one market."""

    symbol = serializers.CharField()


class PnlSerializer(serializers.Serializer[Any]):
    """Results in the settle currency; net is realized plus unrealized less fees."""

    realized = ExactField()
    unrealized = ExactField()
    fees = ExactField()
    funding = ExactField()
    net = ExactField()


class DeploymentSerializer(serializers.Serializer[Any]):
    """One run of a strategy on an exchange account."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    strategy = serializers.CharField()
    strategy_version = serializers.IntegerField()
    account = AccountOfDeploymentSerializer()
    symbol = serializers.CharField(allow_null=True, help_text="Null for a universe.")
    symbols = serializers.ListField(child=serializers.CharField(), help_text="What it trades.")
    timeframe = serializers.CharField()
    currency = serializers.CharField()
    capital = ExactField()
    stop_policy = serializers.ChoiceField(StopPolicy.values)
    desired_state = serializers.ChoiceField(DesiredState.values)
    actual_state = serializers.ChoiceField(ActualState.values)
    health = serializers.ChoiceField(Health.values)
    health_code = serializers.CharField(allow_blank=True)
    health_message = serializers.CharField(allow_blank=True)
    position = PositionSerializer(allow_null=True, help_text="Null for a universe.")
    positions = PositionOfMarketSerializer(many=True)
    pnl = PnlSerializer()
    version = serializers.IntegerField(help_text="Rises with every change.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    stopped_at = serializers.DateTimeField(allow_null=True)


class DeploymentDetailSerializer(DeploymentSerializer):
    """A deployment with the parameters in force."""

    parameters = serializers.DictField()
    revision = serializers.IntegerField(help_text="Rises with every change of the parameters.")
    protections = LimitsSerializer(help_text="Those of this deployment alone.")


class TransitionSerializer(serializers.Serializer[Any]):
    """One step of an order."""

    to = serializers.ChoiceField(list(OrderStatus))
    at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``from``, which is no name in Python."""
        first = serializers.ChoiceField(list(OrderStatus), allow_null=True)
        return {"from": first, **super().get_fields()}


class OrderSerializer(serializers.Serializer[Any]):
    """One instruction to a venue, with its steps, oldest first."""

    id = serializers.UUIDField()
    client_order_id = serializers.CharField()
    venue_order_id = serializers.CharField(allow_null=True)
    attempt = serializers.IntegerField()
    symbol = serializers.CharField()
    leg = serializers.ChoiceField(list(Leg))
    side = serializers.ChoiceField(list(Side))
    type = serializers.ChoiceField(list(OrderType))
    status = serializers.ChoiceField(list(OrderStatus))
    reason_code = serializers.CharField(allow_null=True)
    reason_message = serializers.CharField(allow_null=True)
    quantity = ExactField()
    price = ExactField(allow_null=True)
    trigger_price = ExactField(allow_null=True)
    filled_quantity = ExactField()
    average_price = ExactField(allow_null=True)
    submitted_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    transitions = TransitionSerializer(many=True)


class FillSerializer(serializers.Serializer[Any]):
    """One execution; ``realized_pnl`` is before fees."""

    venue_trade_id = serializers.CharField()
    order_id = serializers.UUIDField()
    symbol = serializers.CharField()
    side = serializers.ChoiceField(list(Side))
    quantity = ExactField()
    price = ExactField()
    fee = ExactField()
    fee_currency = serializers.CharField()
    realized_pnl = ExactField()
    liquidity = serializers.CharField()
    is_manual = serializers.BooleanField()
    at = serializers.DateTimeField()


class DecisionSerializer(serializers.Serializer[Any]):
    """What was decided at the close of a bar, and why."""

    bar_close_at = serializers.DateTimeField()
    symbol = serializers.CharField()
    reason = serializers.CharField()
    sentence = serializers.CharField()


class CommandSerializer(serializers.Serializer[Any]):
    """What a deployment was told, and how far that is."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(CommandKind.values)
    idempotency_key = serializers.CharField()
    status = serializers.ChoiceField(["OPEN", "DONE"])
    outcome = serializers.CharField(allow_null=True)
    requested_at = serializers.DateTimeField()
    done_at = serializers.DateTimeField(allow_null=True)
