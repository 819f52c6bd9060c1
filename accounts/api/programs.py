"""The JSON API of what acts for a person: signed-in programs and browsers, and personal tokens."""

from typing import cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import answers, presenters
from accounts.api.authentication import SignIn
from accounts.api.serializers import NewTokenSerializer
from accounts.models import User
from accounts.selectors import sessions as session_selectors
from accounts.selectors import tokens
from accounts.services import entrance, people, personal_tokens, refresh_families, sessions
from foundation import pagination, schema
from foundation.http import actor_of
from foundation.scopes import PERSON


class SignIns(APIView):
    """The programs that are signed in."""

    required_scope = PERSON

    @extend_schema(
        parameters=[*schema.PAGE], responses=schema.page_of(answers.SignInOfProgramSerializer)
    )
    def get(self, request: Request) -> Response:
        """List the programs that are signed in, newest first."""
        now, current = timezone.now(), _family_of(request)
        return pagination.page_response(
            request,
            lambda named, limit: tokens.sign_ins_below(
                cast(User, request.user), below=pagination.key_of(named), limit=limit, now=now
            ),
            name_of=lambda family: str(family.pk),
            present=lambda family: presenters.present_sign_in(family, current=current),
        )

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        """Sign out everywhere: all programs and all browsers, this one too. Personal tokens stay."""
        people.end_all_sessions(
            person_id=cast(int, request.user.pk), by=actor_of(request), now=timezone.now()
        )
        return Response(status=204)


class OneSignIn(APIView):
    """A program that is signed in."""

    required_scope = PERSON

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Sign the program out."""
        refresh_families.revoke_family(
            owner=cast(User, request.user),
            public_id=public_id,
            by=actor_of(request),
            now=timezone.now(),
        )
        return Response(status=204)


class Browsers(APIView):
    """The browsers that are signed in."""

    required_scope = PERSON

    @extend_schema(responses=answers.BrowsersSerializer)
    def get(self, request: Request) -> Response:
        """List the browsers that are signed in, the one that was used last first; they fit on a page."""
        pagination.refuse_unknown(request)
        current_key = request.session.session_key if request.auth is None else None
        found = session_selectors.sessions_for(cast(User, request.user), now=timezone.now())
        results = [presenters.present_browser(each, current_key=current_key) for each in found]
        return Response({"results": results, "next": None})


class OneBrowser(APIView):
    """A browser that is signed in."""

    required_scope = PERSON

    @extend_schema(responses={204: None})
    def delete(self, request: Request, reference: str) -> Response:
        """Sign the browser out."""
        sessions.end_session(
            owner=cast(User, request.user),
            reference=reference,
            by=actor_of(request),
            now=timezone.now(),
        )
        return Response(status=204)


class PersonalTokens(APIView):
    """Tokens for programs that run for a long time."""

    required_scope = PERSON
    throttle_buckets = {"POST": ("password",)}
    problem_statuses = {"POST": (409, 503)}

    @extend_schema(
        parameters=[*schema.PAGE], responses=schema.page_of(answers.PersonalTokenSerializer)
    )
    def get(self, request: Request) -> Response:
        """List the tokens, newest first, revoked and expired ones too."""
        return pagination.page_response(
            request,
            lambda named, limit: tokens.tokens_below(
                cast(User, request.user), below=pagination.key_of(named), limit=limit
            ),
            name_of=lambda token: str(token.pk),
            present=presenters.present_token,
        )

    @extend_schema(request=NewTokenSerializer, responses={201: answers.NewPersonalTokenSerializer})
    def post(self, request: Request) -> Response:
        """Make a token; its text is in this answer and nowhere else."""
        serializer = NewTokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted, person = serializer.validated_data, cast(User, request.user)
        entrance.prove_again(person=person, password=wanted["password"], code=wanted["code"])
        token, text = personal_tokens.create_token(
            owner=person,
            name=wanted["name"],
            scopes=wanted["scopes"],
            expires_in_days=wanted["expires_in_days"],
            by=actor_of(request),
            now=timezone.now(),
        )
        token.refresh_from_db()
        return Response({**presenters.present_token(token), "token": text}, status=201)


class OnePersonalToken(APIView):
    """A token for a program."""

    required_scope = PERSON

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke the token; it is void at once."""
        personal_tokens.revoke_token(
            owner=cast(User, request.user),
            public_id=public_id,
            by=actor_of(request),
            now=timezone.now(),
        )
        return Response(status=204)


def _family_of(request: Request) -> UUID | None:
    return request.auth.public_id if isinstance(request.auth, SignIn) else None
