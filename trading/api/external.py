"""The JSON API of orders that rest on a person's accounts and were not made here."""

from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backtesting.reports import instant, plain
from foundation import pagination, schema
from foundation.pagination import InvalidParameterError
from market.enums import OrderStatus, Side
from trading.api.answers import ExactField
from trading.models import ExternalOrder
from trading.selectors import pages
from trading.selectors.pages import ExternalFilter

_STATES: Final = ("resting", "gone")


class ExternalOrderSerializer(serializers.Serializer[Any]):
    """An order of the person or of another program; shown, and never touched."""

    venue_order_id = serializers.CharField()
    client_order_id = serializers.CharField(allow_null=True)
    account = serializers.UUIDField()
    venue = serializers.CharField()
    symbol = serializers.CharField()
    side = serializers.ChoiceField(list(Side))
    status = serializers.ChoiceField(list(OrderStatus))
    quantity = ExactField()
    filled_quantity = ExactField()
    venue_at = serializers.DateTimeField()
    first_seen_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    gone_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was first missing from what rests there."
    )


class ExternalOrders(APIView):
    """Orders on a person's accounts that were not made here."""

    required_scope = "read:account"

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("account", "On this account only.", form="uuid"),
            schema.filter_by("state", "Only those that rest, or rested once.", values=_STATES),
        ],
        responses=schema.page_of(ExternalOrderSerializer),
    )
    def get(self, request: Request) -> Response:
        """List them with what they were when they were last seen, the newest first."""
        wanted = ExternalFilter(
            account=_account(request),
            state=pagination.choice_parameter(request, "state", _STATES),
        )
        return pagination.page_response(
            request,
            lambda named, limit: pages.external_below(
                request.user, wanted=wanted, below=pagination.key_of(named), limit=limit
            ),
            name_of=lambda order: str(order.pk),
            present=_present,
            filters=("account", "state"),
        )


def _account(request: Request) -> UUID | None:
    text = pagination.text_parameter(request, "account")
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise InvalidParameterError("account", "account: name one by its id.") from None


def _present(order: ExternalOrder) -> dict[str, Any]:
    return {
        "venue_order_id": order.venue_order_id,
        "client_order_id": order.client_order_id or None,
        "account": str(order.account.public_id),
        "venue": order.account.venue.code,
        "symbol": order.instrument.symbol,
        "side": order.side,
        "status": order.status,
        "quantity": plain(order.quantity),
        "filled_quantity": plain(order.filled_quantity),
        "venue_at": instant(order.venue_at),
        "first_seen_at": instant(order.first_seen_at),
        "seen_at": instant(order.seen_at),
        "gone_at": instant(order.gone_at),
    }
