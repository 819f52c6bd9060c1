"""The JSON API of what accounts are and were worth."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.domain.profiles import CURRENCIES
from exchanges.api import answers
from exchanges.models import ExchangeAccount
from exchanges.selectors import accounts as selectors
from exchanges.selectors import equity
from foundation import pagination, schema

_RANGES: Final = {"7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90),
                  "365d": timedelta(days=365)}  # fmt: skip
_CURRENCY: Final = schema.filter_by(
    "currency", "In this currency; by default the one in your profile.", values=list(CURRENCIES)
)
_RANGE: Final = schema.filter_by(
    "range", "So far back; 30d if it is left out.", values=list(_RANGES)
)


class Equity(APIView):
    """What all open accounts are worth."""

    required_scope = "read:account"

    @extend_schema(parameters=[_CURRENCY], responses=answers.EquitySerializer)
    def get(self, request: Request) -> Response:
        """Value all open accounts by the last rates."""
        currency = pagination.choice_parameter(request, "currency", list(CURRENCIES))
        value = equity.value_for(request.user, now=timezone.now(), currency=currency)
        totals = [
            {
                "money": total.money,
                "amount": f"{total.amount:f}",
                "currency": total.currency,
                "accounts": total.accounts,
                "unvalued": total.unvalued,
                "rates_at": total.told_at,
            }
            for total in value.totals
        ]
        return Response(
            {"currency": value.currency, "wanted_currency": value.wanted, "totals": totals}
        )


class EquityHistory(APIView):
    """What all accounts were worth together."""

    required_scope = "read:account"

    @extend_schema(parameters=[_RANGE, _CURRENCY], responses=answers.EquityHistorySerializer)
    def get(self, request: Request) -> Response:
        """Return the recorded equity of all accounts, closed ones included."""
        return Response(_history(request))


class AccountEquity(APIView):
    """What one account is worth."""

    required_scope = "read:account"

    @extend_schema(parameters=[_CURRENCY], responses=answers.AccountEquitySerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Value one account by the last rates."""
        account = selectors.get_account_for(request.user, public_id=public_id)
        currency = pagination.choice_parameter(request, "currency", list(CURRENCIES))
        valued = equity.value_for(
            request.user, accounts=[account], now=timezone.now(), currency=currency
        )
        value = valued.by_account.get(account.pk)
        amount = None if value is None or value.amount is None else f"{value.amount:f}"
        return Response(
            {
                "amount": amount,
                "currency": valued.currency,
                "unvalued": value.unvalued if value else [],
                "rates_at": value.told_at if value else None,
            }
        )


class AccountEquityHistory(APIView):
    """What one account was worth."""

    required_scope = "read:account"

    @extend_schema(parameters=[_RANGE, _CURRENCY], responses=answers.EquityHistorySerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return the recorded equity of one account."""
        account = selectors.get_account_for(request.user, public_id=public_id)
        return Response(_history(request, account))


def _history(request: Request, account: ExchangeAccount | None = None) -> dict[str, Any]:
    asked = pagination.choice_parameter(request, "range", list(_RANGES)) or "30d"
    now = timezone.now()
    history = equity.history_for(
        request.user,
        since=now - _RANGES[asked],
        now=now,
        account=account,
        currency=pagination.choice_parameter(request, "currency", list(CURRENCIES)),
    )
    points = [
        {"at": point.hour_at, "money": point.money, "amount": f"{point.amount:f}"}
        for point in history.points
    ]
    return {"currency": history.currency, "points": points}
