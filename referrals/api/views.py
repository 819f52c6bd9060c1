"""The JSON API of the referrals: what a person earned, and asking for a payout."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation import idempotency, pagination, schema
from foundation.http import actor_of
from foundation.scopes import PERSON
from referrals.api import answers, presenters
from referrals.api.serializers import PayoutRequestSerializer
from referrals.models import CommissionStatus
from referrals.selectors import commissions as commission_selectors
from referrals.selectors import payouts as payout_selectors
from referrals.services import payouts

_READ = "read:billing"


class Me(APIView):
    """A person's link and what came of it."""

    required_scope = _READ

    @extend_schema(responses=answers.ReferrerSerializer)
    def get(self, request: Request) -> Response:
        """Return the link, the rules, how many came by it, and the balances."""
        pagination.refuse_unknown(request)
        return Response(presenters.present_referrer(request.user))


class Commissions(APIView):
    """What the payments of others earned."""

    required_scope = _READ

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("status", "In this state only.", values=CommissionStatus.values),
        ],
        responses=schema.page_of(answers.CommissionSerializer),
    )
    def get(self, request: Request) -> Response:
        """List commissions, newest first."""
        status = pagination.choice_parameter(request, "status", CommissionStatus.values)
        return pagination.page_response(
            request,
            lambda named, most: commission_selectors.page_of_commissions(
                request.user, status=status, below=pagination.key_of(named), most=most
            ),
            name_of=lambda row: str(row.pk),
            present=presenters.present_commission,
            filters=("status",),
        )


class Payouts(APIView):
    """What was paid out; POST asks for all that is payable."""

    required_scope = {"GET": _READ, "POST": PERSON}
    problem_statuses = {"POST": (409, 422)}

    @extend_schema(parameters=schema.PAGE, responses=schema.page_of(answers.PayoutSerializer))
    def get(self, request: Request) -> Response:
        """List payouts, newest first."""
        return pagination.page_response(
            request,
            lambda named, most: payout_selectors.page_of_payouts(
                request.user, below=pagination.key_of(named), most=most
            ),
            name_of=lambda row: str(row.pk),
            present=presenters.present_payout,
        )

    @extend_schema(
        parameters=[schema.IDEMPOTENCY_KEY],
        request=PayoutRequestSerializer,
        responses={201: answers.PayoutSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for all that is payable in ``currency``; 201 with the payout."""
        serializer = PayoutRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted: dict[str, Any] = serializer.validated_data
        now = timezone.now()

        def work(key: str) -> Response:
            payout = payouts.request_payout(
                owner=request.user,
                currency=wanted["currency"],
                method=wanted["method"],
                destination=wanted["destination"],
                request_key=key,
                by=actor_of(request),
                now=now,
            )
            return Response(presenters.present_payout(payout), status=201)

        return idempotency.answer_once(request, work, now=now)
