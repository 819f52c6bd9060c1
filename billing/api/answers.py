"""What the API of billing answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers

from billing.domain.payments import PaymentState
from billing.domain.standing import Standing
from billing.models import Interval, Product


class SubscriptionSerializer(serializers.Serializer[Any]):
    """A person's right to a product, and until when."""

    id = serializers.UUIDField()
    product = serializers.CharField(help_text="strategy:<slug> or plan:<name>.")
    name = serializers.CharField()
    kind = serializers.ChoiceField(Product.Kind.values)
    status = serializers.ChoiceField(list(Standing))
    entitled = serializers.BooleanField(help_text="Whether it gives the right at this moment.")
    started_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Null: without an end.")
    ended_at = serializers.DateTimeField(allow_null=True)


class PriceSerializer(serializers.Serializer[Any]):
    """What a product costs for a while; its id is what ``POST /checkouts`` takes."""

    id = serializers.UUIDField()
    amount = serializers.CharField(help_text="A decimal as text.")
    currency = serializers.CharField()
    interval = serializers.ChoiceField(Interval.values)


class PaymentSerializer(serializers.Serializer[Any]):
    """An order, and how the payment of it stands."""

    id = serializers.UUIDField()
    product = serializers.CharField()
    name = serializers.CharField()
    interval = serializers.ChoiceField(Interval.values)
    amount = serializers.CharField(help_text="A decimal as text.")
    currency = serializers.CharField()
    refunded = serializers.CharField(help_text="What was given back, a decimal as text.")
    status = serializers.ChoiceField(list(PaymentState))
    checkout_url = serializers.CharField(
        allow_null=True,
        help_text="Where the person pays; null while it is prepared, and afterwards.",
    )
    receipt = serializers.CharField(allow_null=True, help_text="The number of the receipt.")
    ordered_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


class PlanSerializer(serializers.Serializer[Any]):
    """A plan with its limits; a limit of null is no limit."""

    product = serializers.CharField()
    name = serializers.CharField()
    summary = serializers.CharField(allow_blank=True)
    is_default = serializers.BooleanField(help_text="Whether everybody has it who has no other.")
    limits = serializers.DictField(child=serializers.IntegerField(allow_null=True))
    prices = PriceSerializer(many=True)


class PlanInUseSerializer(serializers.Serializer[Any]):
    """The plan that a person has."""

    product = serializers.CharField()
    name = serializers.CharField()


class LimitInUseSerializer(serializers.Serializer[Any]):
    """A limit and what is used of it; ``used`` of null holds for each request by itself."""

    limit = serializers.CharField()
    allowed = serializers.IntegerField(allow_null=True)
    used = serializers.IntegerField(allow_null=True)


class UsageSerializer(serializers.Serializer[Any]):
    """A person's plan and what is used of it."""

    plan = PlanInUseSerializer()
    limits = LimitInUseSerializer(many=True)
