"""What the API of exchange accounts answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers

from exchanges.models import AccountKind, AccountStatus, VenueUse
from exchanges.selectors.equity import Money
from market.enums import InstrumentKind, OrderType
from market.timeframes import Timeframe


class TotalEquitySerializer(serializers.Serializer[Any]):
    """What all accounts of one kind of money are worth together; the two kinds are never added."""

    money = serializers.ChoiceField(list(Money))
    amount = serializers.CharField(help_text="A decimal as text.")
    currency = serializers.CharField()
    accounts = serializers.IntegerField()
    unvalued = serializers.ListField(
        child=serializers.CharField(), help_text="Currencies without a known rate; not counted."
    )
    rates_at = serializers.DateTimeField(
        allow_null=True, help_text="When the oldest rate was told; null if none was needed."
    )


class EquitySerializer(serializers.Serializer[Any]):
    """What a person's accounts are worth by the last rates; for showing, never for trading."""

    currency = serializers.CharField(help_text="In which the amounts are.")
    wanted_currency = serializers.CharField(
        help_text="The one that was asked for; it differs where no rate to it is known."
    )
    totals = TotalEquitySerializer(many=True)


class EquityPointSerializer(serializers.Serializer[Any]):
    """What accounts were worth in an hour."""

    at = serializers.DateTimeField(help_text="The beginning of the hour.")
    money = serializers.ChoiceField(list(Money))
    amount = serializers.CharField(help_text="A decimal as text.")


class EquityHistorySerializer(serializers.Serializer[Any]):
    """What accounts were worth, oldest first: each hour of up to seven days, else the last hour of each day."""

    currency = serializers.CharField()
    points = EquityPointSerializer(many=True)


class AccountEquitySerializer(serializers.Serializer[Any]):
    """What one account is worth; amounts are null where that is not known."""

    amount = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    unvalued = serializers.ListField(child=serializers.CharField())
    rates_at = serializers.DateTimeField(allow_null=True)


class BalanceAtVenueSerializer(serializers.Serializer[Any]):
    """What the venue says there is of a currency, and when it said so."""

    currency = serializers.CharField()
    free = serializers.CharField(help_text="A decimal as text.")
    used = serializers.CharField(help_text="A decimal as text.")
    at = serializers.DateTimeField(allow_null=True)


class AccountSerializer(serializers.Serializer[Any]):
    """An account at a venue; of its key only the last four characters."""

    id = serializers.UUIDField()
    venue = serializers.CharField()
    kind = serializers.ChoiceField(AccountKind.values)
    real_money = serializers.BooleanField()
    status = serializers.ChoiceField(AccountStatus.values)
    is_being_tested = serializers.BooleanField(help_text="Whether a worker tests the key now.")
    permissions_verified = serializers.BooleanField(
        allow_null=True,
        help_text="Whether the venue itself says that the key cannot withdraw; null without a key that works.",
    )
    status_code = serializers.CharField(allow_blank=True)
    status_message = serializers.CharField(allow_blank=True)
    api_key_last_four = serializers.CharField(allow_null=True)
    tested_at = serializers.DateTimeField(allow_null=True)
    next_test_at = serializers.DateTimeField(allow_null=True)
    connected_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    balances = BalanceAtVenueSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``label``, a word that the framework keeps for itself."""
        return {**super().get_fields(), "label": serializers.CharField()}


class NewAccountSerializer(AccountSerializer):
    """An account that was just connected."""

    notes = serializers.ListField(
        child=serializers.CharField(), help_text="What was trimmed from the pasted key."
    )


class KeyGuideSerializer(serializers.Serializer[Any]):
    """How a key for a venue is made."""

    where = serializers.CharField(help_text="The way to the exchange's page of keys.")
    allow = serializers.ListField(child=serializers.CharField())
    never = serializers.ListField(child=serializers.CharField())
    hints = serializers.ListField(child=serializers.CharField())
    needs_passphrase = serializers.BooleanField()
    tells_permissions = serializers.BooleanField(
        help_text="If not, the person has to declare that the key cannot withdraw."
    )
    addresses = serializers.ListField(
        child=serializers.CharField(), help_text="To which addresses the key should be limited."
    )


class VenueSerializer(serializers.Serializer[Any]):
    """An exchange, or a simulation of one; fees are in basis points of the notional."""

    code = serializers.CharField()
    name = serializers.CharField()
    real_money = serializers.BooleanField()
    use = serializers.ChoiceField(
        choices=VenueUse.choices,
        help_text="Live and paper; market data and paper only; or imported candles only.",
    )
    takes_keys = serializers.BooleanField(help_text="Whether people may connect keys.")
    no_keys_because = serializers.CharField(
        help_text="Why it takes none, as the end of a sentence; empty where it does."
    )
    order_types = serializers.ListField(
        child=serializers.ChoiceField(list(OrderType)),
        help_text="The orders that the platform can send there; none where no pack was written.",
    )
    has_post_only = serializers.BooleanField(
        help_text="Whether a limit order can be kept from taking."
    )
    has_dead_man_switch = serializers.BooleanField(
        help_text="Whether the venue cancels everything when it is not called in time."
    )
    has_practice_market = serializers.BooleanField(help_text="Whether strangers can practice.")
    maker_fee_bps = serializers.CharField()
    taker_fee_bps = serializers.CharField()
    key_guide = KeyGuideSerializer(allow_null=True, help_text="Null where no keys are taken.")


class MarketSerializer(serializers.Serializer[Any]):
    """Something that trades at a venue, with its rules as decimals in text."""

    market = serializers.CharField(help_text="Venue and symbol, as backtests take it.")
    venue = serializers.CharField()
    symbol = serializers.CharField()
    kind = serializers.ChoiceField(list(InstrumentKind))
    base = serializers.CharField()
    quote = serializers.CharField()
    settle = serializers.CharField()
    contract_size = serializers.CharField()
    tick_size = serializers.CharField()
    lot_step = serializers.CharField()
    minimum_quantity = serializers.CharField()
    minimum_notional = serializers.CharField()


class CandleSeriesSerializer(serializers.Serializer[Any]):
    """What is stored of one series; ``missing`` bars lie in ``gaps`` holes between the first and the last."""

    market = serializers.CharField()
    venue = serializers.CharField()
    symbol = serializers.CharField()
    timeframe = serializers.ChoiceField([each.value for each in Timeframe])
    first_open_at = serializers.DateTimeField()
    last_open_at = serializers.DateTimeField()
    bars = serializers.IntegerField()
    missing = serializers.IntegerField()
    gaps = serializers.IntegerField()
    confirmed_gaps = serializers.IntegerField(help_text="Holes that the venue itself has.")
    revisions = serializers.IntegerField(help_text="Bars that the venue changed after their close.")
    refused = serializers.IntegerField(help_text="Impossible bars that wait for possible ones.")
    bytes = serializers.IntegerField()
    is_followed = serializers.BooleanField(help_text="Whether new bars are fetched.")
    behind_since_at = serializers.DateTimeField(allow_null=True)
