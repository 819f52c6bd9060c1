"""What the API of backtesting takes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from backtesting.services.specifications import DEFAULT_CAPITAL, DEFAULT_SLIPPAGE_BPS
from foundation.serializers import (
    DecimalField,
    InstantField,
    ObjectField,
    StrictSerializer,
    TextField,
)


class AnnotationSerializer(StrictSerializer):
    """What a person writes on a run; what is not sent stays."""

    tags = serializers.ListField(
        child=TextField(allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="At most 10, each of 1 to 30 characters without a comma.",
    )
    notes = TextField(required=False, allow_blank=True, help_text="At most 2,000 characters.")


class RunRequestSerializer(StrictSerializer):
    """A request for a run; the service behind it checks what the values mean."""

    strategy = TextField(max_length=60)
    market = TextField(
        max_length=80, default="", help_text="Venue and symbol, such as binance:BTC/USDT."
    )
    universe = TextField(
        max_length=4_000,
        default="",
        help_text="In its place for a strategy that looks at many: binance:BTC/USDT,ETH/USDT.",
    )
    timeframe = TextField(max_length=3)
    parameters = ObjectField(default=dict)
    capital = DecimalField(default=DEFAULT_CAPITAL)
    fee_bps = DecimalField(default=None, allow_null=True, help_text="Null: the venue's own fees.")
    slippage_bps = DecimalField(default=DEFAULT_SLIPPAGE_BPS)
    funding_bps = DecimalField(
        default=Decimal(0), help_text="What a long swap pays every eight hours."
    )
    fetch_missing = serializers.BooleanField(
        default=False,
        help_text="Fetch the candles that are missing first: answers 202 and a wish to ask about.",
    )

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``from`` and ``to``, of which the first is no name in Python.

        A request that names no universe has to name a market.
        """
        window = {"from": InstantField(source="from_at"), "to": InstantField(source="to_at")}
        fields = {**super().get_fields(), **window}
        given = getattr(self, "initial_data", None)
        if isinstance(given, Mapping) and not given.get("universe"):
            fields["market"] = TextField(max_length=80)
        return fields
