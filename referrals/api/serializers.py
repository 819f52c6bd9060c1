"""What the API of the referrals takes."""

from rest_framework import serializers

from foundation.serializers import StrictSerializer, TextField
from referrals.models import PayoutMethod
from referrals.services.payouts import LONGEST_DESTINATION


class PayoutRequestSerializer(StrictSerializer):
    """Where all that is payable in a currency should go."""

    currency = TextField(max_length=10)
    method = serializers.ChoiceField(choices=PayoutMethod.values)
    destination = TextField(max_length=LONGEST_DESTINATION)
