"""What the API of billing takes."""

from rest_framework import serializers

from foundation.serializers import StrictSerializer, TextField


class SubscribeSerializer(StrictSerializer):
    """Which product to subscribe to: ``strategy:<slug>``."""

    product = TextField(max_length=100)


class CheckoutSerializer(StrictSerializer):
    """What to order: the id of a price; what it costs is ours to say."""

    price = serializers.UUIDField()


class NothingSerializer(StrictSerializer):
    """No input at all."""
