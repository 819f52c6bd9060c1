"""The JSON API of the person who asks: profile, address, second factor, the end of the account."""

from typing import Any, Final, cast

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import answers, presenters
from accounts.api.serializers import NewAddressSerializer, ProfileSerializer, ProvenSerializer
from accounts.models import User
from accounts.selectors import factors
from accounts.services import entrance, people
from foundation.http import actor_of
from foundation.scopes import PERSON
from foundation.serializers import StrictSerializer

_PROFILE: Final = ("display_name", "bio", "time_zone", "currency", "theme")


class Me(APIView):
    """The person who asks."""

    required_scope = {"GET": "read:account", "PATCH": PERSON}

    @extend_schema(responses=answers.PersonSerializer)
    def get(self, request: Request) -> Response:
        """Return the profile."""
        return Response(presenters.present_person(cast(User, request.user)))

    @extend_schema(request=ProfileSerializer, responses=answers.PersonSerializer)
    def patch(self, request: Request) -> Response:
        """Change what is sent of the profile; the rest stays."""
        serializer = ProfileSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        person = cast(User, request.user)
        present = {name: getattr(person, name) for name in _PROFILE}
        changed = people.change_profile(
            person=person,
            **(present | serializer.validated_data),
            by=actor_of(request),
            now=timezone.now(),
        )
        return Response(presenters.present_person(changed))


class Address(APIView):
    """Another e-mail address."""

    required_scope = PERSON
    throttle_buckets = {"POST": ("mail",)}
    problem_statuses = {"POST": (503,)}

    @extend_schema(request=NewAddressSerializer, responses={202: answers.AcceptedSerializer})
    def post(self, request: Request) -> Response:
        """Mail a link to the new address; it takes the place of the old one when the link is followed."""
        wanted = _proven(NewAddressSerializer, request)
        entrance.ask_for_address(
            person=cast(User, request.user), email=wanted["email"], by=actor_of(request)
        )
        return Response({"detail": "A mail is on its way to the new address."}, status=202)


class SecondFactor(APIView):
    """The second factor."""

    required_scope = PERSON

    @extend_schema(responses=answers.SecondFactorSerializer)
    def get(self, request: Request) -> Response:
        """Tell whether there is one, and how many recovery codes are left; it is set up on the pages."""
        found = factors.authenticators_of(cast(User, request.user))
        return Response(presenters.present_second_factor(found))


class Deactivation(APIView):
    """Closing the account for the time being."""

    required_scope = PERSON
    throttle_buckets = {"POST": ("password",)}
    problem_statuses = {"POST": (409, 503)}

    @extend_schema(request=ProvenSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Sign out everywhere and stop everything that trades; an operator can open the account again."""
        _proven(ProvenSerializer, request)
        people.deactivate_person(
            person_id=cast(int, request.user.pk), by=actor_of(request), now=timezone.now()
        )
        return Response(status=204)


class Deletion(APIView):
    """Deleting the account."""

    required_scope = PERSON
    throttle_buckets = {"POST": ("password",)}
    problem_statuses = {"POST": (409, 503)}

    @extend_schema(request=ProvenSerializer, responses={202: answers.AcceptedSerializer})
    def post(self, request: Request) -> Response:
        """Close the account and delete the person once nothing of theirs trades; financial records stay."""
        _proven(ProvenSerializer, request)
        people.request_erasure(
            person_id=cast(int, request.user.pk), by=actor_of(request), now=timezone.now()
        )
        return Response(
            {"detail": "You are signed out. Your data are deleted once nothing trades."}, status=202
        )


def _proven(serializer_class: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """Return the checked input of somebody who has proved themselves once more."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    entrance.prove_again(
        person=cast(User, request.user), password=values["password"], code=values["code"]
    )
    return values
