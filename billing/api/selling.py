"""The JSON API of orders and payments."""

from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, presenters
from billing.api.serializers import CheckoutSerializer
from billing.selectors import payments
from billing.services import checkout
from foundation import idempotency, pagination, schema
from foundation.http import actor_of
from foundation.scopes import PERSON

_READ = "read:billing"


class Checkouts(APIView):
    """Orders."""

    required_scope = {"POST": PERSON}
    problem_statuses = {"POST": (403, 404, 409, 422)}
    throttle_buckets = {"POST": ("write", "checkout")}

    @extend_schema(
        parameters=[schema.IDEMPOTENCY_KEY],
        request=CheckoutSerializer,
        responses={201: answers.PaymentSerializer},
    )
    def post(self, request: Request) -> Response:
        """Order what ``price`` buys; ask for the payment until it has a ``checkout_url``."""
        serializer = CheckoutSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        now = timezone.now()

        def work(key: str) -> Response:
            payment = checkout.place_order(
                owner=request.user,
                price_id=serializer.validated_data["price"],
                request_key=UUID(key),
                by=actor_of(request),
                now=now,
            )
            return Response(
                presenters.present_payment(payment, root=request.build_absolute_uri("/")),
                status=201,
                headers={"Location": reverse("billing-api:payment", args=[payment.public_id])},
            )

        return idempotency.answer_once(request, work, now=now)


class Payments(APIView):
    """What a person has ordered and paid."""

    required_scope = _READ

    @extend_schema(parameters=[*schema.PAGE], responses=schema.page_of(answers.PaymentSerializer))
    def get(self, request: Request) -> Response:
        """List the orders, the last one first."""
        return pagination.page_response(
            request,
            lambda named, most: payments.page_of_payments(
                request.user, before=pagination.key_of(named), most=most
            ),
            name_of=lambda row: str(row.pk),
            present=lambda row: presenters.present_payment(
                row, root=request.build_absolute_uri("/")
            ),
        )


class OnePayment(APIView):
    """One order."""

    required_scope = _READ

    @extend_schema(responses=answers.PaymentSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return the order as it stands now."""
        payment = payments.get_payment_for(request.user, public_id=public_id)
        return Response(presenters.present_payment(payment, root=request.build_absolute_uri("/")))
