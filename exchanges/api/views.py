"""The JSON API of exchange accounts."""

from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchanges.api import answers
from exchanges.api.presenters import present_account
from exchanges.api.serializers import (
    ConnectSerializer,
    DeclarationSerializer,
    KeySerializer,
    NothingSerializer,
    PaperSerializer,
)
from exchanges.domain.credentials import clean_credential
from exchanges.selectors import accounts as selectors
from exchanges.services import account_tests, accounts
from foundation import pagination, schema
from foundation.http import actor_of
from foundation.scopes import PERSON


class Accounts(APIView):
    """All of a person's open accounts; POST connects one."""

    required_scope = {"GET": "read:account", "POST": PERSON}
    throttle_buckets = {"POST": ("credential",)}
    problem_statuses = {"POST": (402, 409, 422, 503)}

    @extend_schema(
        parameters=[*schema.PAGE, schema.filter_by("venue", "At this venue only, by its code.")],
        responses=schema.page_of(answers.AccountSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the open accounts, newest first."""
        venue = pagination.text_parameter(request, "venue")
        return pagination.page_response(
            request,
            lambda named, limit: selectors.accounts_below(
                request.user, venue_code=venue, below=pagination.key_of(named), limit=limit
            ),
            name_of=lambda account: str(account.pk),
            present=present_account,
            filters=("venue",),
        )

    @extend_schema(request=ConnectSerializer, responses={201: answers.NewAccountSerializer})
    def post(self, request: Request) -> Response:
        """Answer 201 with the new account, whose key is being tested; ``notes`` tell what was trimmed."""
        serializer = ConnectSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        pasted = serializer.pasted
        notes = clean_credential(pasted).notes
        account = accounts.connect_account(
            owner=request.user,
            venue_code=serializer.validated_data["venue"],
            label=serializer.validated_data["label"],
            api_key=pasted.api_key,
            secret=pasted.secret,
            passphrase=pasted.passphrase,
            declares_safe=serializer.validated_data["declares_safe"],
            by=actor_of(request),
            now=timezone.now(),
        )
        stored = selectors.get_account_for(request.user, public_id=account.public_id)
        return Response(
            {**present_account(stored), "notes": notes},
            status=201,
            headers={"Location": reverse("exchanges-api:account", args=[account.public_id])},
        )


class Account(APIView):
    """One account."""

    required_scope = {"GET": "read:account", "DELETE": PERSON}
    problem_statuses = {"DELETE": (409,)}

    @extend_schema(responses=answers.AccountSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Return the account and what its last test said."""
        account = selectors.get_account_for(request.user, public_id=public_id)
        return Response(present_account(account))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Close the account for good and erase its keys."""
        accounts.close_account(
            owner=request.user,
            account_public_id=public_id,
            by=actor_of(request),
            now=timezone.now(),
        )
        return Response(status=204)


class Test(APIView):
    """The test of an account's key."""

    required_scope = PERSON
    throttle_buckets = {"POST": ("credential",)}
    problem_statuses = {"POST": (409, 503)}

    @extend_schema(request=None, responses={202: answers.AccountSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 202: a worker tests the key, and the account tells the result."""
        NothingSerializer(data=request.data).is_valid(raise_exception=True)
        account_tests.request_test(
            owner=request.user,
            account_public_id=public_id,
            by=actor_of(request),
            now=timezone.now(),
        )
        account = selectors.get_account_for(request.user, public_id=public_id)
        return Response(present_account(account), status=202)


class Key(APIView):
    """The key of an account."""

    required_scope = PERSON
    throttle_buckets = {"PUT": ("credential",)}
    problem_statuses = {"PUT": (409, 503)}

    @extend_schema(request=KeySerializer, responses={202: answers.NewAccountSerializer})
    def put(self, request: Request, public_id: UUID) -> Response:
        """Put a new key in the place of the old one, which is erased; a worker tests the new one."""
        # Somebody else's is not found whatever the body is.
        selectors.get_account_for(request.user, public_id=public_id)
        serializer = KeySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        pasted = serializer.pasted
        notes = clean_credential(pasted).notes
        accounts.replace_credential(
            owner=request.user,
            account_public_id=public_id,
            api_key=pasted.api_key,
            secret=pasted.secret,
            passphrase=pasted.passphrase,
            declares_safe=serializer.validated_data["declares_safe"],
            by=actor_of(request),
            now=timezone.now(),
        )
        stored = selectors.get_account_for(request.user, public_id=public_id)
        return Response({**present_account(stored), "notes": notes}, status=202)


class Declaration(APIView):
    """A person's word about the key of an account."""

    required_scope = PERSON
    problem_statuses = {"POST": (409,)}

    @extend_schema(request=DeclarationSerializer, responses={202: answers.AccountSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Take the declaration that the key in use can neither withdraw nor transfer; a worker tests it again."""
        # Somebody else's is not found whatever the body is.
        selectors.get_account_for(request.user, public_id=public_id)
        DeclarationSerializer(data=request.data).is_valid(raise_exception=True)
        accounts.declare_safe(
            owner=request.user,
            account_public_id=public_id,
            by=actor_of(request),
            now=timezone.now(),
        )
        account = selectors.get_account_for(request.user, public_id=public_id)
        return Response(present_account(account), status=202)


class Paper(APIView):
    """An account without a key."""

    required_scope = "trade:paper"
    problem_statuses = {"POST": (402,)}

    @extend_schema(request=PaperSerializer, responses=answers.AccountSerializer)
    def post(self, request: Request) -> Response:
        """Answer the person's paper account at a venue, made the first time."""
        serializer = PaperSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        account = accounts.ensure_paper_account(
            owner=request.user,
            venue_code=serializer.validated_data["venue"],
            by=actor_of(request),
            now=timezone.now(),
        )
        stored = selectors.get_account_for(request.user, public_id=account.public_id)
        return Response(present_account(stored))
