"""The JSON API of subscriptions, plans and usage."""

from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, presenters
from billing.api.serializers import NothingSerializer, SubscribeSerializer
from billing.selectors import products
from billing.selectors import subscriptions as selectors
from billing.selectors.usage import usage_of
from billing.services import subscriptions
from foundation import idempotency, pagination, schema
from foundation.http import actor_of
from foundation.scopes import PERSON

_READ = "read:billing"


class Subscriptions(APIView):
    """All of a person's subscriptions, newest first, ended ones too; POST subscribes."""

    required_scope = {"GET": _READ, "POST": PERSON}
    problem_statuses = {"POST": (402, 403, 404, 409, 422)}

    @extend_schema(
        parameters=[*schema.PAGE], responses=schema.page_of(answers.SubscriptionSerializer)
    )
    def get(self, request: Request) -> Response:
        """List the subscriptions."""
        now = timezone.now()
        return pagination.page_response(
            request,
            lambda named, most: selectors.page_of_subscriptions(
                request.user, before=pagination.key_of(named), most=most
            ),
            name_of=lambda row: str(row.pk),
            present=lambda row: presenters.present_subscription(row, now=now),
        )

    @extend_schema(
        parameters=[schema.IDEMPOTENCY_KEY],
        request=SubscribeSerializer,
        responses=answers.SubscriptionSerializer,
    )
    def post(self, request: Request) -> Response:
        """Answer 200 with the subscription to ``product``: new, present, or begun again."""
        serializer = SubscribeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        now = timezone.now()

        def work(key: str) -> Response:
            subscription = subscriptions.subscribe(
                owner=request.user,
                product_code=serializer.validated_data["product"],
                request_key=key,
                by=actor_of(request),
                now=now,
            )
            return Response(
                presenters.present_subscription(subscription, now=now),
                headers={
                    "Location": reverse("billing-api:subscription", args=[subscription.public_id])
                },
            )

        return idempotency.answer_once(request, work, now=now)


class OneSubscription(APIView):
    """One subscription."""

    required_scope = _READ

    @extend_schema(responses=answers.SubscriptionSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return the subscription as it stands now."""
        subscription = selectors.get_subscription_for(request.user, public_id=public_id)
        return Response(presenters.present_subscription(subscription, now=timezone.now()))


class Cancel(APIView):
    """The end of a subscription."""

    required_scope = {"POST": PERSON}
    problem_statuses = {"POST": (403, 409)}

    @extend_schema(request=None, responses=answers.SubscriptionSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """End a free subscription now, and one with an end at its end; a repeat answers the same."""
        # Somebody else's is not found whatever the body is.
        selectors.get_subscription_for(request.user, public_id=public_id)
        NothingSerializer(data=request.data).is_valid(raise_exception=True)
        now = timezone.now()
        subscription = subscriptions.cancel(
            owner=request.user, public_id=public_id, by=actor_of(request), now=now
        )
        return Response(presenters.present_subscription(subscription, now=now))


class Plans(APIView):
    """The plans of this installation."""

    required_scope = _READ

    @extend_schema(responses=schema.page_of(answers.PlanSerializer))
    def get(self, request: Request) -> Response:
        """List the plans, the smallest first, with their limits and prices; they fit on a page."""
        pagination.refuse_unknown(request)
        plans = products.plans_on_offer()
        codes = [plan.product.code for plan in plans]
        prices = products.prices_in_force(codes, now=timezone.now())
        results = [
            presenters.present_plan(plan, prices.get(plan.product.code, [])) for plan in plans
        ]
        return Response({"results": results, "next": None})


class Usage(APIView):
    """A person's plan and what is used of it."""

    required_scope = _READ

    @extend_schema(responses=answers.UsageSerializer)
    def get(self, request: Request) -> Response:
        """Return the plan, and each limit with what is used."""
        pagination.refuse_unknown(request)
        return Response(presenters.present_usage(usage_of(request.user, now=timezone.now())))
