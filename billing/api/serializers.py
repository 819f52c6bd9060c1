"""What the API of billing takes."""

from foundation.serializers import StrictSerializer, TextField


class SubscribeSerializer(StrictSerializer):
    """Which product to subscribe to: ``strategy:<slug>``."""

    product = TextField(max_length=100)


class NothingSerializer(StrictSerializer):
    """No input at all."""
