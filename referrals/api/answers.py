"""What the API of the referrals answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers

from foundation.site_settings import REFERRAL_PAYMENTS
from referrals.domain.payouts import PayoutStatus
from referrals.models import CommissionStatus, PayoutMethod


class AmountField(serializers.CharField):
    """An amount as text, never rounded."""


class BalanceSerializer(serializers.Serializer[Any]):
    """Where the commissions in one currency are."""

    currency = serializers.CharField()
    pending = AmountField(help_text="May still be refunded.")
    payable = AmountField(help_text="Below zero after a refund of what was paid out.")
    requested = AmountField(help_text="In payouts that nobody has decided yet.")
    paid = AmountField()
    earned = AmountField(help_text="All of it together.")


class ReferrerSerializer(serializers.Serializer[Any]):
    """A person's link, the rules, and what came of it."""

    code = serializers.CharField(allow_null=True)
    link = serializers.CharField(allow_null=True)
    rate = AmountField(help_text="A fraction of what a payment brings after fees.")
    payments = serializers.ChoiceField(list(REFERRAL_PAYMENTS))
    minimum_payout = AmountField()
    sign_ups = serializers.IntegerField()
    conversions = serializers.IntegerField(help_text="How many of them have paid.")
    balances = BalanceSerializer(many=True)


class CommissionSerializer(serializers.Serializer[Any]):
    """What one payment earned."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(CommissionStatus.values)
    currency = serializers.CharField()
    amount = AmountField()
    taken_back = AmountField(help_text="By refunds.")
    rate = AmountField()
    earned_at = serializers.DateTimeField()
    payable_from = serializers.DateTimeField()


class PayoutSerializer(serializers.Serializer[Any]):
    """One payout."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField([status.value for status in PayoutStatus])
    currency = serializers.CharField()
    amount = AmountField()
    method = serializers.ChoiceField(PayoutMethod.values)
    destination = serializers.CharField()
    requested_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    reference = serializers.CharField(help_text="By which the transfer is found.")
    note = serializers.CharField(help_text="Why it was rejected.")
